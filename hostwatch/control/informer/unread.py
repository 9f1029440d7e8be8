"""Since when each container could not be inspected, and which counts as what the list says of it.

Pure: the time is an argument, in the event loop's seconds.
"""

import math
from collections.abc import Hashable

from hostwatch.core.model import ContainerKey

UNREAD_SECONDS = 30.0
"""How long a container that cannot be inspected holds up what only it could tell. A start holds its inspection up for
0.3 s to a few seconds."""
ATTEMPT_SECONDS = 5.0
"""How long one attempt may take after that."""


class Unread:
    """Containers that were to be inspected, and could not be yet."""

    def __init__(self) -> None:
        self._since: dict[ContainerKey, float] = {}
        self._given_up: set[Hashable] = set()

    def patience(self, key: Hashable, now: float) -> float:
        """How many seconds the inspection of a container may take that begins now; a network's may take any time."""
        if not isinstance(key, ContainerKey):
            return math.inf
        left = self._since.setdefault(key, now) + UNREAD_SECONDS - now
        return left if left > 0 else ATTEMPT_SECONDS

    def is_overdue(self, key: ContainerKey, now: float) -> bool:
        """Whether it has held others up for long enough."""
        return now >= self._since.get(key, now) + UNREAD_SECONDS

    def give_up(self, key: ContainerKey) -> bool:
        """Have it count as what the list says of it; returns whether that is new."""
        is_new = key not in self._given_up
        self._given_up.add(key)
        return is_new

    def is_given_up(self, key: Hashable) -> bool:
        """Whether it counts as what the list says of it."""
        return key in self._given_up

    def read(self, key: ContainerKey) -> bool:
        """It was inspected, or is gone; returns whether it was given up before."""
        self._since.pop(key, None)
        was_given_up = key in self._given_up
        self._given_up.discard(key)
        return was_given_up
