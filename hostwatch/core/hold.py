"""What time does to a line: what is gone lingers for a moment, what is not known stays as it is.

| outcome | an address of its last records belongs to another container | else |
| --- | --- | --- |
| published | the new records | the new records |
| gone | withheld at once | the last records, until `linger` has passed; then withheld |
| unknown | withheld at once | the last records |
| refused | withheld at once | withheld at once |
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from hostwatch.core.desired import Gone, Outcome, Published, Refused, Unknown
from hostwatch.core.model import Address, ContainerKey
from hostwatch.core.records import Block, Record, Withheld


@dataclass(frozen=True, slots=True)
class Last:
    """The last records of a line, the containers they came from, and since when it is gone (monotonic seconds)."""

    records: tuple[Record, ...]
    owners: tuple[ContainerKey | None, ...]
    gone_since: float | None = None


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
    """The memory that a block found in a file stands for: what an earlier run published for each line."""
    memory: dict[str, Last] = {}
    for outcome in found:
        names = set(outcome.line.split()[1:])
        records = tuple(record for record in block.records if names.issuperset(record.names))
        if records:
            memory[outcome.line] = Last(records, (None,) * len(records))
    return memory


def held(
    found: Iterable[Outcome],
    memory: Memory,
    now: float,
    linger: float,
    holders: Callable[[Address], frozenset[ContainerKey]],
) -> Held:
    """The block for these outcomes at `now`; `holders` tells which containers have an address at present."""
    records: list[Record] = []
    withheld: list[Withheld] = []
    lasting: dict[str, Last] = {}
    unconfirmed: set[Address] = set()
    for outcome in found:
        last = _last(outcome, memory.get(outcome.line), now, linger, holders)
        if last is not None:
            lasting[outcome.line] = last
            records += last.records
            if not isinstance(outcome, Published):
                unconfirmed.update(record.address for record in last.records)
        elif not isinstance(outcome, Published):
            withheld.append(Withheld(outcome.line, outcome.reason))
    ends = [last.gone_since + linger for last in lasting.values() if last.gone_since is not None]
    block = Block(_merged(records), tuple(withheld))
    return Held(block, lasting, frozenset(unconfirmed), min(ends, default=None))


def _last(
    outcome: Outcome,
    last: Last | None,
    now: float,
    linger: float,
    holders: Callable[[Address], frozenset[ContainerKey]],
) -> Last | None:
    match outcome:
        case Published(_, records, owners):
            return Last(records, owners)
        case Refused():
            return None
        case Gone() | Unknown():
            if last is None or _reassigned(last, holders):
                return None
            if isinstance(outcome, Unknown):
                return last
            since = now if last.gone_since is None else last.gone_since
            return Last(last.records, last.owners, since) if now < since + linger else None
        case _:
            assert_never(outcome)


def _reassigned(last: Last, holders: Callable[[Address], frozenset[ContainerKey]]) -> bool:
    return any(holders(record.address) - {owner} for record, owner in zip(last.records, last.owners, strict=True))


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
