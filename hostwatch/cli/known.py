"""The names that can be completed: what the daemon knows; without one, what the engine's list of containers shows."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import typer

from hostwatch.cli.asking import daemon_with
from hostwatch.cli.configuring import engine_of, loaded
from hostwatch.cli.failing import run
from hostwatch.cli.options import Common, given
from hostwatch.config.settings import Settings
from hostwatch.control.status import state
from hostwatch.control.subscribers import names
from hostwatch.core.mentions import given_by
from hostwatch.core.store.store import Store
from hostwatch.docker.engine import DockerEngine


class Known(NamedTuple):
    """The names that were found."""

    subscribers: Iterable[str]
    """The words that mean one: names, and keys of the configuration."""
    names: Iterable[str]
    """Names that a file may have."""


def known(context: typer.Context) -> Known:
    """The names for a line that is being typed."""
    common = given(context)
    settings = loaded(common)
    if (daemon := daemon_with(common, settings)) is None:
        return run(lambda: _listed(common, settings))
    subscriber = context.params.get("subscriber")
    found = daemon.get("/api/v1/state", [("subscriber", subscriber)] if subscriber else ())
    keys = [rule.key for rule in settings.rules().subscribers]
    return Known([*(each["name"] for each in found["subscribers"]), *keys], _names(found, of_file=bool(subscriber)))


async def _listed(common: Common, settings: Settings) -> Known:
    """Everything that one request tells."""
    store = Store(settings.rules())
    async with DockerEngine(engine_of(common, settings)) as source:
        engine = await source.info()
        for container in await source.containers():
            store.put(container)
        return Known(names(store), _names(await state(engine, store, ())))


def _names(found: Mapping[str, Any], *, of_file: bool = False) -> Iterator[str]:
    """The names that the services have, or those in the lines of a file."""
    if not of_file:
        for service in found["services"]:
            yield from service["names"]
    else:
        for subscriber in found["subscribers"]:
            for record in subscriber["records"]:
                yield from record["names"]
            resolv = subscriber.get("resolv") or {"lines": (), "withheld": ()}
            for each in (*subscriber["withheld"], *resolv["withheld"], *resolv["lines"]):
                yield from given_by(each["line"])
