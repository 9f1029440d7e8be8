"""Hosts files on disk: read, and changed in place.

Synchronous. `read` and `update` may wait for another process that has the file, so a worker thread calls them. The
functions named `…_at_once` never wait, so the event loop calls them; they give up instead.

The engine is the other writer. It truncates the file and writes it anew, without a lock. A change is therefore made
under a write lease (`hosts.lease`), which keeps out the engine and all readers. Without a lease, only the order of the
steps protects readers (`core.block.edit`), and one race with the engine is left: it may truncate the file in the
microseconds between the last look and the write. Bytes that land behind the new text's end are recognised by the NULs
before them, and cut off. Bytes that land within the new text look like a foreign edit, and stay until the engine writes
the file again.

A SIGKILL between two steps leaves whole lines, and perhaps blank ones at the end. The next update repairs all but the
blank lines, which look like a user's own and stay until the engine writes the file again.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from hostwatch.control.writers import FileUpdate
from hostwatch.core.block.edit import Step, Write, steps
from hostwatch.core.block.hostsfile import LIMIT, Edited
from hostwatch.hosts.lease import given_back, lease, taken
from hostwatch.hosts.opening import (
    OUT_OF_FILES,
    HostsFileBusy,
    HostsFileDenied,
    HostsFileError,
    HostsFileFailed,
    HostsFileMissing,
    HostsFileRefused,
    Opened,
    Opener,
    open_beneath,
    refuse_beyond,
    short_text_of,
    text_of,
)
from hostwatch.hosts.rewriting import carried_out, mended

__all__ = [
    "OUT_OF_FILES",
    "HostsFileBusy",
    "HostsFileDenied",
    "HostsFileError",
    "HostsFileFailed",
    "HostsFileMissing",
    "HostsFileRefused",
    "read",
    "read_at_once",
    "replaced_at_once",
    "says_at_once",
    "try_to_open",
    "update",
    "update_at_once",
]

T = TypeVar("T")

_PATIENCE_SECONDS = 0.02
"""Time to try for a lease if lines come, go or move. Without one, about 500 of a million reads by a process that only
opens and reads would see such a write half done."""
_PATIENCE_SAFE_SECONDS = 0.001
"""The same for steps that are safe without a lease."""
_SMALL = 16
"""Bytes that one write can change in place without a reader seeing it half done, as tried in millions of reads. An
address fits."""
_ROUNDS = 3
_ROUND_PAUSE_SECONDS = 0.001
"""Before the next round after a foreign write. The engine's truncation and its write are some 20 µs apart."""


def read(path: Path, limit: int = LIMIT) -> bytes:
    """The text of a file. Neither it nor its directory may be a symbolic link."""
    with Opened(path, os.O_RDONLY) as file:
        return text_of(file, path, limit)


def try_to_open(path: Path) -> None:
    """Opens the file for writing, and closes it. Raises the errors of `update`."""
    with Opened(path, os.O_RDWR):
        pass


def update(path: Path, change: Callable[[bytes], bytes], limit: int = LIMIT) -> FileUpdate:
    """Replaces the file's text by `change(text)`, in place: inode, owner, mode and labels stay.

    `change` is called again if another process writes at the same time. If it changes nothing, the file is not opened
    for writing: closing it would wake all processes that watch it, including this one.
    """
    before = read(path, limit)
    after = change(before)
    if after == before:
        return FileUpdate(before, before)
    with Opened(path, os.O_RDWR) as file:
        return _updated(file, path, change, FileUpdate(before, after), limit)


def read_at_once(path: Path) -> bytes | None:
    """The text of a file that was written or read just now; `None` if `read` might wait.

    The text is short, and no other process has the file open, so that no long write blocks the caller.
    """
    return _at_once(path, open_beneath, os.O_RDONLY, short_text_of)


