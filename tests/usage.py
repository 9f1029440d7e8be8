"""The usage of a process, from /proc: memory, descriptors, threads. It must not grow over time."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """One look at a process."""

    cpu_seconds: float
    rss_mib: float
    descriptors: int
    connections: int
    """The descriptors that are sockets."""
    threads: int
    watches: int
    """The watches of inotify."""

    def __str__(self) -> str:
        return (
            f"cpu {self.cpu_seconds:.2f} s, rss {self.rss_mib:.1f} MiB, {self.descriptors} descriptors"
            f" ({self.connections} of sockets), {self.threads} threads, {self.watches} watches"
        )


def usage_at_rest(pid: int, seconds: float = 2.0) -> Usage:
    """The usage once descriptors and watches have not changed for so long, so that no request is in flight."""
    found, since = usage(pid), time.monotonic()
    deadline = since + 10 * seconds
    while time.monotonic() < since + seconds:
        time.sleep(0.02)
        before, found = found, usage(pid)
        if (found.descriptors, found.watches) != (before.descriptors, before.watches):
            since = time.monotonic()
            assert since < deadline, f"not at rest: {before}; {found}"
    return found


def usage(pid: int) -> Usage:
    """The usage now."""
    process = Path(f"/proc/{pid}")
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    infos, links = [], []
    for info in (process / "fdinfo").iterdir():
        with suppress(FileNotFoundError):  # it may just have been closed
            links.append(str((process / "fd" / info.name).readlink()))
            infos.append(info.read_text())
    return Usage(
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS,
        rss_mib=int((process / "statm").read_text().split()[1]) * _PAGE / 2**20,
        descriptors=len(infos),
        connections=sum(link.startswith("socket:") for link in links),
        threads=int(fields[17]),
        watches=sum(info.count("inotify wd:") for info in infos),
    )
