"""Runs the daemon, or a survey for a command, and ends the program with a message if that fails."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio

from hostwatch import app
from hostwatch.cli.configuring import engine_of, listening, reread, settings_of
from hostwatch.cli.options import Common
from hostwatch.cli.printing import FAILED, USAGE, fail
from hostwatch.config.faults import ConfigError
from hostwatch.control.source import EngineError, GoneError, first_leaf
from hostwatch.control.subscribers import NoNameError, NoSubscriberError
from hostwatch.control.survey import Survey
from hostwatch.docker.connect import AddressError
from hostwatch.terminal.progress import progress_bar

T = TypeVar("T")

_FORESEEN = (EngineError, GoneError, NoNameError, NoSubscriberError, app.KeptError)
"""Errors with a message that tells the user the remedy."""


def follow(common: Common, http_listen: str | None) -> bool:
    """Run the daemon; returns whether a signal ended it. `http_listen` overrides the configuration."""
    try:
        settings = listening(settings_of(common), http_listen)
    except ConfigError as error:
        fail(str(error), USAGE)

    async def run() -> bool:
        configured = app.Configured(settings, engine_of(common, settings))
        return await app.run(configured, reread_again)

    def reread_again() -> app.Configured:
        fresh, connection = reread(common)
        return app.Configured(listening(fresh, http_listen), connection)

    return run_async(run)


def surveyed(common: Common, use: Callable[[Survey], Coroutine[Any, Any, T]], *, alone: bool = False) -> T:
    """The result of a survey; `alone`: only if no daemon keeps the files."""
    settings = settings_of(common)

    async def survey_and_use() -> T:
        with progress_bar() as progress:
            async with app.survey(settings, engine_of(common, settings), alone=alone, progress=progress) as survey:
                return await use(survey)

    return run_async(survey_and_use)


def run_async(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The function's result. An error that a user can mend ends the program with its message."""
    try:
        return anyio.run(function, backend_options={"use_uvloop": True})
    except AddressError as error:
        fail(str(error), USAGE)
    except _FORESEEN as error:
        fail(str(error), FAILED)
    except BaseExceptionGroup as group:
        known, other = group.split(_FORESEEN)
        if known is None or other is not None:
            raise
        fail(str(first_leaf(known)), FAILED)
