"""Limits of the system that stop hostwatch, or that cost it one of its guarantees."""

from collections.abc import Iterator
from contextlib import suppress

from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, fine, note, problem
from hostwatch.hosts import probe
from hostwatch.hosts.probe import Watched

_SPARE = 4
"""The recommended limit, as a multiple of the watches that are needed now: more containers start, and other programs
watch, too."""
_LEAST_WATCHES = 8192
"""The kernel's own default on a machine with little memory."""


def watches(evidence: Evidence) -> Iterator[Finding]:
    """Whether there is a watch for each container: on its hosts file, or on its directory while it has none."""
    directories = [evidence.directory / container.key.id for container in evidence.store.containers]
    yield of_watches(probe.watched([evidence.directory, *directories]), probe.inotify_limit("max_user_watches"))


def of_watches(watched: Watched, limit: int | None) -> Finding:
    """The finding for the watches that the kernel granted; `limit` is the sysctl's."""
    late = "files are put right by events and resyncs only, too late for a container's first instruction"
    enough = max(_SPARE * watched.requested, _LEAST_WATCHES)
    if not watched.instance:
        remedy = "raise it: sysctl fs.inotify.max_user_instances=1024, and the same in /etc/sysctl.d"
        return problem(f"no inotify instance is left for this user: {late}", remedy)
    if watched.granted < watched.requested:
        what = f"inotify watches only {watched.granted} of {watched.requested} directories (limit {limit or 'unknown'})"
        return problem(f"{what}: {late}", _raised(enough, limit))
    if limit is not None and limit < 2 * watched.requested:
        what = f"inotify has {limit} watches for each user, and hostwatch needs {watched.requested} of them now"
        return note(what, _raised(enough, limit))
    return fine(f"inotify: {watched.granted} directories can be watched (limit {limit or 'unknown'})")


def leases(evidence: Evidence) -> Iterator[Finding]:
    """Whether files can be written under a lease, tried on the first subscriber's file."""
    for report in evidence.reports:
        if report.error is None:
            with suppress(OSError):  # gone meanwhile
                yield _of_leases(granted=probe.grants_leases(report.path))
            return


def priority() -> Iterator[Finding]:
    """Whether hostwatch may have real-time priority, so that it runs as soon as there is work."""
    if probe.grants_priority():
        yield fine("real-time priority: granted")
        return
    yield note("no real-time priority: on a busy machine hostwatch is late for some starts", _priority_remedy())


def _priority_remedy() -> str:
    if not probe.may_raise_priority():
        return "give it CAP_SYS_NICE (in a container --cap-add SYS_NICE; in a systemd unit LimitRTPRIO=1)"
    if probe.in_container():
        # With control groups of version 1, the engine gives a container real-time only with both options.
        return "start the engine with --cpu-rt-runtime=500000, and hostwatch's container with --cpu-rt-runtime=100000"
    return "give its control group real-time (cpu.rt_runtime_us), and run it outside of user namespaces"


def _of_leases(*, granted: bool) -> Finding:
    if granted:
        return fine("write leases: granted")
    what = "no write leases: a reader may, very rarely, see a change of several lines half done"
    return note(
        what, "run hostwatch as root or with CAP_LEASE (in a container --cap-add LEASE), on a local file system"
    )


def _raised(enough: int, limit: int | None) -> str:
    recommended = max(enough, 2 * (limit or 0))
    return f"raise it: sysctl fs.inotify.max_user_watches={recommended}, and the same in /etc/sysctl.d"
