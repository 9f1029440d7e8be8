"""Follows what is below a prefix: a list once, then a watch, at one server after the other, for ever.

A watch is begun anew at the revision after the last one that was told, so that nothing is lost or told twice. That is
never the revision of a message's header: the watch may not have come so far. A list is read again where the history
ends: it is compacted, or the store was made anew or restored.
"""

import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NoReturn

import anyio
from loguru import logger

from hostwatch.control.clock import loop_time
from hostwatch.control.key_values import Listed, StoreError
from hostwatch.etcd import wire
from hostwatch.etcd.changes import Changes
from hostwatch.etcd.failures import ServerError
from hostwatch.etcd.listing import listed, position
from hostwatch.etcd.outage import Outage, Pauses
from hostwatch.etcd.servers import Servers
from hostwatch.etcd.watching import NotToBeHadError, Watch, watching
from hostwatch.etcd.wire import NOWHERE

_PROBE_SECONDS = 1.0
"""Time between two questions whether the watched server lives. A frozen one, or one cut off from the others, would
never end a watch by itself; it is left after three seconds at the latest."""
_LIST_SECONDS = 1.0
"""The least time between two lists: whoever writes what no watch can tell causes one list each."""


class Following:
    """One prefix and its follower."""

    def __init__(self, servers: Servers, prefix: str, changes: Changes) -> None:
        self._servers = servers
        self._prefix = prefix
        self._changes = changes
        self._outage = Outage(len(servers))
        self._position = NOWHERE
        """What was told ends here. Nowhere: a list is needed."""
        self._heard_at = -math.inf
        """When the watch last told something."""

    async def run(self) -> NoReturn:
        """Follow for ever."""
        pauses = Pauses()
        listed_at = -_LIST_SECONDS
        while True:
            server = self._servers.current
            try:
                await self._servers.renew_tls()
                if self._position is NOWHERE:
                    await anyio.sleep(max(0.0, listed_at + _LIST_SECONDS - loop_time()))
                    await self._list(server)
                    listed_at = loop_time()
                await self._watch(server, pauses)
            except NotToBeHadError as error:
                logger.debug("etcd: {}; {} is listed again", error, self._prefix)
                self._position = NOWHERE
            except StoreError as error:
                self._servers.leave(server, error)
                self._changes.put(self._outage.failed(server, str(error)))
                if self._outage.is_pause_due:
                    await anyio.sleep(pauses.failed(error, random.random()))  # noqa: S311

    async def _list(self, server: str) -> None:
        try:
            entries, position = await listed(self._servers, server, self._prefix)
        except ServerError as error:
            if error.is_compacted:  # while its pages were read
                raise NotToBeHadError(str(error)) from error
            raise
        self._position = position
        self._changes.put([*self._outage.answered(), Listed(entries)])

    async def _watch(self, server: str, pauses: Pauses) -> NoReturn:
        """Tell changes until the server fails. Raises `StoreError`."""
        await self._probe(server)
        async with watching(self._servers, server, self._prefix, self._position.revision + 1) as watch:
            self._changes.put(self._outage.answered())
            await _until_failure(lambda: self._take(watch), lambda: self._probe_for_ever(server, pauses))

    async def _take(self, watch: Watch) -> NoReturn:
        while True:
            revisions = await watch.revisions()
            self._heard_at = loop_time()
            for revision in revisions:
                self._position = replace(self._position, revision=revision.number)
                self._changes.put(revision.changes)
                await self._changes.room()

    async def _probe_for_ever(self, server: str, pauses: Pauses) -> NoReturn:
        while True:
            await anyio.sleep(_PROBE_SECONDS)
            begun = loop_time()
            try:
                await self._probe(server)
            except ServerError as error:
                # A server that tells changes meanwhile is late, not dead. To begin the watch anew would only have it
                # tell the same again, with all other followers.
                if error.is_final or self._heard_at < begun:
                    raise
                continue
            self._outage.ended()
            pauses.succeeded()

    async def _probe(self, server: str) -> None:
        """Ask for what only a server that hears from most others can answer. Raises `StoreError`."""
        before = self._position
        body = {**wire.one(self._prefix), "count_only": True}
        now = position(server, await self._servers.ask_one(server, "/v3/kv/range", body))
        if not before.is_of(now):
            raise NotToBeHadError(f"{server} has another history: the store was made anew or restored")
        self._position = replace(self._position, term=now.term)


async def _until_failure(*works: Callable[[], Awaitable[NoReturn]]) -> NoReturn:
    """Work at all until one fails. Raises its `StoreError`."""
    faults: list[StoreError] = []

    async def run(work: Callable[[], Awaitable[NoReturn]]) -> None:
        try:
            await work()
        except StoreError as error:
            faults.append(error)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for work in works:
            tasks.start_soon(run, work)
    raise faults[0]
