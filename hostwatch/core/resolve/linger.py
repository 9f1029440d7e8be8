"""What time does to a line: what is gone lingers for a moment, what is not known stays as it is.

| outcome | a record of before whose address belongs to another container by now | the other records of before |
| --- | --- | --- |
| published | replaced by the new records | replaced by the new records |
| gone | withheld at once | stay until `linger` has passed, but for names that have got another record |
| unknown | withheld at once | stay |
| refused | withheld at once | withheld at once |

Whose address that is by now is said with the reason for which the line is withheld, for as long as it is so.
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
    """The last records of a line, where they came from, and since when it is gone (monotonic seconds)."""

    records: tuple[Record, ...]
    origins: tuple[Origin, ...]
    gone_since: float | None = None
    of_all: bool = False
    """Whether nobody asked for the line by name, so that no outcome says it when it is gone."""
    lost: tuple[tuple[Address, Origin], ...] = ()
    """The addresses of records that are withheld because another container has them by now."""


Memory = Mapping[str, Last]
"""What was last published for each line of one hosts file."""


@dataclass(frozen=True, slots=True)
class Desired:
    """What the file is to say now."""

    block: Block
    memory: Memory
    kept: frozenset[Address]
    """Addresses that matter when somebody gets or loses one: of records that nothing confirms, and of lost ones."""
    again_at: float | None
    """When a lingering line runs out (monotonic seconds); `None` while none lingers."""


def memory_of(found: Iterable[Outcome], block: Block) -> Memory:
    """The memory that a block found in a file stands for: what an earlier run published for each line.

    The block comes from a file that its container may write, and the lines from its labels: names that are written out
    are looked up, and those that hold a reference are tried while there are not too many of both.
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
    """The addresses that a line has lost, as the reason says for which it is withheld."""
    lost: list[tuple[Address, Origin]] = []
    for text in _LOST.findall(reason)[:_MOST_LOST]:
        with suppress(ValueError):
            lost.append((ipaddress.ip_address(text), Origin()))
    return tuple(lost)


_LOST = re.compile(r"; its last address ([0-9a-f.:]{1,45}) is ")
_MOST_LOST = 4
"""Of how many lost addresses a reason says whose they are."""

_MOST_TRIED = 50_000
"""How often a name is tried for a field with references: some 200 of each, in some hundredths of a second."""
_REFERENCE = re.compile(r"@\{[^{}]*\}")
_NAME_PART = "[A-Za-z0-9_.-]+"


def _places(field: str, places: Mapping[str, Iterable[int]], is_tried: bool) -> Iterator[int]:
    """Where the records are whose names a field of a line may have given."""
    if _REFERENCE.search(field) is None:
        yield from places.get(field, ())
    elif is_tried:
        given = _name_pattern(field)
        for name in filter(given.fullmatch, places):
            yield from places[name]


def _names_of(line: str) -> list[str]:
    return line.split()[1:]


def _name_pattern(field: str) -> re.Pattern[str]:
    """Which names a field with references may have given. Atomic groups: a match takes linear time, whoever wrote it.

    The first place where a literal stands is as good as any later one: all that lies between may be anything.
    """
    first, *literals, last = map(re.escape, _REFERENCE.split(field))
    middle = (f"(?>{_NAME_PART}?{literal})" for literal in literals)
    return re.compile(f"{first}{''.join(middle)}{_NAME_PART}{last}")


Holders = Callable[[Address, Origin], frozenset[ContainerKey]]
"""Which containers have an address at present on the network of its origin; on any where that is not known."""
Called = Callable[[frozenset[ContainerKey]], str]
"""What containers are called, as the subscriber may be told; empty where it may not."""


