"""The contents of a block: records, and withheld template lines with their reasons."""

from dataclasses import dataclass, field

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
    """The contents of a block. An empty one means that the file has no block."""

    records: tuple[Record, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    unsaid: int = 0
    """The number of withheld lines, counted from the last, that have no room for a comment of their own in the file."""
    _hash: int = field(init=False, repr=False, compare=False, default=0)
    """Computed once. Hundreds of files have the same block and use it as a key."""

    def __hash__(self) -> int:
        if self._hash == 0:
            object.__setattr__(self, "_hash", hash((self.records, self.withheld, self.unsaid)))
        return self._hash

    def __bool__(self) -> bool:
        return bool(self.records or self.withheld)
