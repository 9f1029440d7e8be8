"""Makes the changes of the history from the results of comparisons, and keeps the blocks that they lead to."""

from collections.abc import Mapping
from typing import NamedTuple

from hostwatch.control.blocks import FileBlock, FileKey
from hostwatch.control.comparison import Comparison
from hostwatch.control.history import Change, History
from hostwatch.core.block.delta import delta
from hostwatch.core.block.differences import NameChange, name_changes, no_longer_withheld
from hostwatch.core.block.records import Block, Withheld
from hostwatch.core.model import ContainerKey

AWAY = "while hostwatch was away"
"""The cause of a change that a daemon finds when it starts: nobody knows when and why the file was changed."""


class Finding(NamedTuple):
    """What a comparison found in the file."""

    time: float
    """Seconds since the epoch."""
    block: Block
    """The block that the file held."""
    names: tuple[NameChange, ...]
    """The names that have other addresses than in that block."""


class Recorder:
    """Adds to the history what is worth it."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._earlier: dict[FileKey, Block] = {}
        """The blocks that an earlier daemon recorded, of files that were not looked at yet."""

    def __repr__(self) -> str:
        return f"<Recorder of {self._history!r}>"

    def recall(self, earlier: Mapping[FileKey, Block]) -> None:
        """Take the blocks that an earlier daemon recorded."""
        self._earlier = {key: block for key, block in earlier.items() if self._history.blocks.get(key) is None}

    def compared(self, note: Comparison, finding: Finding) -> None:
        """A file was compared, and written if it was wrong."""
        key = FileKey(note.key)
        change = self._change(key, note, finding)
        self._history.blocks.stand(FileBlock(key, note.subscriber, note.block))
        if change is not None:
            self._history.add(change)

    def ended(self, owner: ContainerKey, at: float) -> None:
        """A container is gone, and its file with it."""
        self._earlier.pop(FileKey(owner), None)
        self._history.end(FileKey(owner), at)

    def _change(self, key: FileKey, note: Comparison, finding: Finding) -> Change | None:
        """The change; `None` if nothing changed that a user would look for."""
        last, cause, names = self._history.blocks.get(key), note.cause, finding.names
        if last is None and (last := self._earlier.pop(key, None)) is not None:
            # One change tells of all that happened since the earlier daemon's last one.
            names = name_changes(last, note.block) or names
            cause = AWAY if last.records != finding.block.records else cause
        said = last if last is not None else Block(finding.block.records)
        withheld = _withheld(said, note.block)
        ended = no_longer_withheld(said, note.block)
        differences = delta(finding.block if last is None else last, note.block)
        if not (names or withheld or ended) or (note.quiet and not differences):
            return None
        return Change(
            number=self._history.next_number,
            time=finding.time,
            key=note.key,
            subscriber=note.subscriber,
            cause=cause,
            names=names,
            withheld=withheld,
            no_longer_withheld=ended,
            seconds=note.seconds,
            delta=differences,
        )


def _withheld(before: Block, after: Block) -> tuple[Withheld, ...]:
    """The lines that are withheld now, and were not before, or for another reason."""
    known = {*before.withheld}
    return tuple(withheld for withheld in after.withheld if withheld not in known)
