"""Withholds the names of a block that collide: with a foreign line, or with a name that is never published."""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv6Address

from hostwatch.core.block.lines import NAME, address_of, fields_of
from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import Address, AddressOrWords
from hostwatch.core.names import is_reserved

_Bound = dict[str, dict[Address, None]]
"""For each name in lower case, the addresses that foreign lines bind it to, in the file's order."""


def without_collisions(block: Block, foreign: Iterable[bytes], reserved: Collection[str]) -> Block:
    """The block with each colliding name as a withheld line."""
    valid = (name for record in block.records for name in record.names if NAME.fullmatch(name))
    bound = _bound(foreign, frozenset(name.lower().encode() for name in valid))
    records: list[Record] = []
    withheld = list(block.withheld)
    for record in block.records:
        reasons = {name: _reason(name, record.address, bound, reserved) for name in record.names}
        names = tuple(name for name in record.names if reasons[name] is None)
        if names:
            records.append(record if len(names) == len(record.names) else Record(record.address, names))
        withheld += (
            Withheld(f"{record.address} {name}", f"{name}: {why}") for name, why in reasons.items() if why is not None
        )
    if len(records) == len(block.records) and len(withheld) == len(block.withheld):
        return block
    return Block(tuple(records), tuple(withheld))


def are_publishable(records: Iterable[Record]) -> bool:
    """Whether all these records may stand in a file that has no name of theirs."""
    return all(_reason(name, record.address, {}, ()) is None for record in records for name in record.names)


def _reason(name: str, address: AddressOrWords, bound: _Bound, reserved: Collection[str]) -> str | None:
    """The reason why a name must not stand in the block with this address; `None` if it may."""
    lower = name.lower()
    if not NAME.fullmatch(name):
        return "not a valid name"
    if isinstance(address, IPv6Address) and address.scope_id is not None:  # a zone, which the C library does not take
        return "not a valid address"
    if is_reserved(name):
        return "never published"
    if lower in reserved:
        return "the subscriber's own hostname"
    others = bound.get(lower, {})
    if others and address not in others:
        return f"shadowed by {next(iter(others))} in the file"
    return None


def _bound(foreign: Iterable[bytes], names: frozenset[bytes]) -> _Bound:
    """The addresses that the foreign lines bind these names to. The names are in lower case."""
    bound: _Bound = {}
    addresses: dict[bytes, Address | None] = {}
    for line in _lines_with(names, foreign) if names else ():
        fields = fields_of(line)
        found = names.intersection(fields[1:])
        if not found:
            continue
        if fields[0] not in addresses:  # parsing an address takes longer than the rest of its line
            addresses[fields[0]] = address_of(fields[0])
        address = addresses[fields[0]]
        if address is None:  # the C library skips such a line too
            continue
        for name in found:
            bound.setdefault(name.decode(), {})[address] = None
    return bound


def _lines_with(names: frozenset[bytes], foreign: Iterable[bytes]) -> Iterator[bytes]:
    """The lines, in lower case, of every portion that has one of these names anywhere."""
    for portion in foreign:
        lower = portion.lower()
        if not names.isdisjoint(lower.replace(b"#", b" ").split()):
            yield from lower.split(b"\n")
