"""The sockets of a store's connections, so that all of them are closed when the store is.

A connection by TLS that is closed waits for its server's answer, for half a minute if the server is frozen. The event
loop must not end before.
"""

import socket
from contextlib import suppress
from weakref import WeakSet

import anyio
from aiohttp import AddrInfoType

_CLOSING_SECONDS = 1.0
"""The event loop closes a socket that is shut down within microseconds."""
_LOOK_SECONDS = 0.001


class Sockets:
    """Makes sockets, and ends those that are still open."""

    def __init__(self) -> None:
        self._made = WeakSet[socket.socket]()

    def make(self, address: AddrInfoType) -> socket.socket:
        """A socket for a connection."""
        family, kind, protocol, *_ = address
        made = socket.socket(family, kind, protocol)
        self._made.add(made)
        return made

    async def aclose(self) -> None:
        """Shut all down, and wait until the event loop has closed them."""
        for each in self._open():
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with anyio.move_on_after(_CLOSING_SECONDS):
            while self._open():  # noqa: ASYNC110  # nobody is told that a socket is closed
                await anyio.sleep(_LOOK_SECONDS)

    def _open(self) -> list[socket.socket]:
        return [each for each in self._made if each.fileno() >= 0]
