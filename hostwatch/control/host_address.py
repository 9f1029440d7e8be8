"""Follows the host's own addresses to others while the configuration says `advertise: auto`.

Nothing is opened otherwise. While the kernel cannot be asked, the addresses are unknown, or stay as last known.
"""

import random
from collections.abc import Callable
from contextlib import closing
from typing import NoReturn, Protocol

import anyio
from loguru import logger

from hostwatch.control.causes import HOST_ADDRESS
from hostwatch.core.model import HostAddresses
from hostwatch.core.rules import AUTO
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store
from hostwatch.core.timing import Backoff
from hostwatch.drop_ins import drop_in

_PAUSE_SECONDS = 0.2
"""Time between two questions. The first message after a quiet time is followed at once; each container that starts
causes some ten of them, over 0.3 s, and to wake up for one takes half a millisecond."""
_AGAIN_SECONDS = (1.0, 300.0)
"""Time between attempts while netlink is not allowed, at first and at most."""
_REMEDY = (
    "the systemd unit allows it with the drop-in {}, a container with config/compose.advertise.yaml; or write an"
    " address as `advertise`"
)


class Routes(Protocol):
    """The host's routes. Each call may raise `OSError`."""

    def found(self) -> HostAddresses:
        """The host's addresses to others now."""

    async def changed(self) -> None:
        """Wait until they may be others."""

    def close(self) -> None:
        """Follow them no longer."""


OpenRoutes = Callable[[], Routes]
"""Begins to follow the host's routes. Raises `OSError`."""


class HostAddressLoop:
    """Keeps the host's addresses in the store."""

    def __init__(self, store: Store, open_routes: OpenRoutes, changed: Callable[[FileKeys, str], None]) -> None:
        """`changed` gets the hosts files that may be affected, and the cause."""
        self._store = store
        self._open_routes = open_routes
        self._changed = changed
        self._adopted = anyio.Event()

    def adopt(self) -> None:
        """Do as the store's rules say now."""
        self._adopted.set()

    async def run(self) -> NoReturn:
        """Follow the addresses for ever, while the rules say so."""
        while True:
            self._adopted = anyio.Event()
            if self._store.rules.advertise == AUTO:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._follow, name="follow the host's routes")
                    await self._adopted.wait()
                    tasks.cancel_scope.cancel()
            else:
                self._store.put_host_addresses(None)
                await self._adopted.wait()

    async def _follow(self) -> NoReturn:
        backoff = Backoff(*_AGAIN_SECONDS)
        while True:
            try:
                with closing(self._open_routes()) as routes:
                    await self._follow_these(routes, backoff)
            except OSError as error:
                if backoff.failures == 0:
                    remedy = _REMEDY.format(drop_in("advertise.conf"))
                    logger.warning("advertise: auto: netlink is not allowed here ({}); {}", error.strerror, remedy)
                await anyio.sleep(backoff.failed(random.random()))  # noqa: S311

    async def _follow_these(self, routes: Routes, backoff: Backoff) -> NoReturn:
        while True:
            self._take(routes.found())
            backoff.succeeded()
            await anyio.sleep(_PAUSE_SECONDS)
            await routes.changed()

    def _take(self, found: HostAddresses) -> None:
        before = self._store.host_addresses
        if found == before:
            return
        own = " and ".join(str(address) for address in (found.ipv4, found.ipv6) if address is not None)
        if own:
            logger.info("advertise: auto: this host's address to others is {}", own)
        else:
            logger.warning("advertise: auto: this host has no default route; lines with its address linger, then go")
        self._changed(self._store.put_host_addresses(found), HOST_ADDRESS)
