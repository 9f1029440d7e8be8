"""The health of the daemons whose control sockets are here, and of those in standby."""

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hostwatch.http.client import Client, NoDaemonError
from hostwatch.http.sockets import STANDBY

_CREDENTIALS = "3i"
"""`struct ucred`: process, user, group."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one daemon says of itself."""

    pid: int
    is_good: bool
    said: str

    def __str__(self) -> str:
        return f"process {self.pid}: {self.said}"


def reports(directory: Path) -> list[Report]:
    """A report of each daemon that this process can see.

    A directory that several containers share has the sockets of all of them. The kernel tells a process beyond this
    one's pid namespace as number 0, so that a container's own daemon is known by its number.
    """
    places = [place for pattern in ("*.sock", f"*{STANDBY}") for place in sorted(directory.glob(pattern))]
    found = [(pid, place) for place in places if (pid := _listener(place))]
    return [_report(pid, place) for pid, place in found]


def _listener(place: Path) -> int:
    """The process that listens at a socket; 0 if there is none, or if it is in another namespace."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.0)
        connection.connect(str(place))
        pid, _, _ = struct.unpack(
            _CREDENTIALS,
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_CREDENTIALS)),
        )
        return int(pid)
    return 0


def _report(pid: int, place: Path) -> Report:
    try:
        status, text = Client(place).text("/readyz")
    except NoDaemonError as error:
        return Report(pid, is_good=False, said=str(error))
    return Report(pid, is_good=status == 200, said=text.strip())
