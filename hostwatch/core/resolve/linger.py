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
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import Address, ContainerKey
from hostwatch.core.names import folded
from hostwatch.core.resolve.outcome import Gone, Origin, Outcome, Published, Refused, Unknown


@dataclass(frozen=True, slots=True)
class Last:
    """The last records of a line."""

    records: tuple[Record, ...]
    origins: tuple[Origin, ...]
    """The origin of each record."""
    gone_since: float | None = None
    """The time since which the line is gone (monotonic seconds)."""
    of_all: bool = False
    """Whether the line comes from `services: "*"` alone, so that it has no outcome when its service is gone."""
    lost: tuple[tuple[Address, Origin], ...] = ()
    """The addresses of records that are withheld because another container has them now."""


Memory = Mapping[str, Last]
"""The last records of each line of one hosts file."""


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired state of a hosts file at one moment."""

    block: Block
    memory: Memory
    kept: frozenset[Address]
    """Addresses of records that nothing confirms, and lost ones. If one changes hands, the file is decided anew."""
    again_at: float | None
    """When the first lingering line ends (monotonic seconds); `None` if none lingers."""


def memory_of(found: Iterable[Outcome], block: Block) -> Memory:
    """The memory that follows from a block in a file, which an earlier run left there.

    A container may write its file and choose its labels, so the work is limited: literal names are looked up, and names
    with a reference are compared with the records' names only if there are not too many of both.
    """
    lines = tuple(outcome.line for outcome in found)
    known = frozenset(lines)
    places: dict[str, list[int]] = {}
    for place, record in enumerate(block.records):
        for name in record.names:
            places.setdefault(name, []).append(place)
    tries = len(places) * sum(_REFERENCE.search(field) is not None for line in lines for field in _names_of(line))
    memory: dict[str, Last] = {}
    for line in lines:
        mine = {place for field in _names_of(line) for place in _places(field, places, tries <= _MOST_TRIED)}
        if mine:
            records = tuple(block.records[place] for place in sorted(mine))
            memory[line] = Last(records, (Origin(),) * len(records))
    for withheld in block.withheld:
        if withheld.line in known and (lost := _lost_by(withheld.reason)):
            before = memory.get(withheld.line, Last((), ()))
            memory[withheld.line] = dataclasses.replace(before, lost=lost)
    return memory


def _lost_by(reason: str) -> tuple[tuple[Address, Origin], ...]:
    """The lost addresses that are named in the reason for which a line is withheld."""
    lost: list[tuple[Address, Origin]] = []
    for text in _LOST.findall(reason)[:_MOST_LOST]:
        with suppress(ValueError):
            lost.append((ipaddress.ip_address(text), Origin()))
    return tuple(lost)


_LOST = re.compile(r"; its last address ([0-9a-f.:]{1,45}) is ")
_MOST_LOST = 4
"""A reason names the new owners of at most this many lost addresses."""

_MOST_TRIED = 50_000
"""At most this many comparisons of a name with a field with references: some 200 of each, in some 10 ms."""
_REFERENCE = re.compile(r"@\{[^{}]*\}")
_NAME_PART = "[A-Za-z0-9_.-]+"


def _places(field: str, places: Mapping[str, Iterable[int]], is_tried: bool) -> Iterator[int]:
    """The places of the records with a name that this field of a line may have given."""
    if _REFERENCE.search(field) is None:
        yield from places.get(field, ())
    elif is_tried:
        given = _name_pattern(field)
        for name in filter(given.fullmatch, places):
            yield from places[name]


def _names_of(line: str) -> list[str]:
    return line.split()[1:]


def _name_pattern(field: str) -> re.Pattern[str]:
    """A pattern for the names that a field with references may have given.

    Its groups are atomic, so that a match takes linear time for any name. They may be: a reference may have any value,
    so the first place where a literal stands is as good as any later one.
    """
    first, *literals, last = map(re.escape, _REFERENCE.split(field))
    middle = (f"(?>{_NAME_PART}?{literal})" for literal in literals)
    return re.compile(f"{first}{''.join(middle)}{_NAME_PART}{last}")


Holders = Callable[[Address, Origin], frozenset[ContainerKey]]
"""The containers that have an address now, on the network of its origin, or on any if that is not known."""
Called = Callable[[frozenset[ContainerKey]], str]
"""The names of containers, for people; empty if the subscriber may not know them."""


@dataclass(frozen=True, slots=True)
class Others:
    """Look-ups of the other containers, which may have an earlier record's address now."""

    holders: Holders
    called: Called


@dataclass(frozen=True, slots=True)
class Resolved:
    """The outcomes of a file's lines now."""

    outcomes: tuple[Outcome, ...]
    asks_for_all: bool = False
    """Whether a request is for every name (`services: "*"`). Then a line of it that has no outcome any more is gone."""

    @property
    def is_timeless(self) -> bool:
        """Whether the desired block depends neither on time nor on what was published before."""
        return not self.asks_for_all and all(isinstance(outcome, Published) for outcome in self.outcomes)


