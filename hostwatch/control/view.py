"""What the daemon shows: the interface between it and those who ask, by HTTP or on the control socket.

All answers are computed from what the daemon knows. None asks the engine, reads a file or changes anything.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hostwatch.control.figures import Figures
from hostwatch.control.gauges import Gauges
from hostwatch.control.history import History
from hostwatch.control.inquiry import Inquiry
from hostwatch.control.news import News
from hostwatch.core.model import EngineId

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

    @property
    def is_active(self) -> bool:
        """Whether this process keeps the files, or waits for an engine that is away."""

    @property
    def engine_id(self) -> EngineId | None:
        """The engine that was followed last; `None` before it has answered."""

    @property
    def news(self) -> News:
        """Told when the engine is lost or regained, this process takes over, or is taken over from, or SIGHUP came."""

    @property
    def changes(self) -> News:
        """Told when anything that `state` tells may have changed."""

    async def past(self, asked: Inquiry) -> Json:
        """The answer of `history --json`: `changes`, or `blocks` of the moment that is asked for."""

    async def state(self, words: Sequence[str] = ()) -> Json:
        """The answer of `status --json`, with words of the subscribers that these mean. Raises `NoSubscriberError`."""

    async def why(self, subscriber: str, names: Sequence[str] = ()) -> Json:
        """The answer of `why --json`. Raises `NoSubscriberError`, and `NoNameError` if no line has one of the names."""
