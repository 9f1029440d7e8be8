"""Carries out the steps of an edit (`core.block.edit`) on an open file, and repairs the two ways in which they fail.

A step may fail, as on a full disk. Then its growth of the file is cut off again. Another process may truncate the file
just before a step, so that the step writes behind the end. This is recognised by the NULs with which the kernel fills
the gap, and cut off again.
"""

import os
from contextlib import suppress
from functools import reduce

from hostwatch.control.writers import FileUpdate
from hostwatch.core.block.edit import Step, Truncate, Write, applied, size_after


def carried_out(file: int, todo: tuple[Step, ...], update: FileUpdate) -> bool:
    """Carries out an edit's steps. False: the file's size was not as expected, and the remaining steps are left out."""
    size = len(update.before)
    for number, step in enumerate(todo):
        if os.fstat(file).st_size != size:
            return False
        try:
            _carry_out(file, step)
        except OSError:
            _take_back_growth(file, reduce(applied, todo[:number], update.before), update)
            raise
        size = size_after(size, step)
    return True


def mended(text: bytes, ours: bytes) -> bytes:
    """The text without bytes of `ours` that landed behind its end, because another process had just truncated it.

    Then there are only NULs, newlines (our growth) and bytes at their places in `ours` from the first NUL on.
    """
    hole = text.find(b"\0")
    if hole < 0 or not ours:
        return text
    tail = zip(text[hole:], ours[hole:].ljust(len(text) - hole, b"\n"), strict=False)
    return text[:hole] if all(byte in (0, 10, own) for byte, own in tail) else text


def _carry_out(file: int, step: Step) -> None:
    match step:
        case Write(offset, data):
            while data:
                written = os.pwrite(file, data, offset)
                offset, data = offset + written, data[written:]
        case Truncate(size):
            os.ftruncate(file, size)


def _take_back_growth(file: int, text: bytes, update: FileUpdate) -> None:
    """Cuts off the newlines of an edit that failed (a full disk), or each new try would add blank lines.

    `text` is the file's text, without a growth that was carried out in part.
    """
    with suppress(OSError):
        found = os.pread(file, max(len(update.before), len(update.after)) + 1, 0)
        grown = found[len(text) :]
        if found.startswith(text) and (not grown.strip(b"\n") or update.after.startswith(found)):
            ends = max(_newlines(update.before), _newlines(update.after))
            os.ftruncate(file, len(text) - max(_newlines(text) - ends, 0))


def _newlines(text: bytes) -> int:
    """The number of newlines at the text's end."""
    return len(text) - len(text.rstrip(b"\n"))
