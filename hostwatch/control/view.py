"""What the daemon shows: the interface between it and those who ask, by HTTP or on the control socket.

All answers are computed from what the daemon knows. None asks the engine, reads a file or changes anything.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from hostwatch.control.figures import Figures
from hostwatch.control.gauges import Gauges
from hostwatch.control.history import History

Json = Mapping[str, Any]


class View(Protocol):
    """The daemon, as others see it."""

    @property
    def history(self) -> History:
        """The changes of the files."""

    @property
    def figures(self) -> Figures:
        """What was counted so far."""

    async def gauges(self) -> Gauges:
        """What is measured now."""

    @property
    def unready(self) -> str | None:
        """Why the daemon is not ready, in one line; `None` if it is connected and has compared every subscriber."""

    @property
    def is_standby(self) -> bool:
        """Whether another hostwatch keeps the files."""

    async def state(self) -> Json:
        """The answer of `status --json`."""

    async def why(self, subscriber: str, names: Iterable[str] = ()) -> Json | None:
        """The answer of `why --json`; `None` if there is no such subscriber, or no such name in its lines."""
