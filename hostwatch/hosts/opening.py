"""Opens hosts files safely, and translates the kernel's errors into our own.

A container's root may be hostile. It can put anything into its file, hold the file open, lock it or take a lease on it.
It cannot replace the file, as it sees a bind mount of the file alone. A file on the host can be replaced by anything.
Hence only a regular file with one link is ever used, and neither it nor its directory may be a symbolic link.
"""

import errno
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from hostwatch.hosts import probe

_SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PAUSES_SECONDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032)
"""Between attempts to open a file that another process has a lease on. Another hostwatch holds one for microseconds; a
container can hold one for as long as it likes, and must not block the worker."""
_PIECE = 1 << 14
"""Bytes per read. A buffer for the longest file allowed would fragment the heap at each read."""
_BUSY = (errno.EAGAIN, errno.ETXTBSY)
"""Another process has the file to itself."""
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)
"""This process or the system has no descriptor left. These errors say nothing about any file."""

_IN_UNIT = (
    "ReadWritePaths= in a drop-in of the unit must name it (`systemctl edit hostwatch`); if one does, a program has put"
    " a new file in its place: `systemctl restart hostwatch`, or name its directory"
)
"""The remedy for a file that the sandbox of a systemd unit has read-only. The mount of a single file goes with it."""
NOT_THERE = "not there; nothing to do if its container is gone"

Opener = Callable[[Path, int], int]
"""Opens a file with these flags."""


class HostsFileError(Exception):
    """A hosts file could not be read or written. The message says what happened and what to do."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class HostsFileMissing(HostsFileError):  # noqa: N818
    """The file or its directory is gone, as after its container is removed."""


class HostsFileRefused(HostsFileError):  # noqa: N818
    """The file is not safe to write until a user changes it."""


class HostsFileDenied(HostsFileError):  # noqa: N818
    """The kernel denies access until a user changes that."""


class HostsFileBusy(HostsFileError):  # noqa: N818
    """Another process keeps the file changing or closed to us. Worth another try later."""


class HostsFileFailed(HostsFileError):  # noqa: N818
    """Any other error of the kernel, such as a full disk. Worth another try later."""


class Opened:
    """An open hosts file, by default after some patience. An `OSError` becomes a `HostsFileError`.

    A class, as a generator would take as long as a tenth of a write.
    """

    __slots__ = ("_file", "_flags", "_opener", "_path")

    def __init__(self, path: Path, access: int, opener: Opener | None = None) -> None:
        self._path = path
        self._flags = access | _SAFELY
        self._opener = opener or _open_patiently
        self._file = -1

    def __enter__(self) -> int:
        """The descriptor."""
        try:
            self._file = file = self._opener(self._path, self._flags)
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                os.close(file)
                raise _unsafe(status, self._path)
        except OSError as error:
            raise _translated(error, self._path) from error
        return file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
        if isinstance(error, OSError):
            raise _translated(error, self._path) from error


def open_beneath(path: Path, flags: int) -> int:
    """Opens a file. With O_NOFOLLOW among the flags, its directory may not be a symbolic link either."""
    parent, name = os.path.split(path)
    directory = os.open(parent or ".", _DIRECTORY)
    try:
        return os.open(name, flags, dir_fd=directory)
    finally:
        os.close(directory)


def text_of(file: int, path: Path, limit: int) -> bytes:
    """The whole text of an open file."""
    pieces: list[bytes] = []
    length = 0
    while piece := os.pread(file, min(_PIECE, limit + 1 - length), length):
        pieces.append(piece)
        length += len(piece)
    text = b"".join(pieces)
    refuse_beyond(limit, text, path)
    return text


def short_text_of(file: int) -> bytes | None:
    """The text of an open file by a single read; `None` if it is empty, or too long for that."""
    text = os.pread(file, _PIECE, 0)
    return text if 0 < len(text) < _PIECE else None


def refuse_beyond(limit: int, text: bytes, path: Path) -> None:
    """Refuses a text that is too large."""
    if len(text) > limit:
        raise HostsFileRefused(path, f"larger than {limit} bytes, which no hosts file should be; shorten it")


def _open_patiently(path: Path, flags: int) -> int:
    """Opens a file, in several attempts while another process has a lease on it."""
    for pause in _PAUSES_SECONDS:
        with suppress(BlockingIOError):
            return open_beneath(path, flags)
        time.sleep(pause)
    return open_beneath(path, flags)


def _unsafe(status: os.stat_result, path: Path) -> HostsFileRefused:
    """The reason why an open file is not safe as a hosts file."""
    if not stat.S_ISREG(status.st_mode):
        return HostsFileRefused(path, "not a regular file; put a regular file in its place")
    return HostsFileRefused(path, f"has {status.st_nlink} hard links, and is perhaps another file; make it a copy")


def _translated(error: OSError, path: Path) -> HostsFileError:
    """The error as one of ours, with what to do about it."""
    what = os.strerror(error.errno) if error.errno else str(error)
    kind: type[HostsFileError]
    match error.errno:
        case errno.ENOENT:
            kind, message = HostsFileMissing, NOT_THERE
        case errno.ELOOP | errno.ENOTDIR | errno.EISDIR | errno.ENXIO | errno.ENODEV:
            kind, message = (
                HostsFileRefused,
                f"it or its directory is a link or no file ({what}); put a real file there",
            )
        case errno.EACCES | errno.EPERM:
            remedy = "run hostwatch as root, and look for an immutable file (lsattr) or a security policy"
            kind, message = HostsFileDenied, f"uid {os.geteuid()} may not ({what}); {remedy}"
        case errno.EROFS:
            remedy = _IN_UNIT if probe.is_unit() else "mount it read-write (without `ro`) where hostwatch runs"
            kind, message = HostsFileDenied, f"uid {os.geteuid()} cannot write, its file system is read-only; {remedy}"
        case number if number in _BUSY:
            kind, message = HostsFileBusy, f"another process has it to itself ({what}); it will be tried again"
        case errno.ENOSPC | errno.EDQUOT:
            kind, message = HostsFileFailed, f"no room ({what}); make room on its file system, it will be tried again"
        case number if number in OUT_OF_FILES:
            limit = "the limit of open files (LimitNOFILE, --ulimit nofile; sysctl fs.file-max)"
            kind, message = HostsFileFailed, f"{what}; raise {limit}, it will be tried again"
        case _:
            kind, message = HostsFileFailed, f"{what}; look at its file system, it will be tried again"
    return kind(path, message)
