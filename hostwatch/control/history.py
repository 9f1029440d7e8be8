"""The last changes of the files, in memory. Each is told to those who follow them: event streams, a file.

A change is added by the journal, while no file waits.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hostwatch.core.block.differences import NameChange
from hostwatch.core.block.records import Withheld
from hostwatch.core.model import ContainerKey

KEPT_CHANGES = 1_000
"""How many changes stay in memory."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a file."""

    number: int
    """Counts up from 1; a file of the history goes on counting after a restart."""
    time: float
    """When the file was right (seconds since the epoch)."""
    key: ContainerKey
    """The owner of the file."""
    subscriber: str
    """Its name."""
    cause: str
    names: tuple[NameChange, ...]
    withheld: tuple[Withheld, ...]
    """The lines that are withheld from now on."""
    no_longer_withheld: tuple[str, ...]
    seconds: float
    """The time from the arrival of the cause until the file was right."""
    file: str = "hosts"
    """Which of the subscriber's files."""


Follower = Callable[[Change], None]
"""Is told of a change. It must neither wait nor fail."""


class History:
    """The last changes, oldest first."""

    def __init__(self) -> None:
        self._changes: deque[Change] = deque(maxlen=KEPT_CHANGES)
        self._followers: list[Follower] = []
        self._number = 0

    def __repr__(self) -> str:
        return f"<History of {len(self._changes)} changes, the last is {self._number}>"

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes that are still known, oldest first."""
        return tuple(self._changes)

    @property
    def next_number(self) -> int:
        """The number of the next change."""
        return self._number + 1

    def add(self, change: Change) -> None:
        """Add a change, with the next number."""
        self._number = change.number
        self._changes.append(change)
        for follower in [*self._followers]:
            follower(change)

    def follow(self, follower: Follower) -> None:
        """Tell this one of each change from now on."""
        self._followers.append(follower)

    def leave(self, follower: Follower) -> None:
        """Tell this one no more."""
        self._followers.remove(follower)
