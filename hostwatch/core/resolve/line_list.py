"""Thousands of lines in order, in parts of which a change touches one."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from hostwatch.core.block.records import Record
from hostwatch.core.mentions import given_by
from hostwatch.core.names import folded
from hostwatch.core.resolve.lookup import Group
from hostwatch.core.resolve.outcome import Outcome, Published
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

    @property
    def words(self) -> frozenset[str]:
        """The names in its text, folded, whether it gives them or not: another line of the file may have that text."""
        return self.names or frozenset(map(folded, given_by(self.outcome.line)))

    def without(self, taken: AbstractSet[str]) -> Outcome | None:
        """The outcome without the names that are taken; `None` if nothing is left."""
        if self.names.isdisjoint(taken):
            return self.outcome
        if self.names <= taken or not isinstance(self.outcome, Published):
            return None if self.names <= taken else self.outcome
        found = self.outcome
        records = (
            Record(record.address, tuple(name for name in record.names if folded(name) not in taken))
            for record in found.records
        )
        return Published(found.line, tuple(records), found.origins, of_all=True, source=found.source)


@dataclass(slots=True)
class Stretch:
    """Some lines, one after the other, which are one part of a file."""

    lines: list[Line]
    part: Part | None = None
    """The part; `None` until it is made."""
    names: frozenset[str] = frozenset()
    """The names in the lines of the part, folded."""

    def make(self) -> None:
        """Make the part."""
        self.part = part_of(line.outcome for line in self.lines)
        self.names = frozenset[str]().union(*[line.words for line in self.lines])

    def without(self, taken: AbstractSet[str]) -> Iterator[Outcome]:
        """The outcomes of the lines without the names that are taken."""
        return (outcome for line in self.lines if (outcome := line.without(taken)) is not None)


class LineList:
    """Lines in the order of their first names."""

    def __init__(self) -> None:
        self._stretches: list[Stretch] = []
        self._stale: dict[int, Stretch] = {}
        """Those whose part is to be made, by their identities."""
        self._lines: dict[Group, Line] = {}

    def __iter__(self) -> Iterator[Stretch]:
        return iter(self._stretches)

    def is_part_made(self) -> bool:
        """Make one part that is to be made; returns whether there was one."""
        if not self._stale:
            return False
        _, stretch = self._stale.popitem()
        stretch.make()
        return True

    def put(self, line: Line) -> None:
        """Add a line, or put it in the place of the earlier one of its group, which has the same first name."""
        before = self._lines.get(line.group)
        if before == line:
            return
        self._lines[line.group] = line
        if not self._stretches:
            self._stretches.append(Stretch([line]))
            self._touch(self._stretches[0])
            return
        index, place = self._found(line.first)
        stretch = self._stretches[index]
        stretch.lines[place : place + (before is not None)] = [line]
        if len(stretch.lines) > _MOST:
            stretch.lines, rest = stretch.lines[: _MOST // 2], Stretch(stretch.lines[_MOST // 2 :])
            self._stretches.insert(index + 1, rest)
            self._touch(rest)
        self._touch(stretch)

    def remove(self, group: Group) -> None:
        """Remove the line of a group, if it has one."""
        line = self._lines.pop(group, None)
        if line is None:
            return
        index, place = self._found(line.first)
        stretch = self._stretches[index]
        del stretch.lines[place]
        if stretch.lines:
            self._touch(stretch)
        else:
            del self._stretches[index]
            self._stale.pop(id(stretch), None)

    def _found(self, first: str) -> tuple[int, int]:
        """The index of the stretch for a first name, and the place in it."""
        index = max(bisect_right(self._stretches, first, key=lambda stretch: stretch.lines[0].first) - 1, 0)
        return index, bisect_left(self._stretches[index].lines, first, key=lambda line: line.first)

    def _touch(self, stretch: Stretch) -> None:
        stretch.part = None
        self._stale[id(stretch)] = stretch
