"""What a follower is told of the store's being away, and how long to wait before the next attempt."""

from hostwatch.control.key_values import Away, Back, StoreError
from hostwatch.core.timing import Backoff
from hostwatch.etcd.failures import ServerError
from hostwatch.etcd.servers import all_failed

_AGAIN_SECONDS = (0.2, 1.5)
"""Time between rounds of all servers while none answers, at first and at most. Each wait is shortened by lot, so that
many hosts do not come back at once; all are there within two seconds."""
_REFUSED_SECONDS = (1.0, 30.0)
"""While a server answers, but refuses: a person must act, and each wrong password costs a server 70 ms of work."""


class Pauses:
    """The waits before attempts."""

    def __init__(self) -> None:
        self._away = Backoff(*_AGAIN_SECONDS)
        self._refused = Backoff(*_REFUSED_SECONDS)

    def failed(self, error: StoreError, chance: float) -> float:
        """Seconds to wait after a failure; `chance` is a random number from 0 to 1."""
        is_final = not isinstance(error, ServerError) or error.is_final
        return (self._refused if is_final else self._away).failed(chance)

    def succeeded(self) -> None:
        """Begin with the first waits again."""
        self._away.succeeded()
        self._refused.succeeded()


class Outage:
    """Decides when the store counts as away: when all servers have failed, and a single one twice."""

    def __init__(self, servers: int) -> None:
        self._servers = servers
        self._failures = 0
        """Since a server did well."""
        self._faults: dict[str, str] = {}
        self._told: str | None = None
        """The fault that was told last; empty: that the store is back."""

    @property
    def is_pause_due(self) -> bool:
        """Whether to wait before the next attempt: the store is away, and each server was tried once more."""
        return bool(self._told) and self._failures % self._servers == 0

    def failed(self, server: str, fault: str) -> list[Away]:
        """A server failed; returns what to tell."""
        self._failures += 1
        self._faults[server] = fault
        told = all_failed(list(self._faults.values()))
        if self._failures < max(2, self._servers) or told == self._told:
            return []
        self._told = told
        return [Away(told)]

    def answered(self) -> list[Back]:
        """A server answered; returns what to tell. It may still fail at once."""
        if self._told == "":
            return []
        self._told = ""
        return [Back()]

    def ended(self) -> None:
        """A server has done well for a while."""
        self._failures = 0
        self._faults.clear()
