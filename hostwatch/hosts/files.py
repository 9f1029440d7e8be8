"""Hosts files on disk: opened safely, read, and changed in place. Synchronous: run by a worker thread, as it may wait
for whoever has the file open, or at once by the event loop (`read_at_once`, `update_at_once`), and then it gives up.

The file belongs to a container, whose root may be hostile: it may put anything in the file, hold it open, lock it or
take a lease on it. It cannot replace it (it sees a bind mount of the file alone), but a file on the host may be
replaced by anything, so nothing but a regular file with one link is ever opened for writing.

The engine is the other writer: it truncates the file and writes it anew, without a lock. Against that, and for readers,
a change is made under a *write lease*: the kernel grants it only while nobody else has the file open, and lets whoever
opens it meanwhile wait until the lease is given back, some microseconds later. (An opener with O_NONBLOCK gets EAGAIN
instead of waiting.) Where no lease is to be had, the edit alone is careful (`core.block.edit`), and what is left is
this: if the engine truncates the file in the microseconds between our last look and our write, the write lands in the
new text. Behind its end it makes a hole of NULs, which is found and mended; within it, it overwrites some bytes with
ours until the engine writes the file again, which cannot be told from somebody's query.

Who ends us by SIGKILL between two steps leaves whole lines, and blank ones at the end, which cannot be told from
somebody's own either: they stay until the engine writes the file again. Everything else the next update mends.
"""

import errno
import fcntl
import os
import signal
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import reduce
from pathlib import Path
from typing import TypeVar

from hostwatch.control.writers import FileUpdate
from hostwatch.core.block.edit import Step, Truncate, Write, applied, size_after, steps
from hostwatch.core.block.hostsfile import LIMIT, Edited

T = TypeVar("T")

_SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_PAUSES_SECONDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032)
"""Between attempts to open a file on which somebody holds a lease: another hostwatch for microseconds, or a container
for as long as it likes, which must not keep the worker."""
_LEASE_PAUSE_SECONDS = 0.00005
"""Between attempts to get the lease: most who have the file open are readers that are done at once."""
_PATIENCE_SECONDS = 0.02
"""How long to try, where lines come, go or move. Without a lease, of a million reads by a process that does nothing
but open and read some 500 would see such a write half done."""
_PATIENCE_SAFE_SECONDS = 0.001
_SMALL = 16
"""Bytes that one write may change in place and nobody saw half done in millions of reads: an address."""
_PIECE = 1 << 14
"""Bytes that are read at once: room for the longest file that is handled, at each look, would be lost to the heap."""
_ROUNDS = 3
_ROUND_PAUSE_SECONDS = 0.001
"""Before the next round, when somebody else wrote: the engine's truncating and writing are some 20 µs apart."""
_BUSY = (errno.EAGAIN, errno.ETXTBSY)
"""Somebody keeps the file to himself."""
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)
"""No descriptor is left, for this process or for the whole system: nothing is said about any file by that."""


