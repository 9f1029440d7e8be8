"""Writes cautions, entries that are valid but probably mistakes, to the daemon's log."""

from itertools import chain
from typing import NoReturn

import anyio
from loguru import logger

from hostwatch.config import cautions
from hostwatch.config.settings import Settings
from hostwatch.control.view import View
from hostwatch.core.model import EngineId
from hostwatch.core.resolve.hiding import hidings
from hostwatch.core.resolve.unanswered import unanswered
from hostwatch.core.store.lister import Lister

_CAUTION_SECONDS = 10.0
"""Wait before the containers are checked, after the first reading or a new configuration. At boot more of them start
meanwhile."""


class CautionLog:
    """Logs the cautions of each configuration once, without those of the configuration before."""

    def __init__(self, settings: Settings, lister: Lister) -> None:
        self._lister = lister
        self._settings = settings
        self._adopted = anyio.Event()

    def adopt(self, settings: Settings) -> None:
        """Log the cautions of a new configuration."""
        self._settings = settings
        self._adopted.set()

    async def run(self, view: View, loaded: anyio.Event) -> NoReturn:
        """Log cautions for ever, once the engine of `view` is `loaded`."""
        logged: frozenset[str] = frozenset()
        while True:
            self._adopted = anyio.Event()
            alone = frozenset(map(str, cautions.of_file(self._settings)))
            _warn(alone - logged)
            await loaded.wait()
            await anyio.sleep(_CAUTION_SECONDS)
            found = alone | self._beside(view.engine_id)
            _warn(found - logged - alone)
            logged = found
            await self._adopted.wait()

    def _beside(self, engine: EngineId | None) -> frozenset[str]:
        """The cautions that follow from the settings and the engine's containers."""
        if engine is None:
            return frozenset()
        found = cautions.beside(self._settings, self._lister, engine), unanswered(self._lister, engine)
        return frozenset(map(str, chain(*found, hidings(self._lister, engine))))


def _warn(found: frozenset[str]) -> None:
    for caution in sorted(found):
        logger.warning("{}", caution)
