"""Asks the running daemon: it alone knows what lingers, what is hinted, and since when."""

from collections.abc import Iterable
from typing import Any

import anyio

from hostwatch.cli.configuring import engine_of, settings_of
from hostwatch.cli.options import Common
from hostwatch.cli.printing import FAILED, complain, fail
from hostwatch.control.source import EngineError, GoneError
from hostwatch.docker.connect import Connection
from hostwatch.docker.engine import DockerEngine
from hostwatch.hosts.lock import RUN
from hostwatch.http.client import Client, NoDaemonError, RefusedError, client_for

_ENGINE_SECONDS = 3.0
"""Time for the engine to tell its id. If it does not, the only daemon of this machine is asked."""


def daemon_of(common: Common) -> Client | None:
    """The daemon that keeps the files of the engine that the options name; `None` if it has no control socket here."""
    if not [*RUN.glob("*.sock")]:
        return None
    connection = engine_of(common, settings_of(common))
    return client_for(RUN, anyio.run(_engine_id, connection, backend_options={"use_uvloop": True}))


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
