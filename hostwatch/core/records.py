"""What a block says: records, and the template lines that are withheld with the reason."""

from dataclasses import dataclass

from hostwatch.core.model import Address


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a hosts file: an address and its names."""

    address: Address
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Withheld:
    """A template line that has no valid record now."""

    line: str
    """The template line, its fields separated by single spaces."""
    reason: str
    """Such as `db: no running container`."""


@dataclass(frozen=True, slots=True)
class Block:
    """The contents of a block; an empty one means that no block is to stand in the file."""

    records: tuple[Record, ...] = ()
    withheld: tuple[Withheld, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.records or self.withheld)
