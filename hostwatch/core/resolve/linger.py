"""Applies time to the outcomes of lines: a line that is gone lingers for a moment, an unknown one stays as it is.

| outcome | an earlier record whose address another container has now | other earlier records |
| --- | --- | --- |
| published | replaced by the new records | replaced by the new records |
| gone | withheld at once | stay until `linger` has passed, unless one of their names has another record now |
| unknown | withheld at once | stay |
| refused | withheld at once | withheld at once |

While another container has such an address, the reason for which the line is withheld names that container.
"""

import dataclasses
from collections import ChainMap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import assert_never

from hostwatch.core.block.records import Block, Portion, Record, Withheld, portion_of
from hostwatch.core.model import AddressOrWords, ContainerKey
from hostwatch.core.names import folded
from hostwatch.core.resolve.outcome import Gone, Last, Memory, Origin, Outcome, Published, Refused, Unknown
from hostwatch.core.resolve.parts import Part, part_of
from hostwatch.core.resolve.remote_reach import Elsewhere

MOST_LOST = 4
"""A reason names the new owners of at most this many lost addresses."""


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired state of a hosts file at one moment."""

    block: Block
    memory: Memory
    kept: frozenset[AddressOrWords]
    """Addresses of records that nothing confirms, and lost ones. If one changes hands, the file is decided anew."""
    again_at: float | None
    """When the first lingering line ends (monotonic seconds); `None` if none lingers."""


Holders = Callable[[AddressOrWords, Origin], frozenset[ContainerKey]]
"""The containers that have an address now, on the network of its origin, or on any if that is not known."""
Called = Callable[[frozenset[ContainerKey]], str]
"""The names of containers, for people; empty if the subscriber may not know them."""


@dataclass(frozen=True, slots=True)
class Others:
    """Look-ups of the other containers, which may have an earlier record's address now."""

    holders: Holders
    called: Called
    unheard: Elsewhere | None = None
    """The addresses that may be those of other hosts, of which nothing has been heard yet; `None`: there are none."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The outcomes of a file's lines now."""

    parts: tuple[Part, ...]
    asks_for_all: bool = False
    """Whether a request is for every name (`services: "*"`). Then a line of it that has no outcome any more is gone."""

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The outcomes of all lines."""
        return tuple(chain.from_iterable([part.outcomes for part in self.parts]))

    @property
    def is_timeless(self) -> bool:
        """Whether the desired block depends neither on time nor on what was published before."""
        return not self.asks_for_all and all(part.settled is not None for part in self.parts)


def after_linger(resolved: Resolved, memory: Memory, now: float, linger: float, others: Others) -> Desired:
    """The desired block for these outcomes at `now`."""
    vanished = _vanished(resolved, memory, others.unheard)
    parts = (*resolved.parts, part_of(vanished)) if vanished else resolved.parts
    aging = _Aging(parts, memory, now, linger, others)
    for part in parts:
        aging.add(part)
    return aging.desired()


class _Aging:
    """Applies time to the parts of a file, one after the other."""

    def __init__(self, parts: Sequence[Part], memory: Memory, now: float, linger: float, others: Others) -> None:
        self._parts = parts
        self._memory = memory
        self._now, self._linger = now, linger
        self._others = others
        self._lines: list[dict[str, Published | Last]] = []
        """The records of each line, for each part."""
        self._portions: list[Portion] = []
        self._withheld: list[Withheld] = []
        self._lasting: list[Last] = []
        """The records that nothing confirms."""
        self._ends: list[float] = []

    def add(self, part: Part) -> None:
        """Add what a part has in the block."""
        if (settled := part.settled) is not None:
            self._lines.append(part.published)
            self._portions.append(settled.portion)
            self._withheld += settled.withheld
            return
        lines: dict[str, Published | Last] = {}
        for outcome in part.outcomes:
            last = self._whole(outcome) if isinstance(outcome, Published) else self._aged(outcome)
            if last is not None:
                lines[outcome.line] = last
        self._lines.append(lines)
        self._portions.append(portion_of(_merged(lines.values())))

    def _aged(self, outcome: Gone | Refused | Unknown) -> Last | None:
        """The records that stay of a line that is not published."""
        last = _last(outcome, _remembered(self._memory.get(outcome.line)), self._now, self._others.holders)
        if isinstance(outcome, Gone):
            last = _lingering(last, self._now, self._linger, self._is_bound)
            if last is not None and last.records and last.gone_since is not None:
                self._ends.append(last.gone_since + self._linger)
        elif isinstance(outcome, Unknown) and last is not None and last.of_all:
            last = _kept(last, lambda record, _: not any(map(self._is_bound, record.claims)))
        if last is not None:
            self._lasting.append(last)
        is_said = bool(outcome.reason)  # not of a vanished line
        if is_said and (last is None or not last.records):
            self._withheld.append(Withheld(outcome.line, outcome.reason + _new_owners(last or _NOTHING, self._others)))
        return last

    def _whole(self, outcome: Published) -> Published:
        """With the earlier records that other hosts may still have, if some have not been heard yet."""
        before = _remembered(self._memory.get(outcome.line)) if outcome.is_partial else None
        last = _without_lost(before, self._others.holders, is_known=False)
        if last is None or self._others.unheard is None:
            return outcome
        now = {record.address for record in outcome.records}
        last = _kept(last, lambda record, origin: record.address not in now and self._is_unheard(record, origin))
        if last is None or not last.records:
            return outcome
        self._lasting.append(last)
        records, origins = (*outcome.records, *last.records), (*outcome.origins, *last.origins)
        return dataclasses.replace(outcome, records=records, origins=origins)

    def _is_unheard(self, record: Record, origin: Origin) -> bool:
        unheard = self._others.unheard
        return unheard is not None and _may_be_elsewhere(origin) and unheard.has(record.address)

    def _is_bound(self, name: str) -> bool:
        """Whether the name is published."""
        return any(folded(name) in part.names for part in self._parts)

    def desired(self) -> Desired:
        """The desired block, with all that was added."""
        kept = {record.address for last in self._lasting for record in last.records}
        kept.update(address for last in self._lasting for address, _ in last.lost)
        portions, withheld = tuple(self._portions), tuple(self._withheld)
        block = Block(tuple(chain.from_iterable([portion.records for portion in portions])), withheld, 0, portions)
        if len(portions) > 1 and self._are_shared():
            block = Block(_merged(last for lines in self._lines for last in lines.values()), withheld)
        memory = self._lines[0] if len(self._lines) == 1 else ChainMap(*self._lines)
        return Desired(block, memory, frozenset(kept), min(self._ends, default=None))

    def _are_shared(self) -> bool:
        """Whether a name of a record that nothing confirms may be in another part, too."""
        names = [{folded(name) for record in last.records for name in record.claims} for last in self._lasting]
        return sum(map(len, names)) > len(set().union(*names)) or any(map(self._is_bound, chain.from_iterable(names)))


_NOTHING = Last((), ())


def _new_owners(last: Last, others: Others) -> str:
    """The new owners of a line's lost addresses, as an addition to the reason."""
    holders = ((address, others.holders(address, origin) - {origin.container}) for address, origin in last.lost)
    owners = ((address, others.called(keys)) for address, keys in holders)
    return "".join(f"; its last address {address} is {owner}'s now" for address, owner in owners if owner)


