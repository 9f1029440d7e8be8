"""What the daemon counts since it began. The parts that count get the figures of theirs, and add to plain numbers.

Each set of labels is fixed and there from the start, so that a rate of any of them can be computed at once. No label
takes a value that a container chooses. Another thread may read the figures at any time.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

OTHER = "other"
"""Stands for any action that is not on the list."""
_ACTIONS = {
    "container": ("create", "start", "die", "destroy", "rename", "health_status", "connect", "disconnect", OTHER),
    "network": ("create", "destroy", "remove", "connect", "disconnect", OTHER),
}
"""The types of events, with the actions that are asked for. With Podman a container is connected."""

BOUNDS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The upper bounds of the intervals of durations. A file by path takes one or two milliseconds, a file by exec some
hundred, and a container that answers slowly may take many seconds."""


class WriteResult(Enum):
    """The end of a try to bring a file right."""

    WRITTEN = "written"
    FAILED = "failed"
    """It may be tried again."""
    REFUSED = "refused"
    """The file must not or cannot be kept."""


class NotificationResult(Enum):
    """The end of a try to notify an application, and of a notification that stays undelivered."""

    DELIVERED = "delivered"
    FAILED = "failed"
    """A try failed."""
    GIVEN_UP = "given_up"
    """No other try follows, though the application does not know its records."""


class Durations:
    """A histogram of durations."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_SECONDS) + 1)
        """How many were at most as long as each bound and longer than the one before; the last: longer than all."""
        self.total_seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count a duration."""
        self.counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.total_seconds += seconds

    @property
    def cumulated(self) -> Sequence[int]:
        """How many were at most as long as each bound; the last: all."""
        count = 0
        return [count := count + of_interval for of_interval in list(self.counts)]


class EventFigures:
    """The events, and the connections that they came by."""

    def __init__(self) -> None:
        self.events = {(kind, action): 0 for kind, actions in _ACTIONS.items() for action in actions}
        """By type and action."""
        self.connections = 0
        """How often everything was read for the first time over a new connection."""
        self.last_resync = 0.0
        """When everything was read last (seconds since the epoch); 0: never."""

    def count(self, kind: str, action: str) -> None:
        """Count an event."""
        key = (kind, action)
        self.events[key if key in self.events else (kind, OTHER)] += 1


class FileFigures:
    """The writes of files."""

    def __init__(self) -> None:
        self.writes = dict.fromkeys(WriteResult, 0)
        self.updates = Durations()
        """From the arrival of a cause until the file was written."""
        self.drift_healed = 0

    def count(self, seconds: float, *, heals_drift: bool) -> None:
        """Count a write, so many seconds after its first cause arrived."""
        self.writes[WriteResult.WRITTEN] += 1
        self.updates.add(seconds)
        self.drift_healed += heals_drift


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one daemon."""

    of_events: EventFigures = field(default_factory=EventFigures)
    of_files: FileFigures = field(default_factory=FileFigures)
    notifications: dict[NotificationResult, int] = field(default_factory=lambda: dict.fromkeys(NotificationResult, 0))
