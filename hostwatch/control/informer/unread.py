"""Containers that cannot be inspected: the time of the first attempt, and whether the list is believed instead.

Pure: the time is an argument, in the event loop's seconds.
"""

import math
from collections.abc import Hashable

from hostwatch.core.model import ContainerKey

UNREAD_SECONDS = 30.0
"""After this time without an inspection the list is believed. Until then the container's unknown aliases hold up every
name on its networks. A start holds up its inspection for 0.3 s to a few seconds."""
ATTEMPT_SECONDS = 5.0
"""Time limit of one attempt after that."""


class Unread:
    """Containers with an inspection that has not been answered yet."""

    def __init__(self) -> None:
        self._since: dict[ContainerKey, float] = {}
        self._given_up: set[Hashable] = set()

    def patience(self, key: Hashable, now: float) -> float:
        """Seconds that an inspection may take if it begins now; that of a network may take any time."""
        if not isinstance(key, ContainerKey):
            return math.inf
        left = self._since.setdefault(key, now) + UNREAD_SECONDS - now
        return left if left > 0 else ATTEMPT_SECONDS

    def is_overdue(self, key: Hashable, now: float) -> bool:
        """Whether a container has held others up for long enough; a network never does."""
        return isinstance(key, ContainerKey) and now >= self._since.get(key, now) + UNREAD_SECONDS

    def give_up(self, key: Hashable) -> bool:
        """Believe the list from now on; returns whether that is new."""
        is_new = key not in self._given_up
        self._given_up.add(key)
        return is_new

    def is_given_up(self, key: Hashable) -> bool:
        """Whether the list is believed."""
        return key in self._given_up

    def end(self, key: ContainerKey) -> bool:
        """The container was inspected, or is gone; returns whether it was given up before."""
        self._since.pop(key, None)
        was_given_up = key in self._given_up
        self._given_up.discard(key)
        return was_given_up
