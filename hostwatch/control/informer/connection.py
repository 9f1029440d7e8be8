"""The state of the connection to the engine, and a log line for each change of it."""

import random

import anyio
from loguru import logger

from hostwatch.control.clock import loop_time
from hostwatch.control.source import EngineInfo
from hostwatch.core.timing import Backoff

_BACKOFF_SECONDS = (0.1, 1.0)
"""Back-off while the engine is away, at first and at most: all is right within two seconds of its return."""
_SETTLED_SECONDS = 10.0
"""A connection that has lasted this long resets the back-off. A proxy may cut each connection as soon as it is made."""


class Connection:
    """A connection that is lost and made again. Another engine may have taken the place of the first."""

    def __init__(self) -> None:
        self.engine: EngineInfo | None = None
        """The engine's last known identity."""
        self.fault: str | None = None
        """Why the engine is away; `None` while it is there."""
        self._since: float | None = None
        """The time at which the connection was made (the event loop's seconds); `None` while there is none."""
        self._backoff = Backoff(*_BACKOFF_SECONDS)

    def __repr__(self) -> str:
        return f"<Connection: {'connected' if self.is_up else 'away'}>"

    @property
    def is_up(self) -> bool:
        """Whether the engine is there, and everything has been read."""
        return self._since is not None

    def made(self) -> None:
        """Note that everything has been read from the engine."""
        if not self.is_up and self.engine is not None:
            logger.info("connected to engine {} (API {})", self.engine.version, self.engine.api)
        self._since, self.fault = loop_time(), None

    def lost(self, error: BaseException) -> None:
        """Note that the engine is away."""
        if self._since is not None:
            if loop_time() > self._since + _SETTLED_SECONDS:
                self._backoff.succeeded()
            logger.warning("lost the engine ({}); all records stay until it is back", error)
        elif self.fault is None:
            logger.error("{}; trying again until it is there", error)
        self._since, self.fault = None, str(error)

    async def pause(self) -> None:
        """Wait until the next try is due."""
        await anyio.sleep(self._backoff.failed(random.random()))  # noqa: S311
