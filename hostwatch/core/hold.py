"""What time does to a line: what is gone lingers for a moment, what is not known stays as it is.

| outcome | a record of before whose address belongs to another container by now | the other records of before |
| --- | --- | --- |
| published | replaced by the new records | replaced by the new records |
| gone | withheld at once | stay until `linger` has passed, but for names that have got another record |
| unknown | withheld at once | stay |
| refused | withheld at once | withheld at once |
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from hostwatch.core.model import Address, ContainerKey
from hostwatch.core.outcome import Gone, Outcome, Published, Refused, Unknown
from hostwatch.core.records import Block, Record, Withheld


@dataclass(frozen=True, slots=True)
class Last:
    """The last records of a line, the containers they came from, and since when it is gone (monotonic seconds)."""

    records: tuple[Record, ...]
    owners: tuple[ContainerKey | None, ...]
    gone_since: float | None = None
    of_all: bool = False
    """Whether nobody asked for the line by name, so that no outcome says it when it is gone."""


Memory = Mapping[str, Last]
"""What was last published for each line of one hosts file."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the file is to say now."""

    block: Block
    memory: Memory
    kept: frozenset[Address]
    """The addresses of records that are kept though nothing confirms them; they go when somebody else has one."""
    again_at: float | None
    """When a lingering line runs out (monotonic seconds); `None` while none lingers."""


def memory_of(found: Iterable[Outcome], block: Block) -> Memory:
    """The memory that a block found in a file stands for: what an earlier run published for each line.

    The block comes from a file that its container may write, and the lines from its labels: names that are written out
    are looked up, and those that hold a reference are tried while there are not too many of both.
    """
    lines = tuple(outcome.line for outcome in found)
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
            memory[line] = Last(records, (None,) * len(records))
    return memory


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


Holders = Callable[[Address], frozenset[ContainerKey]]
"""Which containers have an address at present."""


def held(found: Iterable[Outcome], memory: Memory, now: float, linger: float, holders: Holders) -> Held:
    """The block for these outcomes at `now`."""
    outcomes = tuple(found)
    bound = _bound(outcomes)
    lasting: dict[str, Last] = {}
    unconfirmed: set[Address] = set()
    ends: list[float] = []
    for outcome in (*outcomes, *_vanished(outcomes, memory)):
        last = _last(outcome, memory.get(outcome.line), now, holders)
        if isinstance(outcome, Gone):
            last = _lingering(last, now, linger, bound)
        if last is None:
            continue
        lasting[outcome.line] = last
        if not isinstance(outcome, Published):
            unconfirmed.update(record.address for record in last.records)
        if isinstance(outcome, Gone) and last.gone_since is not None:
            ends.append(last.gone_since + linger)
    records = _merged(record for last in lasting.values() for record in last.records)
    withheld = (Withheld(o.line, o.reason) for o in outcomes if not isinstance(o, Published) and o.line not in lasting)
    return Held(Block(records, tuple(withheld)), lasting, frozenset(unconfirmed), min(ends, default=None))


def is_timeless(found: Iterable[Outcome]) -> bool:
    """Whether these outcomes come to the same at any time, whatever was published before."""
    return all(isinstance(outcome, Published) and not outcome.of_all for outcome in found)


def _bound(outcomes: Iterable[Outcome]) -> frozenset[str]:
    """The names that are published, in lower case."""
    published = (outcome for outcome in outcomes if isinstance(outcome, Published))
    return frozenset(name.lower() for outcome in published for record in outcome.records for name in record.names)


def _vanished(outcomes: Iterable[Outcome], memory: Memory) -> list[Gone]:
    """What `services: "*"` published and does not name any more. (The subscriber itself is always there.)"""
    if not any(isinstance(outcome, Published) and outcome.of_all for outcome in outcomes):
        return []
    told = {outcome.line for outcome in outcomes}
    return [Gone(line, "") for line, last in memory.items() if last.of_all and line not in told]


def _last(outcome: Outcome, last: Last | None, now: float, holders: Holders) -> Last | None:
    """What the line is known to have said last, `None` for nothing that may stay."""
    match outcome:
        case Published(_, records, owners, of_all):
            return Last(records, owners, of_all=of_all)
        case Refused():
            return None
        case Gone():
            last = _kept(last, lambda record, owner: not holders(record.address) - {owner})
            return dataclasses.replace(last, gone_since=now) if last is not None and last.gone_since is None else last
        case Unknown():
            # Whose a record was that an earlier run wrote is not known: perhaps it belongs to whoever has it now.
            return _kept(last, lambda record, owner: owner is None or not holders(record.address) - {owner})
        case _:
            assert_never(outcome)


def _lingering(last: Last | None, now: float, linger: float, bound: frozenset[str]) -> Last | None:
    """What stays of a line that is gone: what nobody else publishes, until it has lingered for long enough."""
    if last is None or last.gone_since is None or now >= last.gone_since + linger:
        return None
    return _kept(last, lambda record, _: not any(name.lower() in bound for name in record.names))


def _kept(last: Last | None, stays: Callable[[Record, ContainerKey | None], bool]) -> Last | None:
    """The last records that stay, `None` if none do."""
    if last is None:
        return None
    kept = [pair for pair in zip(last.records, last.owners, strict=True) if stays(*pair)]
    if not kept:
        return None
    return dataclasses.replace(last, records=tuple(r for r, _ in kept), owners=tuple(owner for _, owner in kept))


def _merged(records: Iterable[Record]) -> tuple[Record, ...]:
    """The records without repetition: a name is bound to an address once."""
    given: set[tuple[Address, str]] = set()
    merged = []
    for record in records:
        names = tuple(name for name in record.names if (record.address, name.lower()) not in given)
        given.update((record.address, name.lower()) for name in names)
        if names:
            merged.append(Record(record.address, names))
    return tuple(merged)
