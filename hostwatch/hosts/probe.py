"""Finds out what the kernel allows hostwatch to do here, without creating, writing or changing anything.

Rights depend on users, capabilities, mounts, security modules and limits, and in containers on all of them at once. So
they are tried, where a trial does no harm, rather than derived. This module knows neither engines nor remedies.
"""

import os
import re
import socket
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hostwatch.core.model import Address
from hostwatch.hosts.inotify import Inotify, Mask
from hostwatch.hosts.lease import given_back, taken

_ROOT = Path("/")
_CONTAINER_MARKS = (".dockerenv", "run/.containerenv")
"""Docker's and Podman's. Control groups show it too, but with version 2 of them a container sees only `/`."""
_CONTAINER_GROUP = re.compile(r"/(docker|kubepods|libpod|lxc|containerd)\b|docker-[0-9a-f]{64}|cri-containerd")
_CAP_SYS_NICE = 23
_COMMAND_SECONDS = 5.0
"""For a command that only reads."""
_UNCONFINED = ("unconfined_t", "spc_t", "initrc_t", "unconfined_service_t", "kernel_t")
"""SELinux types that may write the engine's files. `spc_t` is the type of a privileged container."""


def in_container(root: Path = _ROOT) -> bool:
    """Whether this process runs in a container, as far as it can tell."""
    if any((root / mark).exists() for mark in _CONTAINER_MARKS):
        return True
    return _CONTAINER_GROUP.search(_text(root / "proc/1/cgroup")) is not None


def is_unit() -> bool:
    """Whether this process is a systemd unit, outside of a container, that reports its state as ours does."""
    return "NOTIFY_SOCKET" in os.environ and not in_container()


def mount_point(path: Path, root: Path = _ROOT) -> Path:
    """The mount point of the file system that holds the path."""
    lines = _text(root / "proc/self/mountinfo").splitlines()
    points = [Path(_unescaped(line.split(" ")[4])) for line in lines]
    return max((point for point in points if path.is_relative_to(point)), key=lambda p: len(p.parts), default=_ROOT)


def is_read_only(path: Path) -> bool:
    """Whether the mount that holds the path is read-only. Raises `OSError`."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def confinement(root: Path = _ROOT) -> str | None:
    """The SELinux label that confines this process; `None` if none does."""
    if _text(root / "sys/fs/selinux/enforce").strip() != "1":
        return None
    label = _text(root / "proc/self/attr/current").strip("\0\n")
    kind = label.split(":")[2] if label.count(":") >= 2 else label
    return None if kind in _UNCONFINED else label


def has_network() -> bool:
    """Whether this process has more network interfaces than loopback."""
    return any(name != "lo" for _, name in socket.if_nameindex())


def has_address(address: Address) -> bool:
    """Whether an address is this machine's own, in this process's network."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind((str(address), 0))  # no packet is sent
    except OSError:
        return False
    return True


def shares_network(pid: int, root: Path = _ROOT) -> bool:
    """Whether a process is in this one's network namespace, as far as can be seen."""
    try:
        return os.path.samestat((root / f"proc/{pid}/ns/net").stat(), Path("/proc/self/ns/net").stat())
    except OSError:
        return True


def has_netlink(pid: int, root: Path = _ROOT) -> bool:
    """Whether a process has a socket by which the kernel tells it of routes, as far as can be seen."""
    rows = (line.split() for line in _text(root / f"proc/{pid}/net/netlink").splitlines()[1:])
    listening = {f"socket:[{row[-1]}]" for row in rows if row[1] == "0" and int(row[3], 16)}
    try:
        files = [*(root / f"proc/{pid}/fd").iterdir()]
    except OSError:
        return True
    return any(_target(file) in listening for file in files)


def _target(link: Path) -> str:
    """Where a link leads; empty if it is gone."""
    try:
        return str(link.readlink())
    except OSError:
        return ""


def grants_leases(path: Path) -> bool:
    """Whether the kernel gives this process a write lease on the file. Raises `OSError`.

    It is held for some microseconds. A process that opens the file meanwhile waits, as at every write of hostwatch.
    """
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        is_granted = taken(file)
        if is_granted:
            given_back(file)
    finally:
        os.close(file)
    return is_granted is not False  # `None`: another process has the file open; the kernel checks the right before that


def grants_priority() -> bool:
    """Whether this process may have the lowest real-time priority. It has it for an instant."""
    policy, before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
        os.sched_setscheduler(0, policy, before)
    except OSError:
        return False
    return True


def may_raise_priority(root: Path = _ROOT) -> bool:
    """Whether this process has CAP_SYS_NICE.

    A control group without real-time (version 1) or a user namespace may refuse the priority all the same.
    """
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", _text(root / "proc/self/status"), re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> _CAP_SYS_NICE & 1)


@dataclass(frozen=True, slots=True)
class Watched:
    """The inotify watches that the kernel granted."""

    requested: int
    granted: int
    instance: bool
    """Whether the kernel granted an inotify instance at all."""


def watched(directories: Iterable[Path]) -> Watched:
    """Watches all of the directories for an instant. Only a trial shows a limit that other programs have used up."""
    requested = tuple(directories)
    try:
        inotify = Inotify()
    except OSError:
        return Watched(len(requested), 0, instance=False)
    with inotify:
        granted = sum(_is_watched(inotify, directory) for directory in requested)
        return Watched(len(requested), granted, instance=True)


def raw_rules() -> str | None:
    """The rules for packets that come before they are routed, as iptables writes them; `None` if they cannot be seen.

    The engine writes them with the same command, so that it knows where they are.
    """
    try:
        done = subprocess.run(["iptables-save", "-t", "raw"], capture_output=True, timeout=_COMMAND_SECONDS, check=True)  # noqa: S607
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")


def inotify_limit(name: str, root: Path = _ROOT) -> int | None:
    """The sysctl `fs.inotify.<name>`; `None` if it cannot be read."""
    text = _text(root / "proc/sys/fs/inotify" / name).strip()
    return int(text) if text.isdigit() else None


def _is_watched(inotify: Inotify, directory: Path) -> bool:
    try:
        inotify.add(directory, Mask.CLOSE_WRITE | Mask.ONLYDIR)
    except FileNotFoundError:
        return True  # its container has just been removed
    except OSError:
        return False
    return True


def _text(path: Path) -> str:
    """The file's text; empty if there is no such file."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _unescaped(field: str) -> str:
    # mountinfo writes blanks and backslashes as three octal digits.
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
