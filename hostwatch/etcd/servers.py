"""The servers of one store: which one is asked, and which one is next when it fails."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from loguru import logger

from hostwatch.control.key_values import StoreAddress, StoreError, endpoint
from hostwatch.etcd.failures import ANSWERS, ServerError
from hostwatch.etcd.http import DEADLINE_SECONDS, Http
from hostwatch.etcd.lines import Lines
from hostwatch.etcd.login import Login
from hostwatch.etcd.permissions import denied
from hostwatch.etcd.tls import Tls
from hostwatch.etcd.wire import Message


class Servers:
    """All requests go to the current server. The first one is chosen by lot, so that many hosts spread."""

    def __init__(self, address: StoreAddress) -> None:
        written = [endpoint(each) for each in address.endpoints]
        self._order: Sequence[str] = random.sample(written, len(written))
        self._current = 0
        self._http = Http(Tls(address))
        self._login = Login(self._http, address)

    def __len__(self) -> int:
        return len(self._order)

    @property
    def current(self) -> str:
        """The server that is asked now."""
        return self._order[self._current]

    def leave(self, server: str, error: StoreError) -> None:
        """Ask the next one from now on, unless another request has moved on already."""
        if server == self.current:
            self._current = (self._current + 1) % len(self)
            if len(self) > 1:
                logger.debug("etcd: {}; {} is asked from now on", error, self.current)

    async def ask(self, path: str, body: Message, seconds: float = DEADLINE_SECONDS) -> Message:
        """Ask the current server, and the others in turn if it fails. Raises `ServerError`."""
        faults: list[StoreError] = []
        for _ in self._order:
            server = self.current
            try:
                return await self.ask_one(server, path, body, seconds)
            except ServerError as error:
                if error.is_final:
                    raise
                faults.append(error)
                self.leave(server, error)
        raise ServerError(all_failed(list(map(str, faults))))  # none has refused: one may answer soon

    async def ask_one(self, server: str, path: str, body: Message, seconds: float = DEADLINE_SECONDS) -> Message:
        """Ask one server. Raises `ServerError`."""
        try:
            return await self._asked(server, path, body, seconds)
        except ServerError as error:
            if not error.is_denied:
                raise
            raise denied(error, body) from error

    async def _asked(self, server: str, path: str, body: Message, seconds: float) -> Message:
        token = await self._login.token(server)
        try:
            return await self._http.ask(server, path, body, token, seconds)
        except ServerError as error:
            if not error.is_stale_login:
                raise
            renewed = await self._login.renewed(server, token)
            if not renewed:
                raise
        return await self._http.ask(server, path, body, renewed, seconds)

    @asynccontextmanager
    async def stream(self, server: str, path: str, body: Message) -> AsyncIterator[Lines]:
        """An answer without end from one server. Raises `ServerError`."""
        token = await self._login.token(server)
        try:
            async with self._http.stream(server, path, body, token) as lines:
                yield lines
        except ServerError as error:  # the reader raises it, too, for what the lines say
            if not error.is_denied:
                raise
            raise denied(error, body) from error

    async def renew_tls(self) -> None:
        """Read certificates again that have been replaced. Raises `ServerError`."""
        await self._http.renew_tls()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()


def all_failed(faults: Sequence[str]) -> str:
    """The failures of all servers in one sentence: one stands for all, if possible one in a server's own words."""
    first, *others = sorted(set(faults), key=lambda fault: (ANSWERS not in fault, fault))
    return f"{first} (and {len(others)} more of its servers fail)" if others else first
