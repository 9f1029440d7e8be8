"""Back-off, debounce, rivalry, rate limit: state machines that take the time and a random number as arguments."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

_RIVAL_TIMES = 5
"""Our value is put back at once this many times in a row. A person would have noticed by then, so the other writer
must be a program."""
_RIVAL_SECONDS = (1.0, 60.0)
"""After that, our value waits this long: at first, and at most."""
_RIVAL_FORGOTTEN_SECONDS = 900.0
"""After this time without a change the count begins anew. A file written by exec is checked every five minutes."""


@dataclass(slots=True)
class Backoff:
    """Doubles from `first` to `most` seconds. Each wait is shortened by up to half, so that retries are spread."""

    first: float
    most: float
    failures: int = 0

    def failed(self, chance: float) -> float:
        """Seconds to wait after one more failure; `chance` is a random number from 0 to 1."""
        wait = min(self.most, self.first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return wait * (1 - chance / 2)

    def succeeded(self) -> None:
        """Begin with the first wait again."""
        self.failures = 0


class Debounce:
    """Says when a value has settled: after `quiet` seconds without a change, or after `most` seconds at the latest.

    Without a latest moment, a value that never settles would be waited for without end.
    """

    def __init__(self, now: float, quiet: float, most: float) -> None:
        self._quiet = quiet
        self._latest = now + most
        self.due = now + quiet
        """The time at which the value counts as settled, by the clock of `now`."""

    def changed(self, now: float) -> None:
        """The value changed once more."""
        self.due = min(now + self._quiet, self._latest)


@dataclass(frozen=True, slots=True)
class Rivalry(Generic[Key]):
    """Counts how often in a row another writer has replaced our value by the same one, and says when to write again.

    Two writers that do not know of each other would overwrite each other as fast as they can. A single change, a
    different value each time, or a change after a long silence is no rivalry.
    """

    theirs: Key | None = None
    times: int = 0
    last: float = -math.inf
    """The time at which their value was last seen, by the clock of `now`."""

    def returned(self, theirs: Key, now: float) -> "Rivalry[Key]":
        """The rivalry after their value has replaced ours once more."""
        goes_on = theirs == self.theirs and now - self.last < _RIVAL_FORGOTTEN_SECONDS
        return Rivalry(theirs, self.times + 1 if goes_on else 1, now)

    @property
    def begins(self) -> bool:
        """Whether this very change makes it a rivalry."""
        return self.times == _RIVAL_TIMES

    @property
    def until(self) -> float:
        """The time at which our value may be put back, by the clock of `now`; in the past if there is no rivalry."""
        if self.times < _RIVAL_TIMES:
            return -math.inf
        first, most = _RIVAL_SECONDS
        return self.last + min(most, first * 2.0 ** min(self.times - _RIVAL_TIMES, 30))


class RateLimiter(Generic[Key]):
    """A token bucket for each key. Tokens are seconds: each key has `credit_seconds` of them, and regains one a second.

    A key may go on at once while it has tokens. An action that spends more tokens than are left makes the key wait.
    """

    def __init__(self, credit_seconds: float) -> None:
        self._credit = credit_seconds
        self._full_at: dict[Key, float] = {}
        """The time at which each key's bucket is full again."""

    def spend(self, key: Key, now: float, seconds: float) -> None:
        """Take tokens from a key. It is never short of more than `seconds`, even if it went on without waiting."""
        self._full_at[key] = min(max(self._full_at.get(key, now), now), now + self._credit) + seconds

    def wait(self, key: Key, now: float) -> float:
        """Seconds until the key may go on; 0 while it has tokens."""
        return max(0.0, self._full_at.get(key, now) - now - self._credit)

    def forget(self, key: Key) -> None:
        """Forget a key that is gone for good."""
        self._full_at.pop(key, None)