def _may_be_elsewhere(origin: Origin) -> bool:
    """Whether a record may be of another host: it was, or an earlier run wrote it."""
    return origin.container is None or origin.remote is not None


def _vanished(resolved: Resolved, memory: Memory, unheard: Elsewhere | None) -> list[Gone | Unknown]:
    """The lines that `services: "*"` published and that have no outcome any more. Equal parts are left out at once.

    Those that may come from other hosts are unknown until these have been heard.
    """
    if not resolved.asks_for_all:
        return []
    before = memory.maps if isinstance(memory, ChainMap) else [memory]
    old, new = {*map(id, before)}, {id(part.published) for part in resolved.parts}
    there = {o.line for part in resolved.parts if id(part.published) not in old for o in part.outcomes}
    gone = (item for lines in before if id(lines) not in new for item in lines.items())
    found = [(line, last) for line, last in gone if last.of_all and line not in there]
    is_open = unheard is not None
    return [(Unknown if is_open and all(map(_may_be_elsewhere, o.origins)) else Gone)(line, "") for line, o in found]


def _remembered(last: Published | Last | None) -> Last | None:
    if isinstance(last, Published):
        return Last(last.records, last.origins, of_all=last.of_all, source=last.source)
    return last


def _last(outcome: Gone | Refused | Unknown, last: Last | None, now: float, holders: Holders) -> Last | None:
    """The line's records that may stay and its lost addresses; `None` if it has neither."""
    match outcome:
        case Refused():
            return None
        case Gone():
            last = _without_lost(last, holders, is_known=True)
            return dataclasses.replace(last, gone_since=now) if last is not None and last.gone_since is None else last
        case Unknown():
            return _without_lost(last, holders, is_known=False)
        case _:
            assert_never(outcome)


