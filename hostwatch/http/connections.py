"""Limits for connections: their number, and the time that a client may take.

A client that sends or reads too slowly is cut off, as each connection takes some memory.
"""

import asyncio
from typing import cast

from aiohttp import web

MOST_CONNECTIONS = 256
"""Connections to one address; 100 pages take 100, and some more while they load."""
REQUEST_SECONDS = 10.0
"""The longest time from the beginning of a connection, or the end of an answer, to a whole request."""
_BUFFER_BYTES = 64 << 10
"""So much of an answer is kept for a client before it has to read."""
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connections:
    """The connections of one server. A protocol factory of `loop.create_server`."""

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._open: dict[asyncio.Protocol, _Connection] = {}

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        if len(self._open) >= MOST_CONNECTIONS:
            return _Refused()
        handler = self._server()
        made = self._open[handler] = _Connection(self, handler)
        return made

    def of(self, request: web.BaseRequest) -> "_Connection | None":
        """The connection of a request; `None` if it is closed."""
        return self._open.get(request.protocol)

    def forget(self, handler: asyncio.Protocol) -> None:
        """A connection is closed."""
        self._open.pop(handler, None)

    def abort(self) -> None:
        """Close all connections at once."""
        for each in [*self._open.values()]:
            each.abort()


class _Connection(asyncio.Protocol):
    """Passes on everything to aiohttp's own protocol, and keeps the time."""

    def __init__(self, connections: Connections, handler: asyncio.Protocol) -> None:
        self._connections = connections
        self._handler = handler
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_BUFFER_BYTES)
        self.answered()
        self._handler.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.answering()
        self._transport = None
        self._connections.forget(self._handler)
        self._handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._handler.data_received(data)

    def eof_received(self) -> bool | None:
        return self._handler.eof_received()

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()

    def answering(self) -> None:
        """A request is there, and is being answered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def answered(self) -> None:
        """The next request is due."""
        self.answering()
        self._timer = asyncio.get_running_loop().call_later(REQUEST_SECONDS, self.abort)

    def abort(self) -> None:
        """Close it at once, whatever has not been sent yet."""
        if self._transport is not None:
            self._transport.abort()


class _Refused(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so, and close it."""
        cast("asyncio.Transport", transport).write(_FULL)
        transport.close()
