"""Asks the running daemon: it alone knows what lingers, what is hinted, and since when."""

import os
from collections.abc import Iterable
from functools import partial
from typing import Any

import anyio

from hostwatch.cli.configuring import engine_of, settings_of
from hostwatch.cli.failing import explained, run
from hostwatch.cli.options import Common
from hostwatch.cli.printing import FAILED, complain, fail
from hostwatch.config.settings import Settings
from hostwatch.control.source import EngineError, GoneError
from hostwatch.docker.connect import Connection
from hostwatch.docker.engine import DockerEngine
from hostwatch.hosts.run_directory import RUN
from hostwatch.http.client import Client, NoDaemonError, RefusedError, client_for

_ENGINE_SECONDS = 3.0
"""Time for the engine to tell its id."""


def daemon_of(common: Common) -> Client | None:
    """The daemon that keeps the files of the engine that the options name; `None` if it has no control socket here."""
    settings = settings_of(common)
    with explained():
        return daemon_with(common, settings)


def daemon_with(common: Common, settings: Settings) -> Client | None:
    """The same, with settings that are read already. Raises `EngineError` if it is not known which engine is meant.

    While the engine is away, its daemon is not known. Then the only one of this machine is asked, unless the user has
    named the engine: another engine's daemon must not answer for it.
    """
    if not [*RUN.glob("*.sock")]:
        return None
    engine = run(partial(_engine_id, engine_of(common, settings)))
    named = (common.docker_host, settings.docker.host, os.environ.get("DOCKER_HOST"), os.environ.get("DOCKER_CONTEXT"))
    return client_for(RUN, engine) if engine is not None or not any(named) else None


def answered(common: Common, path: str, query: Iterable[tuple[str, str]] = ()) -> Any:
    """The daemon's answer; `None` if there is no daemon that answers. Ends the program if it refuses the question."""
    if (client := daemon_of(common)) is None:
        return None
    try:
        return client.get(path, query)
    except RefusedError as error:
        fail(str(error), FAILED)
    except NoDaemonError as error:
        complain(str(error))
        return None


async def _engine_id(connection: Connection) -> str | None:
    with anyio.move_on_after(_ENGINE_SECONDS):
        try:
            async with DockerEngine(connection) as source:
                return (await source.info()).id
        except (EngineError, GoneError):
            pass
    return None
