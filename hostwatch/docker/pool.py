"""The connections to one engine: made when they are needed, and kept for the next request.

Each request has a connection of its own. There is no limit: a request that the engine holds up (an inspection during a
start) must not keep others waiting.
"""

import asyncio
import socket
from collections import deque
from contextlib import suppress
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
from aiohappyeyeballs import start_connection

from hostwatch.docker.connect import Connection
from hostwatch.docker.wire import Answer, LostError, Wire

_CONNECT_SECONDS = 5.0
"""The longest time for a connection to be made, TLS included."""
_IDLE_SECONDS = 15.0
"""A connection is not used again after this time: a firewall or a proxy may have forgotten it without a word."""
_NEXT_ADDRESS_SECONDS = 0.25
"""If an engine's name has several addresses, the next one is tried beside a silent one after this time (RFC 8305)."""


class UnconnectedError(Exception):
    """No connection was made, because of this error."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class Pool:
    """The connections to one engine."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._idle: deque[Wire] = deque()
        """The one that was used last is the rightmost."""

    async def ask(self, request: bytes, seconds: float | None, *, repeatable: bool = False) -> tuple[Wire, Answer]:
        """Send a request; returns its answer when the head has come. It may take this time to its end.

        The connection is to be taken back. A `repeatable` request may use one that the engine is about to close, and is
        then sent again.
        """
        if repeatable and (wire := self._kept()) is not None:
            with suppress(LostError):
                return wire, await wire.ask(request, seconds)
        wire = await self._made()
        return wire, await wire.ask(request, seconds)

    def take_back(self, wire: Wire) -> None:
        """Keep a connection for the next request, if its answer was read to the end."""
        if wire.release():
            self._idle.append(wire)
        self._forget_old()

    async def aclose(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()
        await anyio.lowlevel.cancel_shielded_checkpoint()  # the sockets close in the event loop's next step

    def _kept(self) -> Wire | None:
        """An idle connection that may still be used."""
        self._forget_old()
        while self._idle:
            wire = self._idle.pop()
            if wire.is_open:
                return wire
        return None

    def _forget_old(self) -> None:
        oldest = asyncio.get_running_loop().time() - _IDLE_SECONDS
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.popleft().close()

    async def _made(self) -> Wire:
        try:
            with anyio.fail_after(_CONNECT_SECONDS):
                return await (self._by_socket() if self._connection.socket is not None else self._by_tcp())
        except TimeoutError:
            raise
        except OSError as error:
            raise UnconnectedError(error) from error

    async def _by_socket(self) -> Wire:
        _, wire = await asyncio.get_running_loop().create_unix_connection(Wire, self._connection.socket)
        return wire

    async def _by_tcp(self) -> Wire:
        loop, parts = asyncio.get_running_loop(), urlsplit(self._connection.base)
        tls = self._connection.tls
        addresses = await loop.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
        connected = await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS)
        context, name = (tls.context, parts.hostname) if tls is not None else (None, None)
        _, wire = await loop.create_connection(Wire, sock=connected, ssl=context, server_hostname=name)
        return wire
