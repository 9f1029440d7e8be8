"""How long to wait: state machines that take the time and their randomness as arguments."""

from dataclasses import dataclass


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


class Allowance:
    """How often something may happen: `burst` times at once, and from then on `per_second`."""

    def __init__(self, burst: float, per_second: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._left = burst
        self._at = 0.0

    def wait(self, now: float) -> float:
        """Seconds until it may happen; 0 if it may now, which then counts."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1.0:
            return (1.0 - self._left) / self._per_second
        self._left -= 1.0
        return 0.0

    def charge(self, times: float) -> None:
        """Have it count for so many times more."""
        self._left -= times
