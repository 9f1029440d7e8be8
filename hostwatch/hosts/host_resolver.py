"""Finds the host's own resolv.conf, and reads it.

The way there may be long: `/etc/resolv.conf` is often a link to the file of a program that manages the host's network.
Where that is systemd-resolved, the file names its own address alone, and another one has the servers that it asks.
"""

import os
import stat
import time
from pathlib import Path
from typing import NamedTuple

from hostwatch.core.host_resolver import HostResolver, ResolvConf, resolv_conf
from hostwatch.hosts import probe
from hostwatch.hosts.lease import has_writer
from hostwatch.hosts.way import Way, way_of

_LIMIT = 1 << 16
"""Bytes of a file. No resolv.conf is longer."""
_TRIES, _TRY_SECONDS = 5, 0.1
"""Looks of a command that runs once, and the time between them, until it believes what may be so for a moment."""


class Place(NamedTuple):
    """Where the host's resolv.conf is, as this process sees it."""

    file: Path
    upstream: Path | None = None
    """The file that counts if the first one names systemd-resolved alone."""


ON_HOST = Place(Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
MOUNTED = Place(Path("/host/resolv/resolv.conf"))
"""In a container, whose own file is the engine's: there the directory of the host's file is to be mounted."""
_UNSEEN = f"hostwatch runs in a container, and the host's resolv.conf is not mounted at {MOUNTED.file.parent}"


def place_here() -> Place | None:
    """Where the host's file is; `None` in a container that sees only its own."""
    if not probe.in_container():
        return ON_HOST
    if MOUNTED.file.parent.is_dir():
        return MOUNTED
    # An engine mounts the container's own file. A container that is a whole machine, with an engine in it, has another.
    return None if probe.mount_point(ON_HOST.file) == ON_HOST.file else ON_HOST


def is_single_mount(place: Place) -> bool:
    """Whether the file is mounted by itself. Then a file that is renamed to its place is not seen."""
    return probe.mount_point(place.file) == place.file


class Look(NamedTuple):
    """The result of a look at the host's file."""

    resolver: HostResolver
    is_doubtful: bool = False
    """Whether it may be so for a moment only: the file is away, has no nameserver, or is being written."""
    ways: tuple[Way, ...] = ()
    """The ways to the files that were looked at."""


def look_at(place: Place | None) -> Look:
    """Look at the host's file. Blocks for as long as its file system needs."""
    if place is None:
        return Look(HostResolver(fault=_UNSEEN))
    first = _look_at(place.file)
    if place.upstream is None or not first.conf.is_stub:
        return _judged(first)
    second = _look_at(place.upstream)
    return _judged(second, first.way) if second.way.fault is None else _judged(first, second.way, is_doubtful=True)


def read_host_resolver() -> HostResolver:
    """What the host uses now, for a command that runs once. Where that is doubtful it looks again, so it may block."""
    place = place_here()
    for _ in range(_TRIES - 1):
        if not (look := look_at(place)).is_doubtful:
            return look.resolver
        time.sleep(_TRY_SECONDS)
    return look_at(place).resolver


class _Seen(NamedTuple):
    """What one file has."""

    way: Way
    conf: ResolvConf = ResolvConf((), ())
    is_being_written: bool = False


def _look_at(path: Path) -> _Seen:
    way = way_of(path)
    if way.fault is not None:
        return _Seen(way)
    try:
        file = os.open(way.end, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        return _Seen(way.failed(error.strerror))
    try:
        return _read(file, way)
    finally:
        os.close(file)


def _read(file: int, way: Way) -> _Seen:
    if not stat.S_ISREG(os.fstat(file).st_mode):
        return _Seen(way.failed("not a regular file"))
    try:
        text = os.pread(file, _LIMIT + 1, 0)
    except OSError as error:
        return _Seen(way.failed(error.strerror))
    if len(text) > _LIMIT:
        return _Seen(way.failed(f"longer than {_LIMIT} bytes"))
    return _Seen(way, resolv_conf(text), has_writer(file))


def _judged(seen: _Seen, *others: Way, is_doubtful: bool = False) -> Look:
    ways = (seen.way, *others)
    if seen.way.fault is not None:
        return Look(HostResolver(fault=f"the host's resolv.conf cannot be read ({seen.way.fault})"), True, ways)
    resolver = seen.conf.resolver
    return Look(resolver, is_doubtful or seen.is_being_written or not seen.conf.servers, ways)
