"""The differences between two blocks: names with other addresses, and lines that became withheld or are no more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hostwatch.core.block.records import Block, Record, Withheld, without_common
from hostwatch.core.model import AddressOrWords

MOST_SHOWN = 100
"""A line shows at most this many names, and addresses of a name: a container may put thousands between the markers."""


@dataclass(frozen=True, slots=True)
class NameChange:
    """A name's addresses before and after; empty if the name is new, or gone."""

    name: str
    old: tuple[AddressOrWords, ...]
    new: tuple[AddressOrWords, ...]

    @property
    def addresses(self) -> frozenset[AddressOrWords]:
        """The addresses that came or went. If only their order changed, all of them, as most programs use the first."""
        return frozenset(self.old) ^ frozenset(self.new) or frozenset(self.new)

    def __str__(self) -> str:
        return f"{self.name} {_listed(self.old)} → {_listed(self.new)}"


def name_changes(before: Block, after: Block) -> tuple[NameChange, ...]:
    """The differences between the names of two blocks, in the order of the newer one."""
    old, new = map(_by_name, without_common(before, after))
    return tuple(
        NameChange(name, old.get(name, ()), new.get(name, ()))
        for name in dict.fromkeys([*new, *old])
        if old.get(name) != new.get(name)
    )


def withheld_since(before: Block, after: Block) -> tuple[Withheld, ...]:
    """The lines that are withheld now, and were not before."""
    if before.withheld == after.withheld:
        return ()
    known = {withheld.line for withheld in before.withheld}
    return tuple(withheld for withheld in after.withheld if withheld.line not in known)


def no_longer_withheld(before: Block, after: Block) -> tuple[str, ...]:
    """The lines that were withheld before, and are not now, sorted."""
    if before.withheld == after.withheld:
        return ()
    return tuple(
        sorted({withheld.line for withheld in before.withheld} - {withheld.line for withheld in after.withheld})
    )


def _by_name(records: Iterable[Record]) -> dict[str, tuple[AddressOrWords, ...]]:
    names: dict[str, list[AddressOrWords]] = {}
    for record in records:
        for name in record.names:
            names.setdefault(name, []).append(record.address)
    return {name: tuple(addresses) for name, addresses in names.items()}


def texts(addresses: Iterable[AddressOrWords]) -> list[str]:
    """The addresses as text, as many as are shown."""
    return shortened([*addresses])


def shortened(found: Sequence[object]) -> list[str]:
    """The texts of as many as are shown, and the number of the others."""
    more = len(found) - MOST_SHOWN
    return [*map(str, found[:MOST_SHOWN]), *([f"and {more} more"] if more > 0 else [])]


def _listed(addresses: Iterable[AddressOrWords]) -> str:
    return ",".join(texts(addresses)) or "-"
