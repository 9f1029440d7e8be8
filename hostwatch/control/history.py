"""The last changes of the files, in memory. Each is told to those who follow them: event streams, a file.

A change is added by the journal, while no file waits.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

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


def described(change: Change) -> Mapping[str, Any]:
    """A change as JSON: a line of `history --json`, an event, an element of an answer. docs/history.md explains it."""
    return {
        "id": change.number,
        "time": instant(change.time),
        "subscriber": change.subscriber,
        "subscriber_id": change.key.id,
        "file": change.file,
        "cause": change.cause,
        "changes": [
            {"name": each.name, "old": [*map(str, each.old)], "new": [*map(str, each.new)]} for each in change.names
        ],
        "withheld": [{"line": each.line, "reason": each.reason} for each in change.withheld],
        "no_longer_withheld": [*change.no_longer_withheld],
        "ms": round(change.seconds * 1000, 1),
    }


def instant(time: float) -> str:
    """A time (seconds since the epoch) as in `2026-01-02T03:04:05.678Z`."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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

    def after(self, number: int) -> tuple[Change, ...]:
        """The known changes that came after the one with this number: those that a reader missed.

        All, if no change has that number yet: then it was given by an earlier daemon, which kept no file.
        """
        known = self.changes
        return known if number > self._number else tuple(change for change in known if change.number > number)

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
