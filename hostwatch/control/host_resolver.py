"""Follows the nameservers of the host, while a subscriber asks for them."""

from collections.abc import Callable
from typing import NoReturn, Protocol

import anyio
from loguru import logger

from hostwatch.control.causes import HOST_RESOLVER
from hostwatch.core.host_resolver import HostResolver
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store


class HostResolverSource(Protocol):
    """The host's own resolv.conf, as the control loop sees it."""

    async def follow(self, changed: Callable[[HostResolver], None]) -> NoReturn:
        """Report what the host uses, at first and after each change, for ever."""


class HostResolverLoop:
    """Keeps the store like the host's resolv.conf. Nothing is read or watched while no subscriber asks for it."""

    def __init__(self, source: HostResolverSource, store: Store, affected: Callable[[FileKeys, str], None]) -> None:
        self._source = source
        self._store = store
        self._affected = affected
        self._is_following = False
        self._turned = anyio.Event()

    def look(self) -> None:
        """Begin to follow, or end, if the subscribers have changed so."""
        if self._store.asks_host_resolver is not self._is_following:
            self._turned.set()

    async def run(self) -> NoReturn:
        """Follow for ever, as long as it is asked for."""
        while True:
            self._turned = anyio.Event()
            self._is_following = self._store.asks_host_resolver
            async with anyio.create_task_group() as tasks:
                if self._is_following:
                    tasks.start_soon(self._source.follow, self._take, name="follow the host's resolv.conf")
                await self._turned.wait()
                tasks.cancel_scope.cancel()
            self._store.put_host_resolver(None)  # nobody is affected: while it is not followed, nothing is known

    def _take(self, found: HostResolver) -> None:
        if found.fault is None:
            servers, domains = ", ".join(map(str, found.nameservers)), " ".join(found.search)
            logger.info("nameservers of the host: {}; search domains: {}", servers, domains or "none")
        else:
            logger.warning("nameservers of the host: none; {}", found.fault)
        self._affected(self._store.put_host_resolver(found), HOST_RESOLVER)
