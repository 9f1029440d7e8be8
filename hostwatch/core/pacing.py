"""How long to wait before trying again: a state machine that takes its randomness as an argument."""

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