def after_linger(resolved: Resolved, memory: Memory, now: float, linger: float, others: Others) -> Desired:
    """The desired block for these outcomes at `now`."""
    outcomes, holders = resolved.outcomes, others.holders
    vanished = _vanished(resolved, memory)
    lingers = vanished or any(isinstance(outcome, Gone) for outcome in outcomes)
    bound = _bound(outcomes) if lingers else frozenset[str]()
    lasting: dict[str, Last] = {}
    kept: set[Address] = set()
    ends: list[float] = []
    for outcome in (*outcomes, *vanished):
        last = _last(outcome, memory.get(outcome.line), now, holders)
        if isinstance(outcome, Gone):
            last = _lingering(last, now, linger, bound)
        if last is None:
            continue
        lasting[outcome.line] = last
        if not isinstance(outcome, Published):
            kept.update(record.address for record in last.records)
            kept.update(address for address, _ in last.lost)
        if isinstance(outcome, Gone) and last.records and last.gone_since is not None:
            ends.append(last.gone_since + linger)
    records = _merged(record for last in lasting.values() for record in last.records)
    withheld = (
        Withheld(outcome.line, outcome.reason + _new_owners(lasting.get(outcome.line, _NOTHING), others))
        for outcome in outcomes
        if not isinstance(outcome, Published) and not lasting.get(outcome.line, _NOTHING).records
    )
    return Desired(Block(records, tuple(withheld)), lasting, frozenset(kept), min(ends, default=None))


_NOTHING = Last((), ())


def _new_owners(last: Last, others: Others) -> str:
    """The new owners of a line's lost addresses, as an addition to the reason."""
    holders = ((address, others.holders(address, origin) - {origin.container}) for address, origin in last.lost)
    owners = ((address, others.called(keys)) for address, keys in holders)
    return "".join(f"; its last address {address} is {owner}'s now" for address, owner in owners if owner)


def _bound(outcomes: Iterable[Outcome]) -> frozenset[str]:
    """The names that are published, folded."""
    published = (outcome for outcome in outcomes if isinstance(outcome, Published))
    return frozenset(folded(name) for outcome in published for record in outcome.records for name in record.names)


def _vanished(resolved: Resolved, memory: Memory) -> list[Gone]:
    """The lines that `services: "*"` published and that have no outcome any more."""
    if not resolved.asks_for_all:
        return []
    lines = {outcome.line for outcome in resolved.outcomes}
    return [Gone(line, "") for line, last in memory.items() if last.of_all and line not in lines]


def _last(outcome: Outcome, last: Last | None, now: float, holders: Holders) -> Last | None:
    """The line's records that may stay and its lost addresses; `None` if it has neither."""
    match outcome:
        case Published(_, records, origins, of_all):
            # Most lines of a long file stay as they were, down to the very objects.
            if last is not None and last.records is records and last.of_all is of_all:
                return last if last.gone_since is None and not last.lost else Last(records, origins, of_all=of_all)
            return Last(records, origins, of_all=of_all)
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

    def is_lost(address: Address, origin: Origin) -> bool:
        return bool(holders(address, origin) - {origin.container})

    def stays(record: Record, origin: Origin) -> bool:
        return (origin.container is None and not is_known) or not is_lost(record.address, origin)

    lost = dict.fromkeys(place for place in last.lost if is_lost(*place))
    for record, origin in zip(last.records, last.origins, strict=True):
        if not stays(record, origin) and len(lost) < _MOST_LOST:
            lost[record.address, origin] = None
    # Lines of `services: "*"` note no lost addresses: they have no reason to name them in, and would never be dropped.
    return _kept(dataclasses.replace(last, lost=() if last.of_all else tuple(lost)), stays)


def _lingering(last: Last | None, now: float, linger: float, bound: frozenset[str]) -> Last | None:
    """The records that stay of a line that is gone: those without a name that is published, until `linger` is over."""
    if last is None:
        return None
    is_over = last.gone_since is None or now >= last.gone_since + linger
    return _kept(last, lambda record, _: not is_over and not any(folded(name) in bound for name in record.names))


def _kept(last: Last, stays: Callable[[Record, Origin], bool]) -> Last | None:
    """`last` with only the records that stay; `None` if nothing is left."""
    kept = [pair for pair in zip(last.records, last.origins, strict=True) if stays(*pair)]
    if not kept and not last.lost:
        return None
    return dataclasses.replace(last, records=tuple(r for r, _ in kept), origins=tuple(origin for _, origin in kept))


def _merged(records: Iterable[Record]) -> tuple[Record, ...]:
    """The records without repetitions: each pair of a name and an address occurs once."""
    given: dict[str, tuple[Address, ...]] = {}
    merged: list[Record] = []
    for record in records:
        names = record.names
        if any(folded(name) in given for name in names):
            names = tuple(name for name in names if record.address not in given.get(folded(name), ()))
        for name in names:
            given[folded(name)] = (*given.get(folded(name), ()), record.address)
        if names:
            merged.append(record if names is record.names else Record(record.address, names))
    return tuple(merged)
