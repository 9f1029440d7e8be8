"""The memory that follows from a block in a file, which an earlier run left there."""

import dataclasses
import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress

from hostwatch.core.block.records import Block
from hostwatch.core.model import Address, FileKind
from hostwatch.core.resolve.linger import MOST_LOST
from hostwatch.core.resolve.members import service_line
from hostwatch.core.resolve.outcome import Last, Memory, Origin, Outcome, Unknown
from hostwatch.core.resolve.remote_reach import Elsewhere
from hostwatch.core.resolve.resolv import remembered


def memory_of(
    found: Iterable[Outcome], block: Block, kind: FileKind = FileKind.HOSTS, unheard: Elsewhere | None = None
) -> Memory:
    """The memory that follows from a block in a file, which an earlier run left there.

    `unheard`: for a file with every name, the addresses that may be those of hosts that have not been heard yet. Their
    records are remembered although no line has them now.
    """
    lines = tuple(found)
    if kind is not FileKind.HOSTS:
        return remembered(lines, block)
    memory = _of_hosts(lines, block)
    return memory if unheard is None else {**_unheard(block, memory, unheard), **memory}


def with_reasons(desired: Block, block: Block, found: Iterable[Outcome]) -> Block:
    """The desired block, with the reasons that an earlier run left for lines of which nothing is known now."""
    unknown = {outcome.line for outcome in found if isinstance(outcome, Unknown)}
    said = {withheld.line: withheld for withheld in block.withheld if withheld.line in unknown}
    if not said:
        return desired
    withheld = tuple(said.get(each.line, each) for each in desired.withheld)
    return dataclasses.replace(desired, withheld=withheld)


def _unheard(block: Block, memory: Memory, unheard: Elsewhere) -> Memory:
    """The records that no line has, as lines of `services: "*"`."""
    known = {record for last in memory.values() for record in last.records}
    found: dict[str, Last] = {}
    for record in block.records:
        if record not in known and unheard.has(record.address):
            line = service_line(record.names[0], record.names)
            before = found.get(line, Last((), ()))
            found[line] = Last((*before.records, record), (*before.origins, Origin()), of_all=True)
    return found


def _of_hosts(found: Iterable[Outcome], block: Block) -> Memory:
    """The memory that follows from a block in a hosts file.

    A container may write its file and choose its labels, so the work is limited: literal names are looked up, and names
    with a reference are compared with the records' names only if there are not too many of both.
    """
    fields = {outcome.line: outcome.line.split()[1:] for outcome in found}
    places: dict[str, list[int]] = {}
    for place, record in enumerate(block.records):
        for name in record.names:
            places.setdefault(name, []).append(place)
    tries = len(places) * sum([_has_reference(field) for names in fields.values() for field in names])
    memory: dict[str, Last] = {}
    for line, names in fields.items():
        mine: set[int] = set()
        for field in names:
            if not _has_reference(field):
                mine.update(places.get(field, ()))
            elif tries <= _MOST_TRIED:
                mine.update(*map(places.__getitem__, filter(_name_pattern(field).fullmatch, places)))
        if mine:
            records = tuple([block.records[place] for place in sorted(mine)])
            memory[line] = Last(records, (Origin(),) * len(records))
    for withheld in block.withheld:
        if withheld.line in fields and (lost := _lost_by(withheld.reason)):
            before = memory.get(withheld.line, Last((), ()))
            memory[withheld.line] = dataclasses.replace(before, lost=lost)
    return memory


def _lost_by(reason: str) -> tuple[tuple[Address, Origin], ...]:
    """The lost addresses that are named in the reason for which a line is withheld."""
    lost: list[tuple[Address, Origin]] = []
    for text in _LOST.findall(reason)[:MOST_LOST]:
        with suppress(ValueError):
            lost.append((ipaddress.ip_address(text), Origin()))
    return tuple(lost)


_LOST = re.compile(r"; its last address ([0-9a-f.:]{1,45}) is ")
_MOST_TRIED = 50_000
"""At most this many comparisons of a name with a field with references: some 200 of each, in some 10 ms."""
_REFERENCE = re.compile(r"@\{[^{}]*\}")
_NAME_PART = "[A-Za-z0-9_.-]+"


def _has_reference(field: str) -> bool:
    return "@{" in field and _REFERENCE.search(field) is not None


def _name_pattern(field: str) -> re.Pattern[str]:
    """A pattern for the names that a field with references may have given.

    Its groups are atomic, so that a match takes linear time for any name. They may be: a reference may have any value,
    so the first place where a literal stands is as good as any later one.
    """
    first, *literals, last = map(re.escape, _REFERENCE.split(field))
    middle = (f"(?>{_NAME_PART}?{literal})" for literal in literals)
    return re.compile(f"{first}{''.join(middle)}{_NAME_PART}{last}")
