"""The daemon's answers to those who ask: computed from what it knows, in steps, and kept while nothing changes."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import NamedTuple

import anyio
import anyio.to_thread

from hostwatch.control.blocks import FileKey
from hostwatch.control.clock import loop_time
from hostwatch.control.figures import Figures
from hostwatch.control.gauges import Gauges, measured
from hostwatch.control.history import History, instant
from hostwatch.control.informer.connection import Connection
from hostwatch.control.inquiry import Inquiry
from hostwatch.control.keeper import Keeper
from hostwatch.control.news import News
from hostwatch.control.past import Past, Sinces
from hostwatch.control.reasons import Clock, why
from hostwatch.control.reconcile.reconcilers import Reconcilers
from hostwatch.control.remotes import SourceState
from hostwatch.control.source_list import sources
from hostwatch.control.standing import Standing
from hostwatch.control.status import state
from hostwatch.control.subscribers import called, is_key, matching, names, running
from hostwatch.control.turns import Turns
from hostwatch.control.view import Json
from hostwatch.core.model import EngineId, FileKind
from hostwatch.core.names import shown
from hostwatch.core.store.store import Store

_UNMATCHED = (
    "{}: this entry of the configuration matches no container now, and what it matched before is known by name alone:"
    " give the name of a container"
)
_MOST_KEPT = 10_000
"""An answer with more records is not kept: it would take more than 10 MB."""


class Told(NamedTuple):
    """What the daemon counts and keeps, and by what it tells that something is new."""

    history: History
    past: Past
    figures: Figures
    news: News
    changes: News
    sources: Mapping[str, SourceState]
    """The state of each source of names on other hosts."""


class Answers:
    """What a running daemon tells of itself: its `View`."""

    def __init__(
        self, store: Store, connection: Connection, keeper: Keeper, told: Told, linger_seconds: Callable[[], float]
    ) -> None:
        self.history, self._past, self.figures, self.news, self.changes, self._sources = told
        self._store = store
        self._linger_seconds = linger_seconds
        self._connection = connection
        self._keeper = keeper
        self._since = time.time()
        self.reconcilers: Reconcilers | None = None
        """The files of the engine that is followed; `None` before it has answered."""
        self.is_compared = False
        """Whether every subscriber has been compared once."""
        self._kept: tuple[object, Json] | None = None
        """The last answer, with all that it was made from."""

    @property
    def is_standby(self) -> bool:
        """Whether another hostwatch keeps the files."""
        return self._keeper.standby is not None

    @property
    def is_active(self) -> bool:
        """Whether this process keeps the files, or waits for an engine that is away."""
        return self._keeper.is_active or (not self.is_standby and self._connection.fault is not None)

    @property
    def engine_id(self) -> EngineId | None:
        """The engine that was followed last; `None` before it has answered."""
        engine = self._connection.engine
        return engine.id if engine is not None else None

    @property
    def unready(self) -> str | None:
        """Why the daemon is not ready, in one line; `None` if it is connected and has compared every subscriber."""
        if not self._connection.is_up:
            return f"waiting for the engine ({self._connection.fault or 'no answer yet'})"
        return None if self.is_compared else "not every subscriber has been compared yet"

    async def state(self, words: Sequence[str] = ()) -> Json:
        """The answer of `status --json`, with words of the subscribers that these mean. Raises `NoSubscriberError`."""
        turns, standings = Turns(), list[Standing]()
        for standing in self._standings(words):
            standings.append(standing)
            await turns.give()
        engine = self._connection.engine if self._connection.is_up else None
        others = sources(self._sources)
        if words:
            return await state(engine, self._store, await self._dated(standings), await self._daemon(), others)
        known = (self._store.now(), id(self._store.rules), self._past.version)
        facts = (*known, engine, self.is_standby, standings, others)
        if self._kept is None or self._kept[0] != facts:
            answer = await state(engine, self._store, await self._dated(standings), await self._daemon(), others)
            is_short = sum(len(standing.block.records) for standing in standings) <= _MOST_KEPT
            self._kept = (facts, answer) if is_short else None
            return answer
        return self._kept[1]

    async def gauges(self) -> Gauges:
        """What is measured now."""
        sources = tuple(self._sources.items())
        return await measured(self._store, self._standings(), sources, is_engine_up=self._connection.is_up)

    async def why(self, subscriber: str, names: Sequence[str] = ()) -> Json:
        """The answer of `why --json`. Raises `NoSubscriberError`, and `NoNameError` if no line has one of the names."""
        clock = Clock(loop_time(), time.time(), self._linger_seconds())
        standings = await self._dated([*self._standings([subscriber])])
        return await why(self._store, standings, names, clock, self._sources)

    async def past(self, asked: Inquiry) -> Json:
        """The answer of `history --json`: `changes`, or `blocks` of the moment that is asked for.

        A key of the configuration means what it matches now, and earlier containers of the same names.
        """
        matched = {word: matching(self._store, word) for word in asked.words}
        owners = [owner for its in matched.values() for owner in its]
        keys = {word: called(self._store, its) for word, its in matched.items() if is_key(self._store, word)}
        meant = frozenset[str]().union(*keys.values())
        known = meant.union(names(self._store))
        found = await self._past.answer(replace(asked, words=(*asked.words, *meant)), known, owners)
        notes = [*found.get("notes", ()), *(_UNMATCHED.format(shown(word)) for word, its in keys.items() if not its)]
        return {**found, "notes": notes} if notes else found

    async def _dated(self, standings: Sequence[Standing]) -> Sequence[Standing]:
        """The same, with the times since which their records are as they are."""
        sinces = await self._past.sinces([standing.container.key for standing in standings])
        return [_dated(standing, sinces) for standing in standings]

    def _standings(self, words: Sequence[str] = ()) -> Iterator[Standing]:
        if self.reconcilers is not None:
            yield from map(self.reconcilers.standing, running(self._store, words))

    async def _daemon(self) -> Json:
        return {
            "state": "standby" if self.is_standby else "active",
            "pid": os.getpid(),
            "since": instant(self._since),
            "version": await anyio.to_thread.run_sync(version, "hostwatch"),  # it reads a file
        }


def _dated(standing: Standing, sinces: Sinces) -> Standing:
    """The same, with the times since which the records of its files are as they are."""
    key, resolv = standing.container.key, standing.resolv
    if resolv is not None:
        resolv = resolv._replace(sinces=sinces.get(FileKey(key, FileKind.RESOLV.value), {}))
    return standing._replace(sinces=sinces.get(FileKey(key), {}), resolv=resolv)
