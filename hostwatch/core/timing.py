"""How long to wait: state machines that take the time and their randomness as arguments."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

_RIVAL_TIMES = 5
"""How often in a row the same thing is put back at once: a person who tries that would notice."""
_RIVAL_SECONDS = (1.0, 60.0)
"""How long it is left then: at first, and at most."""
_RIVAL_FORGOTTEN_SECONDS = 900.0
"""After what a silence all begins anew: a file that is written by exec is looked at each five minutes, as a rule."""


@dataclass(slots=True)
class Backoff:
    """Doubles from `first` to `most` seconds, each wait shortened by up to half so that nobody retries in step."""

    first: float
    most: float
    failures: int = 0

    def failed(self, chance: float) -> float:
        """Seconds to wait after one more failure; `chance` is a random number from 0 to 1."""
        wait = min(self.most, self.first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return wait * (1 - chance / 2)

    def succeeded(self) -> None:
        """Begin anew."""
        self.failures = 0


class Debounce:
    """When something that changes has settled: after `quiet` seconds without a change, or after `most` at the latest.

    A debounce without a latest moment would starve whoever waits for something that never settles.
    """

    def __init__(self, now: float, quiet: float, most: float) -> None:
        self._quiet = quiet
        self._latest = now + most
        self.due = now + quiet
        """When it is over, by the clock of `now`."""

    def changed(self, now: float) -> None:
        """It changed once more."""
        self.due = min(now + self._quiet, self._latest)


@dataclass(frozen=True, slots=True)
class Rivalry(Generic[Key]):
    """How often in a row somebody else has put the same thing in the place of ours, and how long ours is to wait.

    Two writers that do not know of each other would change it back and forth as fast as they can. A single change, a
    different one each time, or one after a long silence is no rivalry.
    """

    theirs: Key | None = None
    times: int = 0
    last: float = -math.inf
    """When that was last seen, by the clock of `now`."""

    def returned(self, theirs: Key, now: float) -> "Rivalry[Key]":
        """The rivalry after this stood in the place of ours once more."""
        goes_on = theirs == self.theirs and now - self.last < _RIVAL_FORGOTTEN_SECONDS
        return Rivalry(theirs, self.times + 1 if goes_on else 1, now)

    @property
    def begins(self) -> bool:
        """Whether this time makes it a rivalry."""
        return self.times == _RIVAL_TIMES

    @property
    def until(self) -> float:
        """When ours may be put back, by the clock of `now`; in the past where there is no rivalry."""
        if self.times < _RIVAL_TIMES:
            return -math.inf
        first, most = _RIVAL_SECONDS
        return self.last + min(most, first * 2.0 ** min(self.times - _RIVAL_TIMES, 30))


class RateLimiter(Generic[Key]):
    """How fast each of many keys may go: at once while what it spent is within its credit, then as it is paid back.

    What is spent is in seconds, and paid back in as many. A key that is left alone has all of its credit again.
    """

    def __init__(self, credit_seconds: float) -> None:
        self._credit = credit_seconds
        self._paid_at: dict[Key, float] = {}

    def spend(self, key: Key, now: float, seconds: float) -> None:
        """Note what a key has spent. Nobody owes more than one such sum, even who went on without waiting."""
        self._paid_at[key] = min(max(self._paid_at.get(key, now), now), now + self._credit) + seconds

    def wait(self, key: Key, now: float) -> float:
        """Seconds until the key may go on; 0 while it has credit."""
        return max(0.0, self._paid_at.get(key, now) - now - self._credit)

    def forget(self, key: Key) -> None:
        """The key is gone for good."""
        self._paid_at.pop(key, None)
