"""How one subscriber's file stands: as the daemon knows it, or as a command has found it."""

from pathlib import Path
from typing import NamedTuple

from hostwatch.core.block.records import Block
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
