"""Makes the history from the results of comparisons: changes, the blocks that they lead to, and what the file gets."""

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

import anyio

from hostwatch.control.archive import Altered, Ended, Opened, Stood
from hostwatch.control.archive_writer import ArchiveWriter
from hostwatch.control.blocks import Blocks, FileBlock, FileKey
from hostwatch.control.causes import AWAY
from hostwatch.control.comparison import Comparison
from hostwatch.control.history import Change, History
from hostwatch.core.block.delta import delta
from hostwatch.core.block.differences import NameChange, name_changes, no_longer_withheld, withheld_since
from hostwatch.core.block.records import Block
from hostwatch.core.model import ContainerKey

_HOLD_SECONDS = 5.0
"""The longest time that a disk may take to open the file: after it readers get the changes without it."""
_MOST_HELD = 10_000
"""So many results wait for the file to be opened: more than all files that are compared in that time."""


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

    def __init__(self, history: History, writer: ArchiveWriter) -> None:
        self.blocks = Blocks()
        self._history = history
        self._writer = writer
        self._earlier: dict[FileKey, Block] = {}
        """The blocks that an earlier daemon recorded, of files that were not looked at yet."""
        self._is_gone: Callable[[ContainerKey], bool] | None = None
        """Whether a file of an earlier daemon is no more; `None` until that can be told."""
        self._held: deque[tuple[Callable[[], None], float]] | None = None
        """What waits for the file to be opened, which has the last number and blocks; with the time of each."""
        self._ready = anyio.Event()

    def __repr__(self) -> str:
        return f"<Recorder of {self._history!r}, {self.blocks!r}>"

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[None]:
        """While this is entered, the history goes to the file, too."""
        self._held, self._ready = deque(maxlen=_MOST_HELD), anyio.Event()
        async with self._writer.running(self):
            yield

    async def ready(self) -> None:
        """Wait until the file is open, or is not going to be soon."""
        await self._ready.wait()

    def opened(self, found: Opened | None) -> None:
        """The file is open, with what an earlier daemon left; or it is not going to be soon (`None`)."""
        if found is not None:
            self._history.go_on_after(found.last_number)
            self._earlier = {key: block for key, block in found.blocks.items() if self.blocks.get(key) is None}
            self._forget_gone()
        held, self._held = self._held or (), None
        for held_back, _ in held:
            held_back()
        self._ready.set()

    def standing(self) -> Iterator[Stood]:
        """How all files stand now, for a file that may not know it."""
        return (Stood(self.blocks.known_since, found, found.block) for found in self.blocks)

    def all_compared(self, is_gone: Callable[[ContainerKey], bool]) -> None:
        """All files were compared; those of an earlier daemon that are gone are told by `is_gone`."""
        self._is_gone = is_gone
        self._forget_gone()

    def compared(self, note: Comparison, finding: Finding) -> None:
        """A file was compared, and written if it was wrong."""
        if self._is_held(partial(self.compared, note, finding), finding.time):
            return
        key = FileKey(note.key, note.kind.value)
        known = self.blocks.get(key)
        earlier = self._earlier.pop(key, None) if known is None else None
        last = earlier if known is None else known
        found = FileBlock(key, note.subscriber, note.block)
        differences = delta(finding.block if last is None else last, note.block)
        change = self._change(note, finding, last, is_earlier=earlier is not None)
        if change is not None and (differences or not note.quiet):
            self._history.add(change)
            self._writer.add(change)
        self.blocks.change(found, differences, finding.time)
        if known is None:
            self._writer.add(Stood(finding.time, found, finding.block))
        elif differences:
            self._writer.add(Altered(finding.time, key, note.subscriber, differences))

    def ended(self, key: FileKey, at: float) -> None:
        """A container is gone, and its file with it."""
        if self._is_held(partial(self.ended, key, at), at):
            return
        self._earlier.pop(key, None)
        self.blocks.end(key, at)
        self._writer.add(Ended(at, key))

    def _is_held(self, call: Callable[[], None], at: float) -> bool:
        """Whether a call waits for the file to be opened. If that takes too long, all are made without it."""
        if self._held and at - self._held[0][1] > _HOLD_SECONDS:
            self.opened(None)
        if self._held is None:
            return False
        self._held.append((call, at))
        return True

    def _forget_gone(self) -> None:
        """End the files of an earlier daemon that are gone."""
        if self._is_gone is not None:
            for key in [key for key in self._earlier if self._is_gone(key.owner)]:
                del self._earlier[key]
                self._writer.add(Ended(time.time(), key))

    def _change(self, note: Comparison, finding: Finding, last: Block | None, *, is_earlier: bool) -> Change | None:
        """The change since the last block; `None` if nothing changed that a user would look for."""
        cause, names = note.cause, finding.names
        if last is not None and is_earlier:
            # One change tells of all that happened since the earlier daemon's last one.
            names = name_changes(last, note.block) or names
            cause = AWAY if last.records != finding.block.records else cause
        said = last if last is not None else Block(finding.block.records)
        withheld, ended = withheld_since(said, note.block), no_longer_withheld(said, note.block)
        if not (names or withheld or ended):
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
            file=note.kind.value,
        )
