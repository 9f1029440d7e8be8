"""The steps that change a file's text in place, while other processes read it and may truncate it.

The input is the old and the new text; the output is writes and a truncation. After each step the file consists of whole
lines, each of which is blank or a line of the old or the new text. All lines that both texts share (such as the foreign
ones) are there, in order. The file is never empty unless the new text is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import pairwise

_PIECE = 1 << 16
"""Bytes that are compared in one call, during which no other thread runs."""
_LONG = 1 << 14
"""A difference longer than this, in bytes, is one write: some 400 lines. To look at the lines of it takes some
microseconds each, and hardly any of them stays at its place if a line comes or goes."""


@dataclass(frozen=True, slots=True)
class Write:
    """Put `data` at `offset`, as one `pwrite`."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """Cut the file to `size` bytes."""

    size: int


Step = Write | Truncate


def steps(old: bytes, new: bytes) -> tuple[Step, ...]:
    """The steps that turn `old` into `new`; none if they are the same.

    First the file grows by newlines, which also end an unfinished last line. Then each section that differs is
    overwritten in one write. Last, a surplus, which consists of newlines by then, is cut off. If `new` only adds to the
    end, the addition is one write: the kernel shows the new size after the new bytes, so a reader sees all or none.
    """
    if old and new.startswith(old):
        return (Write(len(old), new[len(old) :]),) if old != new else ()
    length = max(len(old), len(new))
    found: list[Step] = []
    if len(old) < length:
        found.append(Write(len(old), b"\n" * (length - len(old))))
    found.extend(_overwrites(old.ljust(length, b"\n"), new.ljust(length, b"\n"), min(len(old), len(new))))
    if len(new) < length:
        found.append(Truncate(len(new)))
    return tuple(found)


def applied(text: bytes, step: Step) -> bytes:
    """The text after one step, as the kernel does it: bytes between the end and a later offset become NUL."""
    match step:
        case Write(offset, data):
            return text[:offset].ljust(offset, b"\0") + data + text[offset + len(data) :]
        case Truncate(size):
            return text[:size].ljust(size, b"\0")


def size_after(size: int, step: Step) -> int:
    """The size of a text of this size after one step."""
    match step:
        case Write(offset, data):
            return max(size, offset + len(data))
        case Truncate(to):
            return to


def _overwrites(old: bytes, new: bytes, shorter: int) -> Iterator[Write]:
    """The writes that turn `old` into `new` of the same length. The first `shorter` bytes of both are real text."""
    if old == new:
        return
    first, last = _differing(old, new)
    start = old.rfind(b"\n", 0, first) + 1
    end = (old.find(b"\n", last) + 1) or len(old)
    if end - start > _LONG or (b"\n" not in old[start : end - 1] and b"\n" not in new[start : end - 1]):
        yield Write(first, new[first:last])  # all in one line, or too long to look for shared lines
        return
    cuts = (start + cut for cut in _cuts(old[start:end], new[start:end]))
    # Lines that come or go at the end are one write: no cut beyond the shorter text.
    for left, right in pairwise([start, *(cut for cut in cuts if start < cut <= shorter), end]):
        if old[left:right] != new[left:right]:
            first, last = _differing(old[left:right], new[left:right])
            yield Write(left + first, new[left + first : left + last])


def _cuts(old: bytes, new: bytes) -> Iterator[int]:
    """Offsets at which the new text may be followed by the old one between two writes.

    Both texts have a line start there, and the same number of shared lines before it. So a line that only moves,
    because the block before it grew or shrank, is never missing and never there twice.
    """
    old_lines, new_lines = old.split(b"\n"), new.split(b"\n")
    # Not by `frozenset`: no other thread runs while that is made.
    there = {line for line in old_lines if line}
    shared = {line for line in new_lines if line in there}
    if [line for line in old_lines if line in shared] != [line for line in new_lines if line in shared]:
        return  # shared lines changed places: all in one write
    starts = merge(_starts(old_lines, shared), _starts(new_lines, shared))
    yield from (here[0] for here, following in pairwise(starts) if here == following)


def _starts(lines: list[bytes], shared: set[bytes]) -> Iterator[tuple[int, int]]:
    """Each line's offset, with the number of shared lines before it."""
    offset = count = 0
    for line in lines:
        yield offset, count
        offset += len(line) + 1
        count += line in shared


def _differing(old: bytes, new: bytes) -> tuple[int, int]:
    """The first byte and the end of the section in which two different texts of one length differ."""
    first, last = 0, len(old)
    while old[first : first + _PIECE] == new[first : first + _PIECE]:
        first += _PIECE
    while old[max(last - _PIECE, first) : last] == new[max(last - _PIECE, first) : last]:
        last -= _PIECE
    old, new = old[first:last], new[first:last]
    # As two numbers, with the first byte the lowest: a search byte by byte takes ten times as long.
    differing = int.from_bytes(old, "little") ^ int.from_bytes(new, "little")
    lowest = differing & -differing
    return first + (lowest.bit_length() - 1) // 8, first + (differing.bit_length() + 7) // 8
