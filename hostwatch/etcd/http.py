"""Requests to the gateway of one server by HTTP, each with a deadline and a bounded answer.

Proxies of the environment, cookies, compression and redirections are not used: a store is asked directly, or not at
all.
"""

import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import anyio

from hostwatch.etcd import failures
from hostwatch.etcd.failures import ServerError
from hostwatch.etcd.lines import LINE_LIMIT, Lines
from hostwatch.etcd.sockets import Sockets
from hostwatch.etcd.tls import Tls
from hostwatch.etcd.wire import Message

DEADLINE_SECONDS = 2.0
"""For what a healthy server answers within milliseconds, and for the head of a stream: longer, and it is frozen."""
LONG_SECONDS = 5.0
"""For a page of a list, or a transaction, which waits for the disks of most servers."""
ANSWER_LIMIT = 1 << 20
"""Bytes of an answer. A page of a list is made to fit (`hostwatch.etcd.listing`); all others are far below."""
_ERROR_LIMIT = 4096
"""Bytes of an error's body that are read."""
_PIECE = 1 << 16


class TooLongError(ServerError):
    """An answer is longer than allowed."""


class Http:
    """Connections to the servers of one store."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._sockets = Sockets()
        self._session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            with anyio.CancelScope(shield=True):  # a second at most: what is open when the event loop ends is an error
                await self._session.close()
                await self._sockets.aclose()

    async def renew_tls(self) -> None:
        """Read certificates again that have been replaced. Raises `ServerError`."""
        await self._tls.renew()

    async def ask(self, server: str, path: str, body: Message, token: str, seconds: float) -> Message:
        """One question and its answer. Raises `ServerError`."""
        with self._translated(server, seconds):
            with anyio.fail_after(seconds):
                try:
                    content = await self._answer(server, path, body, token)
                except aiohttp.ServerDisconnectedError:  # a kept connection that the server had closed
                    content = await self._answer(server, path, body, token)
            return parsed(server, content)

    @asynccontextmanager
    async def stream(self, server: str, path: str, body: Message, token: str) -> AsyncIterator[Lines]:
        """An answer of lines without end; read it inside. Raises `ServerError`."""
        with self._translated(server, DEADLINE_SECONDS):
            with anyio.fail_after(DEADLINE_SECONDS):
                response = await self._sent(server, path, body, token)

            async def read() -> bytes:
                with self._translated(server, DEADLINE_SECONDS):  # the reader may be in a task group of its own
                    return await response.content.readany()

            try:
                yield Lines(read, LINE_LIMIT)
            finally:
                response.close()

    async def _answer(self, server: str, path: str, body: Message, token: str) -> bytes:
        response = await self._sent(server, path, body, token)
        try:
            content = await _read(response, ANSWER_LIMIT)
            if content is None:
                raise TooLongError(f"{server} answers {path} with more than {ANSWER_LIMIT} bytes")
            response.release()
            return content
        finally:
            response.close()

    async def _sent(self, server: str, path: str, body: Message, token: str) -> aiohttp.ClientResponse:
        """The head of an answer that is a success."""
        headers = {"Authorization": token} if token else {}
        # Without this header a watch stays silent while its server has no leader.
        headers["Grpc-Metadata-hasleader"] = "true"
        context: ssl.SSLContext | bool = await self._tls.context() or True
        try:
            response = await self._opened().post(
                f"{server}{path}", data=json.dumps(body).encode(), headers=headers, ssl=context, allow_redirects=False
            )
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if failures.tls_error(error) is None and (refusal := await self._tls.refusal(server)) is not None:
                raise self._tls.fault(server, refusal) from error
            raise
        if response.status == 200:
            return response
        try:
            said = await _read(response, _ERROR_LIMIT) or b""
        finally:
            response.close()
        raise failures.answered(server, path, response.status, said, self._tls.certificate)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,  # each watch keeps one
                    socket_factory=self._sockets.make,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=DEADLINE_SECONDS),
                auto_decompress=False,
                headers={"Accept-Encoding": "identity", "Content-Type": "application/json"},
                trust_env=False,
            )
        return self._session

    @contextmanager
    def _translated(self, server: str, seconds: float) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise failures.late(server, seconds) from error
        except (aiohttp.ClientError, OSError) as error:
            found = failures.tls_error(error)
            raise (self._tls.fault(server, found) if found else failures.unreached(server, error)) from error


def parsed(server: str, content: bytes) -> Message:
    """The message of an answer, or of one line of a stream. Raises `ServerError`."""
    try:
        found: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise failures.odd(server, "no JSON") from error
    if not isinstance(found, dict):
        raise failures.odd(server, "no object of JSON")
    return found


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """The whole body; `None` if it is longer than the limit."""
    content = bytearray()
    async for piece in response.content.iter_chunked(_PIECE):
        content += piece
        if len(content) > limit:
            return None
    return bytes(content)