def _without_lost(last: Last | None, holders: Holders, is_known: bool) -> Last | None:
    """The last records without those whose address another container has now. Their addresses are noted as lost.

    If the line's outcome is unknown (`is_known` is false), a record that an earlier run wrote stays: its container is
    not known, and may be the one that has the address now.
    """
    if last is None:
        return None

    def is_lost(address: AddressOrWords, origin: Origin) -> bool:
        return bool(holders(address, origin) - {origin.container})

    def stays(record: Record, origin: Origin) -> bool:
        return (origin.container is None and not is_known) or not is_lost(record.address, origin)

    lost = dict.fromkeys(place for place in last.lost if is_lost(*place))
    for record, origin in zip(last.records, last.origins, strict=True):
        if not stays(record, origin) and len(lost) < MOST_LOST:
            lost[record.address, origin] = None
    # Lines of `services: "*"` note no lost addresses: they have no reason to name them in, and would never be dropped.
    noted = () if last.of_all else tuple(lost)
    return _kept(last if noted == last.lost else dataclasses.replace(last, lost=noted), stays)


def _lingering(last: Last | None, now: float, linger: float, is_bound: Callable[[str], bool]) -> Last | None:
    """The records that stay of a line that is gone: those without a name that is published, until `linger` is over."""
    if last is None:
        return None
    is_over = last.gone_since is None or now >= last.gone_since + linger
    return _kept(last, lambda record, _: not is_over and not any(map(is_bound, record.claims)))


def _kept(last: Last, stays: Callable[[Record, Origin], bool]) -> Last | None:
    """`last` with only the records that stay; `None` if nothing is left."""
    kept = [pair for pair in zip(last.records, last.origins, strict=True) if stays(*pair)]
    if not kept and not last.lost:
        return None
    if len(kept) == len(last.records):
        return last
    return dataclasses.replace(last, records=tuple(r for r, _ in kept), origins=tuple(origin for _, origin in kept))


def _merged(lines: Iterable[Published | Last]) -> tuple[Record, ...]:
    """The records without repetitions: each pair of a name and an address occurs once."""
    given: dict[str, tuple[AddressOrWords, ...]] = {}
    merged: list[Record] = []
    for record in chain.from_iterable([line.records for line in lines]):
        names = record.names
        if any(folded(name) in given for name in names):
            names = tuple(name for name in names if record.address not in given.get(folded(name), ()))
        for name in names:
            given[folded(name)] = (*given.get(folded(name), ()), record.address)
        if names:
            merged.append(record if names is record.names else dataclasses.replace(record, names=names))
    return tuple(merged)
