"""Runs the daemon, or a survey for a command."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from hostwatch import app
from hostwatch.cli.configuring import daemon_settings, engine_of, listening, reread, settings_of
from hostwatch.cli.failing import explained, run
from hostwatch.cli.options import Common
from hostwatch.cli.printing import USAGE, fail
from hostwatch.config.faults import ConfigError
from hostwatch.config.settings import Settings
from hostwatch.control.source import EngineError
from hostwatch.control.survey import FileReport, Survey
from hostwatch.docker.connect import AddressError
from hostwatch.terminal.progress import progress_bar

T = TypeVar("T")


def follow(common: Common, http_listen: str | None) -> bool:
    """Run the daemon; returns whether a signal ended it. `http_listen` overrides the configuration."""
    try:
        settings = listening(daemon_settings(common), http_listen)
    except ConfigError as error:
        fail(str(error), USAGE)

    async def serve() -> bool:
        configured = app.Configured(settings, engine_of(common, settings))
        return await app.run(configured, reread_again)

    def reread_again() -> app.Configured:
        fresh, connection = reread(common)
        return app.Configured(listening(fresh, http_listen), connection)

    with explained():
        return run(serve)


def surveyed(common: Common, use: Callable[[Survey], Coroutine[Any, Any, T]], *, alone: bool = False) -> T:
    """The result of a survey; `alone`: only if no daemon keeps the files."""
    return surveyed_by(common, settings_of(common), use, alone=alone)


def cleaned(common: Common, *, alone: bool) -> list[FileReport]:
    """The files that were cleaned, or could not be. If the engine is away, those on the host are cleaned at least."""
    settings = settings_of(common)
    with explained():
        try:
            return run(partial(_survey, common, settings, Survey.cleaned, alone=alone))
        except AddressError:
            raise
        except EngineError:
            run(partial(app.clear_host_files, settings))
            raise


def surveyed_by(
    common: Common, settings: Settings, use: Callable[[Survey], Coroutine[Any, Any, T]], *, alone: bool = False
) -> T:
    """The same by settings that may be of no file."""
    with explained():
        return run(partial(_survey, common, settings, use, alone=alone))


async def _survey(
    common: Common, settings: Settings, use: Callable[[Survey], Coroutine[Any, Any, T]], *, alone: bool
) -> T:
    with progress_bar() as progress:
        async with app.survey(settings, engine_of(common, settings), alone=alone, progress=progress) as survey:
            return await use(survey)