def is_missing(path: Path) -> bool:
    """Whether the file is not there, but its directory is; false if that cannot be found out. Never waits."""
    try:
        os.close(open_beneath(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC))
    except FileNotFoundError:
        with suppress(OSError):
            os.close(os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            return True
    except OSError:
        pass
    return False


def update_at_once(path: Path, change: Callable[[bytes], bytes]) -> FileUpdate | None:
    """Does what `update` does to a file that was written or read just now; `None`, and no write, if it might wait."""
    before = read_at_once(path)
    if before is None:
        return None
    after = change(before)
    if after != before and not replaced_at_once(path, before, Edited(after, steps(before, after))):
        return None
    return FileUpdate(before, after)


def says_at_once(path: Path, text: bytes) -> bool:
    """Whether a file that was read or written before has exactly this text; false if the answer might take time."""
    return bool(_at_once(path, os.open, os.O_RDONLY, lambda file: os.pread(file, len(text) + 1, 0) == text))


def replaced_at_once(path: Path, before: bytes, edited: Edited) -> bool:
    """Replaces one text by another; returns whether the file had the first, and nothing had to wait.

    The file was read or written before. Its directory is not checked again, which would take as long as the write.
    """
    after = edited.text
    if len(after) > LIMIT:
        return False
    update = FileUpdate(before, after)

    def put(file: int) -> bool:
        # No look afterwards: a lease that is still there then proves that no other process has had the file.
        return os.pread(file, len(before) + 1, 0) == before and carried_out(file, edited.steps, update)

    return bool(_at_once(path, os.open, os.O_RDWR, put, after))


def _at_once(path: Path, opener: Opener, access: int, work: Callable[[int], T | None], ours: bytes = b"") -> T | None:
    """The result of the work under a lease; `None` if another process has the file open, or may have had it meanwhile.

    `ours` is the text that the work may have put into the file; none of it is left in a foreign text.
    """
    try:
        with Opened(path, access, opener) as file:
            if not taken(file):
                return None
            try:
                found = work(file)
            finally:
                is_kept = given_back(file)
            if is_kept:
                return found
            _cut_off(file, ours)
    except HostsFileBusy:
        pass
    return None


def _cut_off(file: int, ours: bytes) -> None:
    """Cuts off what we wrote behind the end of a foreign text. NULs of that text itself stay."""
    text = os.pread(file, LIMIT + 1, 0)
    if b"\0" not in ours and (right := mended(text, ours)) != text:
        os.ftruncate(file, len(right))


def _updated(file: int, path: Path, change: Callable[[bytes], bytes], update: FileUpdate, limit: int) -> FileUpdate:
    """Makes the update, or applies `change` to the text that another process wrote in the meantime."""
    first = update.before
    has_foreign_nul = b"\0" in first
    base, ours = first, b""
    for _ in range(_ROUNDS):
        refuse_beyond(limit, update.after, path)
        todo = steps(update.before, update.after)
        with lease(file, _patience_seconds(todo, len(update.before))) as alone:
            # An empty file that another process has open: the engine is about to write it.
            if (alone or base) and text_of(file, path, limit) == update.before:
                ours = update.after
                if carried_out(file, todo, update) and text_of(file, path, limit) == ours:
                    return FileUpdate(first, ours)
        if not alone:
            time.sleep(_ROUND_PAUSE_SECONDS)
        text = text_of(file, path, limit)
        base = text if has_foreign_nul else mended(text, ours)
        update = FileUpdate(text, change(base))
        if update.after == text:
            return FileUpdate(first, text)
    raise HostsFileBusy(path, "another process keeps writing to it; it will be tried again")


def _patience_seconds(todo: tuple[Step, ...], size: int) -> float:
    """The time to try for the lease. An address that changes in place is safe to read without one, a shift is not.

    An appended block is safe, too: no reader sees it before the file has grown. A starting container gets such a block,
    and its first instruction does not wait for a lease.
    """
    safe = all(isinstance(step, Write) and _is_safe(step, size) for step in todo)
    return _PATIENCE_SAFE_SECONDS if safe else _PATIENCE_SECONDS


def _is_safe(step: Write, size: int) -> bool:
    """Whether readers of a file of this size see the write whole or not at all, as tests have shown."""
    return step.offset == size or (len(step.data) <= _SMALL and step.offset + len(step.data) <= size)
