"""Follows one catalog for the services that have their addresses from it.

While the catalog is away, what it last told stays. An answer without any instance is doubted for a while.
"""

import random
import time
from collections.abc import Iterable
from functools import partial
from typing import NoReturn

import anyio
import anyio.to_thread
from loguru import logger

from hostwatch.control.catalog import Catalog, CatalogError, OpenCatalog
from hostwatch.control.clock import loop_time
from hostwatch.control.refused import Refused
from hostwatch.control.remotes import Remotes, SourceState
from hostwatch.control.turns import Turns
from hostwatch.core.catalog import INSTANCE_LIMIT, Doubt, Entry, Instance, Refusal, endpoints
from hostwatch.core.remote import RemoteEndpoint, catalog_group
from hostwatch.core.timing import Backoff

_AGAIN_SECONDS = (0.5, 10.0)
"""Time between attempts to connect, at first and at most. Many hosts may ask the same catalog."""
_REREAD_SECONDS = 300.0
"""Time after which everything is read again, in case a change was not told; Consul's own default for a question."""
_AT_ONCE = 500
"""A thread orders and compares more instances than that: each takes some microseconds."""


class _Sight:
    """What the last answer was, as it is reported."""

    def __init__(self) -> None:
        self.is_up: bool | None = None
        """`None`: it has neither answered nor failed yet."""
        self.fault = "it has not answered yet"
        self.since = time.time()

    def becomes(self, fault: str, *, is_up: bool) -> bool:
        """Take it in; returns whether the catalog is lost or regained by it. A reason may change while it is lost."""
        turned, self.fault = self.is_up is not is_up, fault
        if turned:
            self.is_up, self.since = is_up, time.time()
        return turned


class CatalogFollower:
    """Writes the instances of one catalog to the remotes, as the endpoints of each service."""

    def __init__(self, catalog: Catalog, services: Iterable[str], remotes: Remotes, open_catalog: OpenCatalog) -> None:
        self._catalog = catalog
        self._services = tuple(services)
        self._remotes = remotes
        self._open = open_catalog
        self._sight = _Sight()
        self._refused = Refused(str(catalog), "the entry {} is refused: {}")
        self._doubt = Doubt(catalog.grace_seconds)
        self._known: tuple[Instance, ...] | None = None
        """What is believed; `None`: nothing yet."""

    def __repr__(self) -> str:
        return f"<CatalogFollower: {self._catalog}, for {', '.join(self._services)}>"

    async def run(self) -> NoReturn:
        """Follow it for ever."""
        backoff = Backoff(*_AGAIN_SECONDS)
        self._report()
        while True:
            try:
                await self._follow(backoff)
            except CatalogError as error:
                self._lost(str(error))
            await anyio.sleep(backoff.failed(random.random()))  # noqa: S311 (it spreads, and guards nothing)

    async def _follow(self, backoff: Backoff) -> NoReturn:
        async with self._open(self._catalog) as client:
            while True:
                wait = self._doubt.wait(loop_time())
                await self._take(await client.entries(_REREAD_SECONDS if wait is None else min(wait, _REREAD_SECONDS)))
                backoff.succeeded()

    async def _take(self, entries: Iterable[Entry]) -> None:
        instances, refused, over = list[Instance](), dict[str, str](), 0
        turns = Turns()
        for each in entries:
            await turns.give()
            if len(instances) + len(refused) >= INSTANCE_LIMIT:
                over += 1
            elif isinstance(each, Refusal):
                refused[each.key] = each.reason
            else:
                instances.append(each)
        self._refused.tell(refused)
        work = partial(_ordered, instances, self._known)
        found, is_known = await anyio.to_thread.run_sync(work) if len(instances) > _AT_ONCE else work()
        fault = await self._believe(found, is_known=is_known)
        self._answered(fault or _left_out(len(refused), over), len(found))

    async def _believe(self, found: tuple[Instance, ...], *, is_known: bool) -> str:
        """Write what was found to the remotes; returns why it is not believed."""
        was_doubted = self._doubt.until is not None
        is_believed = self._doubt.is_believed(has_instances=bool(found), now=loop_time())
        if is_known:
            return ""
        if not is_believed:
            fault = f"no instance at all, which is not believed for {self._catalog.grace_seconds:g} s; {self._stays}"
            if not was_doubted:
                logger.warning("{}: {}", self._catalog, fault)
            return fault
        if was_doubted:
            logger.info("{}: {}", self._catalog, "there are instances again" if found else "still no instance")
        for service in self._services:
            await self._write(service, found)
        self._known = found
        return ""

    async def _write(self, service: str, found: tuple[Instance, ...]) -> None:
        source, made, turns = catalog_group(service), list[RemoteEndpoint](), Turns()
        for each in endpoints(service, found):
            made.append(each)
            await turns.give()
        await self._remotes.replace(source, made, source)
        self._remotes.heard(source)

    @property
    def _stays(self) -> str:
        is_known = any(self._remotes.of(catalog_group(service)) for service in self._services)
        return "what was known stays" if is_known else "nothing is known"

    def _answered(self, fault: str, count: int) -> None:
        if self._sight.becomes(fault, is_up=True):
            logger.info("{}: it answers; instances: {}", self._catalog, count)
        self._report()

    def _lost(self, fault: str) -> None:
        self._doubt.ended()
        if self._sight.becomes(fault, is_up=False):
            logger.warning("{}: {}; {}", self._catalog, fault, self._stays)
        self._report()

    def _report(self) -> None:
        sight = self._sight
        for service in self._services:
            source = catalog_group(service)
            count = len(self._remotes.of(source))
            self._remotes.report(
                source, SourceState("catalog", service, bool(sight.is_up), sight.since, sight.fault, count)
            )


def _ordered(instances: Iterable[Instance], known: tuple[Instance, ...] | None) -> tuple[tuple[Instance, ...], bool]:
    """The instances in order, and whether they are those that are known."""
    found = tuple(sorted(instances, key=lambda each: each.key))
    return found, found == known


def _left_out(refused: int, over: int) -> str:
    parts = []
    if refused:
        parts.append(f"refused entries: {refused} (the log says which, and why)")
    if over:
        parts.append(f"{over} entries are over the limit of {INSTANCE_LIMIT} and left out")
    return "; ".join(parts)
