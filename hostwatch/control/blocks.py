"""The blocks of the files as they stand, and those of files that have ended: from these, earlier ones are rebuilt."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hostwatch.core.block.records import Block
from hostwatch.core.model import ContainerKey

KEPT_ENDINGS = 1_000
"""How many ended files stay in memory: as many as changes."""


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


class _Ending(NamedTuple):
    """The last block of a file that is gone."""

    time: float
    number: int
    """The last change of any file before that."""
    standing: FileBlock


class Blocks:
    """The last block of each file. They are not copied: the loop has the same ones."""

    def __init__(self) -> None:
        self._standing: dict[FileKey, FileBlock] = {}
        self._endings: deque[_Ending] = deque()

    def __repr__(self) -> str:
        return f"<Blocks of {len(self._standing)} files>"

    def __iter__(self) -> Iterator[FileBlock]:
        return iter([*self._standing.values()])

    def get(self, key: FileKey) -> Block | None:
        """The block of a file; `None` if it was not looked at yet."""
        found = self._standing.get(key)
        return found.block if found is not None else None

    def stand(self, standing: FileBlock) -> None:
        """A file has this block from now on."""
        self._standing[standing.key] = standing

    def end(self, key: FileKey, time: float, number: int) -> float | None:
        """A file is gone, after the change with that number.

        Returns the time of an earlier ending that is forgotten for this one; `None` if there is none.
        """
        found = self._standing.pop(key, None)
        if found is None:
            return None
        self._endings.append(_Ending(time, number, found))
        return self._endings.popleft().time if len(self._endings) > KEPT_ENDINGS else None

    def last_after(self, time: float) -> Iterable[tuple[FileBlock, int | None]]:
        """For each file that was there at that time, its last block, and the number of the last change before its end.

        The number is `None` for a file that is still there.
        """
        found: dict[FileKey, tuple[FileBlock, int | None]] = {key: (each, None) for key, each in self._standing.items()}
        for ending in reversed(self._endings):
            if ending.time > time:
                found[ending.standing.key] = ending.standing, ending.number
        return found.values()
