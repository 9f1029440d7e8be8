"""Thousands of lines in order, in parts of which a change touches one."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hostwatch.core.resolve.lookup import Group
from hostwatch.core.resolve.outcome import Outcome
from hostwatch.core.resolve.parts import Part, part_of

_MOST = 48
"""The lines of a part. A part takes some microseconds a line to be made anew, and each part one when it is joined."""


class Line(NamedTuple):
    """The line of a service, or of a name without a service."""

    group: Group
    first: str
    """The first of its names, by which lines are in order. No two lines have it in common."""
    names: frozenset[str]
    """The names that it gives, folded; empty without a service."""
    outcome: Outcome


@dataclass(slots=True)
class _Chunk:
    lines: list[Line]
    part: Part | None = None
    """The part with these lines; `None` until it is made."""


class LineList:
    """Lines in the order of their first names."""

    def __init__(self) -> None:
        self._chunks: list[_Chunk] = []
        self._stale: dict[int, _Chunk] = {}
        """Those whose part is to be made, by their identities."""
        self._lines: dict[Group, Line] = {}

    def __iter__(self) -> Iterator[Line]:
        return (line for chunk in self._chunks for line in chunk.lines)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of all lines, once each is made."""
        return tuple([chunk.part for chunk in self._chunks if chunk.part is not None])

    def is_part_made(self) -> bool:
        """Make one part that is to be made; returns whether there was one."""
        if not self._stale:
            return False
        _, chunk = self._stale.popitem()
        chunk.part = part_of(line.outcome for line in chunk.lines)
        return True

    def put(self, line: Line) -> None:
        """Add a line, or put it in the place of the earlier one of its group, which has the same first name."""
        before = self._lines.get(line.group)
        if before == line:
            return
        self._lines[line.group] = line
        if not self._chunks:
            self._chunks.append(_Chunk([line]))
            self._touch(self._chunks[0])
            return
        index, place = self._found(line.first)
        chunk = self._chunks[index]
        chunk.lines[place : place + (before is not None)] = [line]
        if len(chunk.lines) > _MOST:
            chunk.lines, rest = chunk.lines[: _MOST // 2], _Chunk(chunk.lines[_MOST // 2 :])
            self._chunks.insert(index + 1, rest)
            self._touch(rest)
        self._touch(chunk)

    def remove(self, group: Group) -> None:
        """Remove the line of a group, if it has one."""
        line = self._lines.pop(group, None)
        if line is None:
            return
        index, place = self._found(line.first)
        chunk = self._chunks[index]
        del chunk.lines[place]
        if chunk.lines:
            self._touch(chunk)
        else:
            del self._chunks[index]
            self._stale.pop(id(chunk), None)

    def _found(self, first: str) -> tuple[int, int]:
        """The index of the chunk for a first name, and the place in it."""
        index = max(bisect_right(self._chunks, first, key=lambda chunk: chunk.lines[0].first) - 1, 0)
        return index, bisect_left(self._chunks[index].lines, first, key=lambda line: line.first)

    def _touch(self, chunk: _Chunk) -> None:
        chunk.part = None
        self._stale[id(chunk)] = chunk