@dataclass(frozen=True, slots=True)
class Others:
    """Who else there is, to whom an address of before may belong by now."""

    holders: Holders
    called: Called


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a file's lines now."""

    outcomes: tuple[Outcome, ...]
    asks_for_all: bool = False
    """Whether somebody asks for every name (`services: "*"`): what no outcome tells any more is gone then."""

    @property
    def is_timeless(self) -> bool:
        """Whether this comes to the same at any time, whatever was published before."""
        return not self.asks_for_all and all(isinstance(outcome, Published) for outcome in self.outcomes)


def after_linger(told: Told, memory: Memory, now: float, linger: float, others: Others) -> Desired:
    """The block for these outcomes at `now`."""
    outcomes, holders = told.outcomes, others.holders
    bound = _bound(outcomes)
    lasting: dict[str, Last] = {}
    kept: set[Address] = set()
    ends: list[float] = []
    for outcome in (*outcomes, *_vanished(told, memory)):
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
        Withheld(outcome.line, outcome.reason + _whose(lasting.get(outcome.line, _NOTHING), others))
        for outcome in outcomes
        if not isinstance(outcome, Published) and not lasting.get(outcome.line, _NOTHING).records
    )
    return Desired(Block(records, tuple(withheld)), lasting, frozenset(kept), min(ends, default=None))


_NOTHING = Last((), ())


def _whose(last: Last, others: Others) -> str:
    """Whose the addresses are by now that a line has lost, to be said behind the reason."""
    holders = ((address, others.holders(address, origin) - {origin.container}) for address, origin in last.lost)
    owners = ((address, others.called(keys)) for address, keys in holders)
    return "".join(f"; its last address {address} is {owner}'s now" for address, owner in owners if owner)


def _bound(outcomes: Iterable[Outcome]) -> frozenset[str]:
    """The names that are published, folded."""
    published = (outcome for outcome in outcomes if isinstance(outcome, Published))
    return frozenset(folded(name) for outcome in published for record in outcome.records for name in record.names)


def _vanished(told: Told, memory: Memory) -> list[Gone]:
    """What `services: "*"` published and does not name any more."""
    if not told.asks_for_all:
        return []
    lines = {outcome.line for outcome in told.outcomes}
    return [Gone(line, "") for line, last in memory.items() if last.of_all and line not in lines]


def _last(outcome: Outcome, last: Last | None, now: float, holders: Holders) -> Last | None:
    """What the line is known to have said last, `None` for nothing that may stay or that is worth a word."""
    match outcome:
        case Published(_, records, origins, of_all):
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
    """The last records without those whose address another container has by now, which is noted for as long.

    Where nothing is known of the line, a record stays that an earlier run wrote: whose it was is not known either, and
    it may belong to whoever has the address now.
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
    # Where no line is withheld there is no reason to say it with: containers that come and go would be kept for ever.
    return _kept(dataclasses.replace(last, lost=() if last.of_all else tuple(lost)), stays)


def _lingering(last: Last | None, now: float, linger: float, bound: frozenset[str]) -> Last | None:
    """What stays of a line that is gone: what nobody else publishes, until it has lingered for long enough."""
    if last is None:
        return None
    is_over = last.gone_since is None or now >= last.gone_since + linger
    return _kept(last, lambda record, _: not is_over and not any(folded(name) in bound for name in record.names))


def _kept(last: Last, stays: Callable[[Record, Origin], bool]) -> Last | None:
    """What is left with the records that stay; `None` for nothing."""
    kept = [pair for pair in zip(last.records, last.origins, strict=True) if stays(*pair)]
    if not kept and not last.lost:
        return None
    return dataclasses.replace(last, records=tuple(r for r, _ in kept), origins=tuple(origin for _, origin in kept))


def _merged(records: Iterable[Record]) -> tuple[Record, ...]:
    """The records without repetition: a name is bound to an address once."""
    given: set[tuple[Address, str]] = set()
    merged = []
    for record in records:
        names = tuple(name for name in record.names if (record.address, folded(name)) not in given)
        given.update((record.address, folded(name)) for name in names)
        if names:
            merged.append(Record(record.address, names))
    return tuple(merged)
