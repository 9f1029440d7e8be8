"""What is valid in the configuration and can hardly be meant, told in the daemon's log."""

from itertools import chain
from typing import NoReturn, Protocol

import anyio
from loguru import logger

from hostwatch.config import Settings, cautions
from hostwatch.core.model import EngineId
from hostwatch.core.resolve.unanswered import unanswered
from hostwatch.core.store.lister import Lister

_CAUTION_SECONDS = 10.0
"""How long after the first reading, or a new configuration, the containers are looked at: more of them may be starting
until then, as at boot."""


class Followed(Protocol):
    """The engine that the daemon follows."""

    @property
    def engine_id(self) -> EngineId | None:
        """The engine; `None` before it has answered."""

    async def loaded(self) -> None:
        """Wait until the engine has been read."""


class CautionLog:
    """Tells the cautions of each configuration once, and none that the one before had, too."""

    def __init__(self, settings: Settings, lister: Lister) -> None:
        self._lister = lister
        self._settings = settings
        self._adopted = anyio.Event()

    def adopt(self, settings: Settings) -> None:
        """Tell the cautions of another configuration."""
        self._settings = settings
        self._adopted.set()

    async def run(self, followed: Followed) -> NoReturn:
        """Tell cautions for ever."""
        told: frozenset[str] = frozenset()
        while True:
            self._adopted = anyio.Event()
            alone = frozenset(map(str, cautions.of_file(self._settings)))
            _warn(alone - told)
            await followed.loaded()
            await anyio.sleep(_CAUTION_SECONDS)
            found = alone | self._beside(followed.engine_id)
            _warn(found - told - alone)
            told = found
            await self._adopted.wait()

    def _beside(self, engine: EngineId | None) -> frozenset[str]:
        """What shows beside the engine's containers."""
        if engine is None:
            return frozenset()
        found = cautions.beside(self._settings, self._lister, engine), unanswered(self._lister, engine)
        return frozenset(map(str, chain(*found)))


def _warn(found: frozenset[str]) -> None:
    for caution in sorted(found):
        logger.warning("{}", caution)
