"""The last changes of the files, in memory. Each is told to those who follow them: event streams, a file.

A change is added by the journal, while no file waits.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hostwatch.core.block.differences import NameChange
from hostwatch.core.block.records import LINE_LIMIT, Withheld
from hostwatch.core.mentions import given_by
from hostwatch.core.model import ContainerKey
from hostwatch.core.names import folded

KEPT_CHANGES = 1_000
"""How many changes stay in memory."""
KEPT_LINES = 50_000
"""How many lines of changes stay in memory at most, some 10 MB: a few changes of very long files have as many."""


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

    @property
    def size(self) -> int:
        """The number of lines that it holds."""
        return len(self.names) + len(self.withheld) + len(self.no_longer_withheld)

    @property
    def mentioned(self) -> frozenset[str]:
        """The names that it concerns, in lower case: those that changed, and those of withheld lines.

        In a resolv.conf a keyword is a name.
        """
        lines = [*(each.line for each in self.withheld), *self.no_longer_withheld]
        words = (word for line in lines for word in given_by(line[:LINE_LIMIT]))
        return frozenset(folded(name) for name in (*(each.name for each in self.names), *words))


def described(change: Change) -> Mapping[str, Any]:
    """A change as JSON: a line of `history --json`, an event, part of an answer. docs/how-to/history.md explains it."""
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


def instant(at: float) -> str:
    """A time (seconds since the epoch) as in `2026-01-02T03:04:05.678Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Follower = Callable[[Change], None]
"""Is told of a change. It must neither wait nor fail."""


class History:
    """The last changes, oldest first."""

    def __init__(self) -> None:
        self._changes: deque[Change] = deque()
        self._followers: list[Follower] = []
        self._number = 0
        self._lines = 0
        """How many lines the changes have together."""

    def __repr__(self) -> str:
        return f"<History of {len(self._changes)} changes, the last is {self._number}>"

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes that are still known, oldest first."""
        return tuple(self._changes)

    @property
    def subscribers(self) -> frozenset[str]:
        """The names of all subscribers that it tells of."""
        return frozenset(each.subscriber for each in self._changes)

    @property
    def next_number(self) -> int:
        """The number of the next change."""
        return self._number + 1

    def go_on_after(self, number: int) -> None:
        """An earlier daemon gave the numbers up to this one."""
        self._number = max(self._number, number)

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
        self._lines += change.size
        while len(self._changes) > KEPT_CHANGES or (self._lines > KEPT_LINES and len(self._changes) > 1):
            oldest = self._changes.popleft()
            self._lines -= oldest.size
        for follower in [*self._followers]:
            follower(change)

    def follow(self, follower: Follower) -> None:
        """Tell this one of each change from now on."""
        self._followers.append(follower)

    def leave(self, follower: Follower) -> None:
        """Tell this one no more."""
        self._followers.remove(follower)
