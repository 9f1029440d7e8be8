"""Whether hostwatch can see and write the engine's hosts files, and which subscribers can be served."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hostwatch.control.survey import FileReport
from hostwatch.core.model import ContainerKey
from hostwatch.core.resolve.host_reach import FROM_HOST_UNREACHED, HOST_UNREACHED
from hostwatch.core.resolve.reach import SECLUDED
from hostwatch.core.rules import Writer
from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, fine, note, problem, warning
from hostwatch.doctor.told import Fault, Told
from hostwatch.hosts import probe
from hostwatch.hosts.lock import STRANGER_SECONDS

_NO_HOST = "a host is not on macvlan, ipvlan and overlay networks, nor on a bridge without an address of its own"
_BY_ROUTE = "or, where a route that you have made leads there, set `scope: any`"
_UNREACHED = {
    HOST_UNREACHED: f"{_NO_HOST}: connect that container to a bridge network too, {_BY_ROUTE} here",
    FROM_HOST_UNREACHED: f"{_NO_HOST}: connect this subscriber to a bridge network too, {_BY_ROUTE}",
    SECLUDED: f"connect both to a network without `enable_icc=false` or a mode `private`, {_BY_ROUTE}",
}
"""Remedies of withheld lines, by a part of their reasons."""
_LABEL_REMEDY = "correct it where the container is defined, and recreate the container: its labels never change"


def data_root(evidence: Evidence) -> Iterator[Finding]:
    """Whether the directory is visible and writable, and is this engine's."""
    if (fault := _root_fault(evidence)) is not None:
        yield out_of_sight(*fault, path_only=evidence.path_only)
    else:
        known = "" if evidence.witnesses else "; it has no containers yet that would prove it the engine's"
        yield fine(f"data root: {evidence.directory} is visible and writable{known}")


def _root_fault(evidence: Evidence) -> tuple[str, str] | None:
    """The fault of the engine's directory, with its remedy; `None` if there is none."""
    directory = evidence.directory
    try:
        names = frozenset(child.name for child in directory.iterdir())
        read_only = probe.is_read_only(directory)
    except PermissionError as error:
        what = f"user {os.geteuid()} may not read the engine's {directory} ({error.strerror})"
        return what, _denied_remedy(directory)
    except OSError as error:
        return f"the engine's {directory} is not visible here ({error.strerror})", _mount_remedy(evidence)
    ids = [container.key.id for container in evidence.witnesses]
    if ids and names.isdisjoint(ids):
        return f"{directory} is not this engine's: it has none of its {len(ids)} containers", _mount_remedy(evidence)
    if read_only:
        return f"{directory} is mounted read-only here", _read_only_remedy(directory)
    return None


def out_of_sight(what: str, remedy: str, *, path_only: bool) -> Finding:
    """No hosts file can be kept through its path. A problem only if a subscriber has no other way (`path_only`)."""
    if path_only:
        return problem(what, remedy)
    late = "files are written through `docker exec` instead, too late for a container's first instruction"
    return note(f"{what}; {late}", remedy)


def _mount_remedy(evidence: Evidence) -> str:
    own = evidence.engine.directory(None)
    if evidence.root is not None and any(
        os.access(own / container.key.id, os.F_OK) for container in evidence.witnesses
    ):
        return f"leave docker.root out: the engine's own {evidence.engine.root} is visible here"
    if probe.in_container():
        mount = f"run hostwatch's container with `-v {own}:{evidence.directory}`"
        return f"{mount}, or set docker.root to where the engine's {evidence.engine.root} is visible in it"
    there = f"set docker.root to where its {evidence.engine.root} is visible"
    return f"run hostwatch on the engine's host, as root, or {there}"


def _read_only_remedy(path: Path) -> str:
    point = probe.mount_point(path.resolve())
    if probe.in_container():
        return f"mount {point} into hostwatch's container without `:ro` or `readonly`"
    return f"mount it read-write: mount -o remount,rw {point}; in a systemd unit, ReadWritePaths={path}"


def _denied_remedy(path: Path) -> str:
    """The remedy if the kernel denies access."""
    with suppress(OSError):
        if probe.is_read_only(path):
            return _read_only_remedy(path)
    if (label := probe.confinement()) is not None:
        return f"SELinux confines hostwatch ({label}): run its container with --security-opt label=disable"
    if os.geteuid() != 0:
        return "run hostwatch as root"
    return f"look for an immutable file (lsattr {path}; chattr -i), a security policy or a user namespace"


def lock(evidence: Evidence) -> Iterator[Finding]:
    """The process that has the lock: a hostwatch, or one that is in its way."""
    if evidence.holder is None:
        return
    if evidence.holder.is_hostwatch:
        yield fine(f"lock: {evidence.holder} keeps this engine's hosts files; another one would wait in standby")
        return
    wait = f"a daemon that starts waits {STRANGER_SECONDS:.0f} s for it, then does without the lock"
    what = f"{evidence.holder} holds a lock on {evidence.directory}, and is not known as a hostwatch: {wait}"
    yield problem(what, "end that process, if it has no business there")


def subscribers(evidence: Evidence, told: Told | None, *, visible: bool) -> Iterator[Finding]:
    """The subscribers that cannot be served, and the number of those that can. A data root's fault is shown once.

    What only the daemon knows, as its sandbox may be narrower than this command's, is in its own words.
    """
    faults = {(fault.container, fault.kind): fault for fault in told.faults} if told is not None else {}
    who = told.who if told is not None else ""
    everyone, failed = set[ContainerKey](), set[ContainerKey]()
    for report in evidence.reports:
        fault = faults.pop((report.container.key.id, report.file.kind), None)
        finding = _subscriber(report, visible=visible) or (_by_daemon(fault, who) if fault is not None else None)
        everyone.add(report.container.key)
        if finding is not None:
            failed.add(report.container.key)
            yield finding
    yield from (_by_daemon(fault, who) for fault in faults.values())
    if visible or not evidence.path_only:
        served = f"subscribers: {len(everyone) - len(failed)} of {len(everyone)} can be served"
        yield note(served, "mend the problems above") if failed else fine(served)


def _by_daemon(fault: Fault, who: str) -> Finding:
    what, _, remedy = fault.error.partition("; ")
    return problem(f"{fault.told}: {who} says: {what}", remedy or "its log has more")


def _subscriber(report: FileReport, *, visible: bool) -> Finding | None:
    (owner, kind), path, by_path = report.file, report.path, report.writer is Writer.PATH
    of_its_own = owner.host_file is not None or owner.mount(kind) is not None or not by_path
    if report.error is not None and (visible or of_its_own):
        what, _, remedy = report.error.partition("; ")
        return problem(f"{report.told}: {what}", remedy or f"look at {path}")
    if report.error is None and (visible or of_its_own) and by_path and not os.access(path, os.W_OK):
        return problem(f"{report.told}: user {os.geteuid()} may not write {path}", _denied_remedy(path))
    return None


def unreached(evidence: Evidence) -> Iterator[Finding]:
    """Lines that a network can never carry, however long they are withheld."""
    for report in evidence.reports:
        for withheld in report.block.withheld:
            for sign, remedy in _UNREACHED.items():
                if sign in withheld.reason:
                    yield note(f"{report.told}: withheld: {withheld.line} ({withheld.reason})", remedy)


def labels(evidence: Evidence) -> Iterator[Finding]:
    """Labels of running containers that have no effect."""
    for container in evidence.running:
        for fault in evidence.store.roles(container.key).faults:
            yield (warning if fault.is_caution else problem)(f"{container.name}: {fault}", _LABEL_REMEDY)
