"""Completes the names of subscribers and services while the user types. Whatever fails, nothing is said.

A name comes here only if no shell gives a meaning to any of its characters: containers choose some of these names.
"""

import io
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from hostwatch.cli.options import Common, given

if TYPE_CHECKING:
    from hostwatch.config.settings import Settings

_PATIENCE_SECONDS = 1.5
"""A user who waits longer thinks that the shell hangs."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
"""What Docker takes for a container's name, which is more than a host's name may have."""

_BREAKS = (":", "=")


class _Known(NamedTuple):
    subscribers: Iterable[str]
    """The words that mean one: names, and keys of the configuration."""
    names: Iterable[str]
    """Names that a file may have."""


def join_words() -> None:
    """Put together the words that bash has split at `:` and `=`, as in URLs, before the one that is completed."""
    words, at = os.environ.get("COMP_WORDS", "").split("\n"), int(os.environ.get("COMP_CWORD", "0"))
    joined: list[str] = []
    for before, word in pairwise(["", *words[:at]]):
        if joined and (word in _BREAKS or before in _BREAKS):
            joined[-1] += word
        else:
            joined.append(word)
    if len(joined) < at:
        os.environ.update(COMP_WORDS="\n".join([*joined, *words[at:]]), COMP_CWORD=str(len(joined)))


def subscriber_names(context: typer.Context, incomplete: str) -> list[str]:
    """The names of subscribers that begin so."""
    return _beginning(incomplete, lambda: _known(context).subscribers, context.params.get("subscribers"))


def record_names(context: typer.Context, incomplete: str) -> list[str]:
    """The names of services that begin so."""
    return _beginning(incomplete, lambda: _known(context).names, context.params.get("names"))


def _beginning(incomplete: str, names: Callable[[], Iterable[str]], already: Iterable[str] | None) -> list[str]:
    """These names that begin so and are not given already, if they are found in time."""
    found: list[str] = []

    def find() -> None:
        with suppress(Exception, SystemExit):  # the user is in the middle of a line
            found.extend({name for name in names() if name.startswith(incomplete) and _PLAIN.fullmatch(name)})

    sys.stderr = io.StringIO()  # until the process ends
    finding = threading.Thread(target=find, daemon=True)
    finding.start()
    finding.join(_PATIENCE_SECONDS)
    return sorted({*found}.difference(already or ()))


def _known(context: typer.Context) -> _Known:
    """What the daemon knows; without one, what the engine's list of containers shows."""
    from hostwatch.cli.asking import daemon_with
    from hostwatch.cli.configuring import loaded
    from hostwatch.cli.failing import run

    common = given(context)
    settings = loaded(common)
    if (daemon := daemon_with(common, settings)) is None:
        return run(lambda: _listed(common, settings))
    subscriber = context.params.get("subscriber")
    found = daemon.get("/api/v1/state", [("subscriber", subscriber)] if subscriber else ())
    keys = [rule.key for rule in settings.rules().subscribers]
    return _Known([*(each["name"] for each in found["subscribers"]), *keys], _names(found, of_file=bool(subscriber)))


async def _listed(common: Common, settings: "Settings") -> _Known:
    """Everything that one request tells."""
    from hostwatch.cli.configuring import engine_of
    from hostwatch.control.status import state
    from hostwatch.control.subscribers import names
    from hostwatch.core.store.store import Store
    from hostwatch.docker.engine import DockerEngine

    store = Store(settings.rules())
    async with DockerEngine(engine_of(common, settings)) as source:
        engine = await source.info()
        for container in await source.containers():
            store.put(container)
        return _Known(names(store), _names(await state(engine, store, ())))


def _names(found: Mapping[str, Any], *, of_file: bool = False) -> Iterator[str]:
    """The names that the services have, or those in the lines of a file."""
    if not of_file:
        for service in found["services"]:
            yield from service["names"]
    else:
        for subscriber in found["subscribers"]:
            for record in subscriber["records"]:
                yield from record["names"]
            for withheld in subscriber["withheld"]:
                yield from withheld["line"].split()[1:]