class HostsFileError(Exception):
    """A hosts file could not be read or written. The message says what happened and what to do."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class HostsFileMissing(HostsFileError):  # noqa: N818
    """The file or its directory is gone, as after the container is removed."""


class HostsFileRefused(HostsFileError):  # noqa: N818
    """Not a file that is safe to write; stays so until somebody changes it."""


class HostsFileDenied(HostsFileError):  # noqa: N818
    """The kernel does not let us; stays so until somebody changes it."""


class HostsFileBusy(HostsFileError):  # noqa: N818
    """Somebody else keeps the file changing or closed to us. Worth another try later."""


class HostsFileFailed(HostsFileError):  # noqa: N818
    """Anything else that the kernel reports, such as a full disk. Worth another try later."""


def read(path: Path, limit: int = LIMIT) -> bytes:
    """The text of a file. Neither it nor its directory may be a symbolic link."""
    with _opened(path, os.O_RDONLY) as file:
        return _text(file, path, limit)


def try_to_open(path: Path) -> None:
    """Opens the file for writing, and no more. Raises what `update` would."""
    with _opened(path, os.O_RDWR):
        pass


def update(path: Path, change: Callable[[bytes], bytes], limit: int = LIMIT) -> FileUpdate:
    """Puts `change(text)` in the place of the file's text, in place: inode, owner, mode and labels stay.

    `change` may be called several times, as it is when somebody else writes at the same time. Where it changes nothing,
    the file is not even opened for writing: closing it again would wake whoever watches for that, us among them.
    """
    before = read(path, limit)
    after = change(before)
    if after == before:
        return FileUpdate(before, before)
    with _opened(path, os.O_RDWR) as file:
        return _updated(file, path, change, FileUpdate(before, after), limit)


def read_at_once(path: Path) -> bytes | None:
    """The text of a container's file that was written or read just now; `None` where that may take time, as `read` may.

    Nobody else has the file open, so that no write of theirs, which may be of any length, keeps us waiting; and its
    text is short.
    """

    def text(file: int) -> bytes | None:
        found = os.pread(file, _PIECE, 0)
        return found if 0 < len(found) < _PIECE else None

    return _at_once(path, _open, os.O_RDONLY, text)


def update_at_once(path: Path, change: Callable[[bytes], bytes]) -> FileUpdate | None:
    """What `update` does, of a file that was written or read just now; `None` where that may take time.

    Nothing has been written in that case.
    """
    before = read_at_once(path)
    if before is None:
        return None
    after = change(before)
    if after != before and not replaced_at_once(path, before, Edited(after, steps(before, after))):
        return None
    return FileUpdate(before, after)


def says_at_once(path: Path, text: bytes) -> bool:
    """Whether a file that was read or written before says just this; not where that may take time to find out."""
    return bool(_at_once(path, os.open, os.O_RDONLY, lambda file: os.pread(file, len(text) + 1, 0) == text))


def replaced_at_once(path: Path, before: bytes, edited: Edited) -> bool:
    """Puts another text in the place of this one; whether the file said it, and that could be done without waiting.

    The file was read or written before; its directory is not looked at once more, which takes as long as to write.
    """
    after = edited.text
    if len(after) > LIMIT:
        return False
    update = FileUpdate(before, after)

    def put(file: int) -> bool:
        # No look afterwards: that the lease is still there then says that nobody else has had the file.
        return os.pread(file, len(before) + 1, 0) == before and _carried_out(file, edited.steps, update)

    return bool(_at_once(path, os.open, os.O_RDWR, put, after))


Opener = Callable[[Path, int], int]
"""Opens a file, with these flags."""


def _at_once(path: Path, opener: Opener, access: int, work: Callable[[int], T | None], ours: bytes = b"") -> T | None:
    """What work on a file comes to that nobody else has open meanwhile; `None` where somebody does, or may have had.

    `ours` is what the work may have put into the file, of which nothing is to be left in somebody else's text.
    """
    try:
        file = opener(path, access | _SAFELY)
        try:
            _refuse_unsafe(os.fstat(file), path)
            if not _granted(file):
                return None
            try:
                found = work(file)
            finally:
                kept = _given_back(file)
            if kept:
                return found
            _cut_off(file, ours)
        finally:
            os.close(file)
    except OSError as error:
        if error.errno not in _BUSY:
            raise _translated(error, path) from error
    return None


def _cut_off(file: int, ours: bytes) -> None:
    """Cuts off what we wrote behind the end of a text that somebody has written since. NULs of his own stay."""
    text = os.pread(file, LIMIT + 1, 0)
    if b"\0" not in ours and (mended := _mended(text, ours)) != text:
        os.ftruncate(file, len(mended))


def _updated(file: int, path: Path, change: Callable[[bytes], bytes], update: FileUpdate, limit: int) -> FileUpdate:
    """Makes the update, or what `change` makes of the text that somebody else wrote in the meantime."""
    first = update.before
    foreign_nul = b"\0" in first
    base, ours = first, b""
    for _ in range(_ROUNDS):
        _refuse_beyond(limit, update.after, path)
        todo = steps(update.before, update.after)
        with _lease(file, _patience_seconds(todo, len(update.before))) as alone:
            # Empty, and somebody has it open: the engine is just about to write it.
            if (alone or base) and _text(file, path, limit) == update.before:
                ours = update.after
                if _carried_out(file, todo, update) and _text(file, path, limit) == ours:
                    return FileUpdate(first, ours)
        if not alone:
            time.sleep(_ROUND_PAUSE_SECONDS)
        text = _text(file, path, limit)
        base = text if foreign_nul else _mended(text, ours)
        update = FileUpdate(text, change(base))
        if update.after == text:
            return FileUpdate(first, text)
    raise HostsFileBusy(path, "somebody else keeps writing to it; it will be tried again")


def _patience_seconds(todo: tuple[Step, ...], size: int) -> float:
    """How long to wait for the lease. An address that changes in place is safe to read without one, a shift less so.

    So is a block that is appended: nobody sees it before the file has grown. That is what a container which is being
    started needs, and its first instruction waits for nobody.
    """
    safe = all(isinstance(step, Write) and _is_safe(step, size) for step in todo)
    return _PATIENCE_SAFE_SECONDS if safe else _PATIENCE_SECONDS


def _is_safe(step: Write, size: int) -> bool:
    """Whether readers of a file of this size see the write whole or not at all, in all that was tried."""
    return step.offset == size or (len(step.data) <= _SMALL and step.offset + len(step.data) <= size)


def _carried_out(file: int, todo: tuple[Step, ...], update: FileUpdate) -> bool:
    """Does the steps of an edit. False, and the rest not done, where the file no longer has the size it should have."""
    size = len(update.before)
    for number, step in enumerate(todo):
        if os.fstat(file).st_size != size:
            return False
        try:
            _carry_out(file, step)
        except OSError:
            _take_back_surplus(file, reduce(applied, todo[:number], update.before), update)
            raise
        size = size_after(size, step)
    return True


def _carry_out(file: int, step: Step) -> None:
    """Does one step of an edit."""
    match step:
        case Write(offset, data):
            while data:
                written = os.pwrite(file, data, offset)
                offset, data = offset + written, data[written:]
        case Truncate(size):
            os.ftruncate(file, size)


def _take_back_surplus(file: int, text: bytes, update: FileUpdate) -> None:
    """Cuts off the newlines of an edit that came no further (a full disk), or each try would leave some blank lines.

    `text` is what should stand there, but for a growth that was carried out in part.
    """
    with suppress(OSError):
        found = os.pread(file, max(len(update.before), len(update.after)) + 1, 0)
        grown = found[len(text) :]
        if found.startswith(text) and (not grown.strip(b"\n") or update.after.startswith(found)):
            ends = max(_newlines(update.before), _newlines(update.after))
            os.ftruncate(file, len(text) - max(_newlines(text) - ends, 0))


def _newlines(text: bytes) -> int:
    """How many newlines a text ends with."""
    return len(text) - len(text.rstrip(b"\n"))


def _mended(text: bytes, ours: bytes) -> bytes:
    """The text without what we wrote behind its end, after somebody truncated it just before.

    That can be told by the NULs with which the kernel fills the gap: from the first one on, there is nothing but NULs,
    newlines (of our growth) and bytes just where they stand in `ours`.
    """
    hole = text.find(b"\0")
    if hole < 0 or not ours:
        return text
    tail = zip(text[hole:], ours[hole:].ljust(len(text) - hole, b"\n"), strict=False)
    return text[:hole] if all(byte in (0, 10, own) for byte, own in tail) else text


@contextmanager
def _lease(file: int, patience_seconds: float) -> Iterator[bool]:
    """Holds a write lease on the file, if the kernel grants it soon enough; tells whether it does."""
    until = time.monotonic() + patience_seconds
    while (granted := _granted(file)) is None and time.monotonic() < until:
        time.sleep(_LEASE_PAUSE_SECONDS)
    try:
        yield bool(granted)
    finally:
        if granted:
            _given_back(file)


def _granted(file: int) -> bool | None:
    """Takes a write lease. False: there are none here; `None`: not now, as somebody has the file open."""
    try:
        # The kernel tells the holder by a signal when somebody waits. The default, SIGIO, would kill the process;
        # SIGURG is ignored unless somebody asks for it, and nobody needs telling: we are done at once.
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except BlockingIOError:
        return None
    except OSError:
        return False
    return True


def _given_back(file: int) -> bool:
    """Gives a lease back. False: the kernel had taken it away, as we were stopped for longer than it waits."""
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    return True


@contextmanager
def _opened(path: Path, access: int) -> Iterator[int]:
    """Opens a hosts file safely; whatever the system reports while it is open becomes a `HostsFileError`."""
    try:
        file = _open(path, access | _SAFELY, _OPEN_PAUSES_SECONDS)
        try:
            _refuse_unsafe(os.fstat(file), path)
            yield file
        finally:
            os.close(file)
    except OSError as error:
        raise _translated(error, path) from error


def _open(path: Path, flags: int, pauses: Iterable[float] = ()) -> int:
    """Opens the file, of which neither the last name nor the directory's is followed if it is a link.

    If need be in several attempts, with these seconds between them, as it fails at once while somebody has a lease.
    """
    parent, name = os.path.split(path)
    folder = os.open(parent or ".", _FOLDER)
    try:
        for pause in pauses:
            with suppress(BlockingIOError):
                return os.open(name, flags, dir_fd=folder)
            time.sleep(pause)
        return os.open(name, flags, dir_fd=folder)
    finally:
        os.close(folder)


def _text(file: int, path: Path, limit: int) -> bytes:
    """All that is in an open file."""
    pieces: list[bytes] = []
    length = 0
    while piece := os.pread(file, min(_PIECE, limit + 1 - length), length):
        pieces.append(piece)
        length += len(piece)
    text = b"".join(pieces)
    _refuse_beyond(limit, text, path)
    return text


def _refuse_beyond(limit: int, text: bytes, path: Path) -> None:
    """Refuses a text that is too large."""
    if len(text) > limit:
        raise HostsFileRefused(path, f"larger than {limit} bytes, which no hosts file should be; shorten it")


def _refuse_unsafe(status: os.stat_result, path: Path) -> None:
    """Refuses an open file that is not what a hosts file is."""
    if not stat.S_ISREG(status.st_mode):
        raise HostsFileRefused(path, "not a regular file; put a regular file in its place")
    if status.st_nlink > 1:
        raise HostsFileRefused(path, f"has {status.st_nlink} hard links, and is perhaps another file; make it a copy")


def _translated(error: OSError, path: Path) -> HostsFileError:
    """The error in our own terms, with what to do about it."""
    what = os.strerror(error.errno) if error.errno else str(error)
    kind: type[HostsFileError]
    match error.errno:
        case errno.ENOENT:
            kind, message = HostsFileMissing, "not there; nothing to do if its container is gone"
        case errno.ELOOP | errno.ENOTDIR | errno.EISDIR | errno.ENXIO | errno.ENODEV:
            kind, message = (
                HostsFileRefused,
                f"it or its directory is a link or no file ({what}); put a real file there",
            )
        case errno.EACCES | errno.EPERM:
            remedy = "run hostwatch as root, and look for an immutable file (lsattr) or a security policy"
            kind, message = HostsFileDenied, f"uid {os.geteuid()} may not ({what}); {remedy}"
        case errno.EROFS:
            remedy = "mount it read-write (without `ro`) where hostwatch runs"
            kind, message = HostsFileDenied, f"uid {os.geteuid()} cannot write, its file system is read-only; {remedy}"
        case number if number in _BUSY:
            kind, message = HostsFileBusy, f"somebody keeps it to himself ({what}); it will be tried again"
        case errno.ENOSPC | errno.EDQUOT:
            kind, message = HostsFileFailed, f"no room ({what}); make room on its file system, it will be tried again"
        case number if number in OUT_OF_FILES:
            limit = "the limit of open files (LimitNOFILE, --ulimit nofile; sysctl fs.file-max)"
            kind, message = HostsFileFailed, f"{what}; raise {limit}, it will be tried again"
        case _:
            kind, message = HostsFileFailed, f"{what}; look at its file system, it will be tried again"
    return kind(path, message)
