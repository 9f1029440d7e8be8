"""The blocks of the files as they stand, and the steps that led to them: from these, earlier blocks are rebuilt.

Blocks are not copied: the loop has the same ones. A step has only what differs.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from hostwatch.core.block.delta import Delta, Hunk
from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import ContainerKey

KEPT_STEPS = 2_000
"""How many steps stay in memory. There are more than changes: a file that ends is none, nor is another order."""
KEPT_LINES = 50_000
"""How many lines the steps have together at most, some 5 MB: a few steps of very long files have as many."""


class FileKey(NamedTuple):
    """Identifies a file: its owner, and which of the owner's files it is."""

    owner: ContainerKey
    file: str = "hosts"


class FileBlock(NamedTuple):
    """The block of a file at one moment."""

    key: FileKey
    subscriber: str
    """The owner's name."""
    block: Block


class Step(NamedTuple):
    """What happened to a file's block."""

    time: float
    """Seconds since the epoch."""
    key: FileKey
    before: Delta | FileBlock
    """What differed before; the whole block of a file that has ended."""

    @property
    def size(self) -> int:
        """The number of lines in it."""
        return self.before.size if isinstance(self.before, Delta) else len(self.before.block.records)


class Blocks:
    """The last block of each file, and the last steps of all files."""

    def __init__(self) -> None:
        self._blocks: dict[FileKey, FileBlock] = {}
        self._steps: deque[Step] = deque()
        self._lines = 0
        self.version = 0
        """Another one after each step."""
        self.known_since = time.time()
        """The earliest moment that can be rebuilt (seconds since the epoch)."""

    def __repr__(self) -> str:
        return f"<Blocks of {len(self._blocks)} files, with {len(self._steps)} steps>"

    def __iter__(self) -> Iterator[FileBlock]:
        return iter([*self._blocks.values()])

    def get(self, key: FileKey) -> Block | None:
        """The block of a file; `None` if it was not looked at yet."""
        found = self._blocks.get(key)
        return found.block if found is not None else None

    def change(self, found: FileBlock, differences: Delta, at: float) -> None:
        """A file has this block from now on."""
        self._blocks[found.key] = found
        if differences:
            self._add(Step(at, found.key, differences))

    def end(self, key: FileKey, at: float) -> None:
        """A file is gone."""
        if (found := self._blocks.pop(key, None)) is not None:
            self._add(Step(at, key, found))

    def _add(self, step: Step) -> None:
        self.version += 1
        self._steps.append(step)
        self._lines += step.size
        while len(self._steps) > KEPT_STEPS or self._lines > KEPT_LINES:
            oldest = self._steps.popleft()
            self._lines -= oldest.size
            self.known_since = oldest.time

    def rebuilding(self, at: float) -> Callable[[], list[FileBlock]]:
        """Rebuilds the blocks of that moment, in any thread: none, if memory does not reach back so far."""
        if at < self.known_since:
            return list
        return partial(_rebuilt, {**self._blocks}, [*self._steps], at)

    def dating(self) -> Callable[[], dict[FileKey, dict[Record | Withheld, float]]]:
        """Tells since when the lines of each file are as they are (seconds since the epoch), in any thread.

        A line that is not told of is older than the steps.
        """
        return partial(_dated, [*self._steps])


def _dated(steps: Sequence[Step]) -> dict[FileKey, dict[Record | Withheld, float]]:
    found: dict[FileKey, dict[Record | Withheld, float]] = {}
    for step in steps:
        if isinstance(step.before, FileBlock):
            found.pop(step.key, None)
        else:
            hunks: tuple[Hunk[Record] | Hunk[Withheld], ...] = (*step.before.records, *step.before.withheld)
            moved: set[Record | Withheld] = {line for hunk in hunks for line in hunk.old}
            new = [line for hunk in hunks for line in hunk.new if line not in moved]
            found.setdefault(step.key, {}).update(dict.fromkeys(new, step.time))
    return found


def _rebuilt(blocks: dict[FileKey, FileBlock], steps: Sequence[Step], at: float) -> list[FileBlock]:
    """The blocks of that moment, by the names of their subscribers; empty ones are left out.

    The steps since then are undone, from the last to the first.
    """
    for step in reversed(steps):
        if step.time <= at:
            break
        if isinstance(step.before, FileBlock):
            blocks[step.key] = step.before
        elif (found := blocks.get(step.key)) is not None:
            blocks[step.key] = found._replace(block=step.before.undone(found.block))
    return sorted((found for found in blocks.values() if found.block), key=lambda each: (each.subscriber, each.key))
