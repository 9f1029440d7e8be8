"""Listening sockets: where they are, how they are made, and how those in the file system go.

Everything here blocks for a moment, so it runs in a thread.
"""

import contextlib
import errno
import hashlib
import os
import re
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

_ID_CHARACTERS = 12
"""So many characters of an engine's id name its socket, as users know ids from Docker's output."""
_ODD = re.compile(r"[^A-Za-z0-9:_-]")
"""Characters that no file is named by, as an engine chooses its id."""
_BACKLOG = 128
"""Connections that the kernel keeps until they are accepted."""
_DIRECTORY_MODE, _CONTROL_MODE = 0o755, 0o600


class PlaceTakenError(OSError):
    """Something else is there."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address to listen at."""

    place: Path | tuple[str, int]
    """The path of a socket in the file system, or an IP address with a port."""
    mode: int = _CONTROL_MODE
    """The mode of a socket in the file system."""
    hosts: frozenset[str] = frozenset()
    """With an IP address: the names that a request may be for, besides those of loopback and that address."""
    is_control: bool = False
    """Whether this is the control socket. It waits for its first connection before it loads anything."""

    def __str__(self) -> str:
        match self.place:
            case Path():
                return f"unix://{self.place}"
            case (host, port):
                return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def control_socket(directory: Path, engine: str) -> Path:
    """The control socket of the daemon that keeps this engine's files.

    An engine without an id that lasts (Podman) is known by its address, and addresses begin alike.
    """
    name = hashlib.sha256(engine.encode(errors="backslashreplace")).hexdigest() if _ODD.search(engine) else engine
    return directory / f"{name[:_ID_CHARACTERS]}.sock"


STANDBY = ".standby"
"""The end of the name of a standby's socket."""


def standby_socket(directory: Path, engine: str) -> Path:
    """The socket of this process while it is in standby or has no engine yet, so that `health` finds it."""
    return control_socket(directory, engine).with_suffix(f".{os.getpid()}{STANDBY}")


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket that listens at an address."""

    address: Address
    socket: socket.socket
    file: tuple[int, int] | None = None
    """The inode number of its file, and the time of its making: numbers are used again."""

    def close(self) -> None:
        """Close it. Its file goes, unless another process has put its own there."""
        place = self.address.place
        with contextlib.suppress(OSError):
            if isinstance(place, Path) and _identity(place) == self.file:
                place.unlink()
        self.socket.close()


def bound(address: Address) -> Listening:
    """Listen at an address. Raises `OSError`."""
    if isinstance(address.place, tuple):
        return Listening(address, _by_ip(*address.place))
    if address.is_control:
        address.place.parent.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)
        for place in address.place.parent.glob(f"*{STANDBY}"):
            with contextlib.suppress(OSError):
                _clear(place)
    return _in_file_system(address, address.place)


def _by_ip(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of a former process do not count
        made.bind((host, port))
        made.listen(_BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _in_file_system(address: Address, place: Path) -> Listening:
    """Listen at a path, in the place of a socket that nobody listens at any more."""
    _clear(place)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    own = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        own.unlink(missing_ok=True)
        made.bind(str(own))
        own.chmod(address.mode)
        made.listen(_BACKLOG)
        made.setblocking(False)
        own.replace(place)
        identity = _identity(place)
    except OSError:
        made.close()
        with contextlib.suppress(OSError):
            own.unlink(missing_ok=True)
        raise
    return Listening(address, made, identity)


def _identity(place: Path) -> tuple[int, int]:
    status = place.lstat()
    return status.st_ino, status.st_ctime_ns


def _clear(place: Path) -> None:
    """Remove a socket that nobody listens at. Raises `PlaceTakenError` if there is anything else."""
    try:
        if not stat.S_ISSOCK(place.lstat().st_mode):
            raise PlaceTakenError(errno.EEXIST, "something is there that is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        trial.setblocking(False)  # a full backlog is an answer, too
        fault = trial.connect_ex(str(place))
    if fault not in (errno.ECONNREFUSED, errno.ENOENT):
        raise PlaceTakenError(errno.EADDRINUSE, "another process listens there")
    place.unlink(missing_ok=True)
