"""What every request passes: its host, the time for its answer, and the headers of that.

Loopback is open to every page that a browser of this machine shows: a page can have its own name lead to 127.0.0.1 (DNS
rebinding). The `Host` that the browser sends is that name, so a request for a foreign one is refused.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable

import anyio
from aiohttp import web
from loguru import logger

from hostwatch.http.connections import Connections
from hostwatch.http.sockets import Address

SEND_SECONDS = 30.0
"""The longest time that a client may take to read an answer: 5 MB on a slow line."""
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
        " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[^:@\[\]]+))(?::[0-9]*)?")
_MISDIRECTED = 421
_SERVER_NAME = "hostwatch"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gate:
    """The way of each request to one address."""

    def __init__(self, address: Address) -> None:
        self.connections: Connections | None = None
        """Those of the server, once it has been made."""
        self._address = address
        self._hosts = address.hosts | ({address.place[0]} if isinstance(address.place, tuple) else set())

    @web.middleware
    async def passed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request."""
        connection = self.connections.of(request) if self.connections is not None else None
        if connection is None:
            return _nothing()
        connection.answering()
        try:
            return await sent(request, await self._answered(request, handler))
        except TimeoutError:
            logger.debug("HTTP: a client is cut off: it has not read for {:.0f} s", SEND_SECONDS)
            connection.abort()
            return _nothing()
        except ConnectionError:
            return _nothing()
        finally:
            connection.answered()

    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if isinstance(self._address.place, tuple) and not self._is_ours(request):
            return plain("another host's name: add it to http.hosts, if it is this host's", _MISDIRECTED)
        try:
            return await handler(request)
        except web.HTTPException as error:
            allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return plain(error.reason, error.status, allowed)

    def _is_ours(self, request: web.Request) -> bool:
        given = request.headers.getall("Host", [])
        if len(given) != 1 or not request.raw_path.startswith("/"):  # a whole URL has a host of its own
            return False
        found = _HOST.fullmatch(given[0])
        host = (found["address"] or found["name"]).lower().rstrip(".") if found is not None else ""
        if host == "localhost" or host in self._hosts:
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


async def sent(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Send a response to its end, unless that has been done. Raises `TimeoutError` if the client does not read it."""
    with anyio.fail_after(SEND_SECONDS):
        await response.prepare(request)
        await response.write_eof()
    return response


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Called for each response before it is sent."""
    response.headers.update(_HEADERS)
    response.headers["Server"] = _SERVER_NAME


def _nothing() -> web.Response:
    """The answer to a client that is gone: aiohttp wants one, and finds out itself that it cannot be sent."""
    return web.Response()


def plain(text: str, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """An answer of one line."""
    return web.Response(text=f"{text}\n", status=status, headers=headers)
