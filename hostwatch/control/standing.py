"""How one subscriber's file stands: as the daemon knows it, or as a command has found it."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import Container
from hostwatch.core.resolve.outcome import Memory
from hostwatch.core.rules import Writer


class Standing(NamedTuple):
    """One file."""

    container: Container
    """Its owner."""
    path: Path
    writer: Writer
    in_sync: bool
    error: str | None
    """Why it is not kept."""
    block: Block
    """The block in the file, as far as is known; of a command, the one that is to be there."""
    memory: Memory
    """The lines that the records are of."""
    resolv: "Standing | None" = None
    """How the owner's resolv.conf stands, if that is kept, too."""
    sinces: Mapping[Record | Withheld, float] = MappingProxyType({})
    """Since when lines are as they are (seconds since the epoch), as far as that is known."""
