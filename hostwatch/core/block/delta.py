"""The lines that two blocks do not have in common, with their places: one block can be rebuilt from the other.

A delta of two long blocks is short if they have most portions in common, so that many can be kept.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hostwatch.core.block.records import Block, Record, Withheld

T = TypeVar("T", bound=Hashable)

_MOST_ALIGNED = 500
"""Lines that are aligned one by one, which takes a millisecond. Longer stretches without a common portion are exchanged
as a whole."""


@dataclass(frozen=True, slots=True)
class Hunk(Generic[T]):
    """Some lines that took the place of others."""

    place: int
    """The number of lines before the older ones, in the older block."""
    old: tuple[T, ...]
    new: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """The differences between two blocks, from the first line to the last."""

    records: tuple[Hunk[Record], ...] = ()
    withheld: tuple[Hunk[Withheld], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.records or self.withheld)

    @property
    def size(self) -> int:
        """The number of lines in it."""
        return sum(map(_size, self.records)) + sum(map(_size, self.withheld))

    def undone(self, after: Block) -> Block:
        """The older block, of the newer one."""
        return Block(_undone(self.records, after.records), _undone(self.withheld, after.withheld))


NOTHING = Delta()
"""No difference."""


def delta(before: Block, after: Block) -> Delta:
    """The differences between two blocks."""
    if before is after:
        return NOTHING
    withheld = hunks(before.withheld, after.withheld) if before.withheld is not after.withheld else ()
    return Delta(tuple(_record_hunks(before, after)), tuple(withheld))


def _size(hunk: Hunk[T]) -> int:
    return len(hunk.old) + len(hunk.new)


def hunks(before: Sequence[T], after: Sequence[T], place: int = 0) -> Iterator[Hunk[T]]:
    """The differences between two sequences; `place` is that of the older one in a longer sequence."""
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    if not (old or new):
        return
    is_one = len(old) == len(new) == 1  # as most often, and there is nothing to align
    if is_one or max(len(old), len(new)) > _MOST_ALIGNED:
        yield Hunk(place + head, tuple(old), tuple(new))
        return
    for old_span, new_span in _gaps(old, new):
        yield Hunk(place + head + old_span.start, tuple(old[old_span]), tuple(new[new_span]))


def _record_hunks(before: Block, after: Block) -> Iterator[Hunk[Record]]:
    """The hunks of the records. Portions that both blocks have are not looked into."""
    if not (before.portions and after.portions):
        yield from hunks(before.records, after.records)
        return
    starts = [0]
    for portion in before.portions:
        starts.append(starts[-1] + len(portion.records))
    for old_span, new_span in _gaps([*map(id, before.portions)], [*map(id, after.portions)]):
        old = [record for portion in before.portions[old_span] for record in portion.records]
        new = [record for portion in after.portions[new_span] for record in portion.records]
        yield from hunks(old, new, starts[old_span.start])


def _common(before: Sequence[T], after: Sequence[T]) -> int:
    """How many items both begin with."""
    for count, (old, new) in enumerate(zip(before, after, strict=False)):
        if old is not new and old != new:
            return count
    return min(len(before), len(after))


def _gaps(before: Sequence[Hashable], after: Sequence[Hashable]) -> Iterator[tuple[slice, slice]]:
    """The stretches between the items that both have in the same order, as many of these as there can be."""
    at_old = at_new = 0
    for old, new in [*_aligned(before, after), (len(before), len(after))]:
        if old > at_old or new > at_new:
            yield slice(at_old, old), slice(at_new, new)
        at_old, at_new = old + 1, new + 1


def _aligned(before: Sequence[Hashable], after: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The places of common items, increasing in both: the longest increasing subsequence, by patience sorting."""
    places: dict[Hashable, list[int]] = {}
    for place in range(len(before) - 1, -1, -1):
        places.setdefault(before[place], []).append(place)
    tails: list[int] = []
    """For each length, the lowest old place with which a subsequence of this length ends."""
    ends: list[_Link] = []
    for new, item in enumerate(after):
        if not places.get(item):
            continue
        old = places[item].pop()
        length = bisect_left(tails, old)
        link = _Link(old, new, ends[length - 1] if length else None)
        tails[length : length + 1] = [old]
        ends[length : length + 1] = [link]
    found, last = [], ends[-1] if ends else None
    while last is not None:
        found.append((last.old, last.new))
        last = last.before
    return found[::-1]


@dataclass(frozen=True, slots=True)
class _Link:
    """An item of a subsequence."""

    old: int
    new: int
    before: "_Link | None"


def _undone(found: Sequence[Hunk[T]], after: Sequence[T]) -> tuple[T, ...]:
    rebuilt: list[T] = []
    taken = shift = 0
    for hunk in found:
        start = hunk.place + shift
        rebuilt += after[taken:start]
        rebuilt += hunk.old
        taken = start + len(hunk.new)
        shift += len(hunk.new) - len(hunk.old)
    return (*rebuilt, *after[taken:])
