"""What a block says: records, and the template lines that are withheld with the reason."""

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
    """The contents of a block; an empty one means that no block is to stand in the file."""

    records: tuple[Record, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    unsaid: int = 0
    """How many of the last withheld lines have no comment of their own in the file, for want of room."""
    _hash: int = field(init=False, repr=False, compare=False, default=0)
    """Worked out once: a hundred files have one block, and look up what is to be written for it."""

    def __hash__(self) -> int:
        if self._hash == 0:
            object.__setattr__(self, "_hash", hash((self.records, self.withheld, self.unsaid)))
        return self._hash

    def __bool__(self) -> bool:
        return bool(self.records or self.withheld)
