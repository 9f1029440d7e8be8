"""The result of comparing a file: for the log, the history and the figures."""

from typing import NamedTuple

from hostwatch.core.block.records import Block
from hostwatch.core.model import ContainerKey, FileKind


class Comparison(NamedTuple):
    """The result of comparing a file with its desired block."""

    key: ContainerKey
    """The owner of the file."""
    subscriber: str
    """Its name."""
    cause: str
    text: bytes | None
    """The file's text before it was written; `None` if it was not."""
    before: Block | None
    """The block in that text; `None` if it has none, or was not parsed."""
    known: Block
    """The last known block."""
    block: Block
    """The block now."""
    seconds: float
    """The time from the arrival of the cause until the file was right."""
    kind: FileKind = FileKind.HOSTS
    """Which of the owner's files."""
    quiet: bool = False
    """Whether the line is written at DEBUG."""
    heals_drift: bool = False
    """Whether somebody else had changed the block of a running container, or of the host, since it was right."""
