"""HTTP requests to one engine, over one pool of connections.

The only importer of aiodocker, whose event reader is not used: it never comes back after a lost connection. The
engine's address is decided in `hostwatch.docker.connect`.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

import aiodocker
import aiohttp
import anyio
import anyio.to_thread

from hostwatch.control.source import EngineError
from hostwatch.docker.connect import Connection
from hostwatch.docker.failures import check_status, translated

LONG_TIMEOUT = aiohttp.ClientTimeout(total=600, sock_connect=5)
"""For requests that take as long as an application (a command, a stop) or the engine's storage (`/info`) takes."""
CONTAINER_LIMIT = 1 << 20
"""Bytes of an event or an inspection. Both carry all labels of a container, of any number: 16 MiB of small labels took
a second to parse, at each event. Only the beginning of a longer event is read; a longer inspection fails."""
_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=5)
_STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5)
_POST_LIMIT = 4 << 20
"""Bytes of an answer to a POST: a container decides how much a command prints."""


class _Options(TypedDict, total=False):
    """The options of a GET that differs from most."""

    versioned: bool
    """Whether the path begins with the API's version."""
    max_bytes: int
    """The longest answer that is read; by default any."""
    timeout: aiohttp.ClientTimeout


class Session:
    """Requests to one engine. Enter it before the first; entering connects to nothing.

    Every request raises `EngineError` or `GoneError`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client: aiodocker.Docker | None = None
        self._connector: aiohttp.BaseConnector | None = None
        self._renewing = anyio.Lock()

    @property
    def address(self) -> str:
        """The engine's address, for people."""
        return self._connection.address

    async def __aenter__(self) -> Self:
        self._connector = _connector(self._connection)
        self._client = aiodocker.Docker(self._connection.base, self._connector, timeout=_REQUEST_TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()
        if self._connector is not None:
            await self._connector.close()

    def use_api(self, version: str) -> None:
        """Ask for this version of the API from now on."""
        self._docker.api_version = f"v{version}"

    async def renew_tls(self) -> None:
        """Read the certificates again, which may have been replaced."""
        if self._connection.tls is not None:
            async with self._renewing:  # two threads must not change OpenSSL's context at once
                await anyio.to_thread.run_sync(self._connection.tls.renew)

    async def get(self, path: str, params: Mapping[str, str] | None = None, **options: Unpack[_Options]) -> Any:
        """The JSON of an answer."""
        text = await self.get_bytes(path, params, **options)
        try:
            return json.loads(text)
        except ValueError as error:
            raise EngineError(f"{self.address}: GET {path}: the answer is no JSON: {error}") from error

    async def get_bytes(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        versioned: bool = True,
        max_bytes: int | None = None,
        timeout: aiohttp.ClientTimeout = _REQUEST_TIMEOUT,  # noqa: ASYNC109  # aiohttp's own
    ) -> bytes:
        """An answer as it is."""
        url = self._url(path, versioned=versioned)
        with translated(self._connection):
            async with self._docker.session.get(url, params=params, timeout=timeout) as response:
                await check_status(response)
                return await _body(response, max_bytes)

    async def post(self, path: str, body: object = None, timeout: aiohttp.ClientTimeout = _REQUEST_TIMEOUT) -> bytes:  # noqa: ASYNC109
        """Have the engine do something; returns its answer as it is."""
        with translated(self._connection):
            async with self._docker.session.post(self._url(path), json=body, timeout=timeout) as response:
                await check_status(response)
                return await _body(response, _POST_LIMIT)

    @asynccontextmanager
    async def stream(self, path: str, params: Mapping[str, str]) -> AsyncIterator[aiohttp.StreamReader]:
        """An answer that goes on for ever. Read it inside the `async with`, where its failures are translated, too."""
        with translated(self._connection):
            async with self._docker.session.get(self._url(path), params=params, timeout=_STREAM_TIMEOUT) as response:
                await check_status(response)
                yield response.content

    @property
    def _docker(self) -> aiodocker.Docker:
        if self._client is None:
            raise EngineError("not connected")
        return self._client

    def _url(self, path: str, *, versioned: bool = True) -> str:
        version = f"/{self._docker.api_version}" if versioned else ""
        return f"{self._docker.docker_host}{version}{path}"


def _connector(connection: Connection) -> aiohttp.BaseConnector:
    # No limit: a request that the engine holds up (an inspection during a start) must not keep others waiting.
    if connection.socket is not None:
        return aiohttp.UnixConnector(connection.socket, limit=0)
    return aiohttp.TCPConnector(ssl=connection.tls.context if connection.tls is not None else True, limit=0)


async def _body(response: aiohttp.ClientResponse, max_bytes: int | None) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if max_bytes is not None and len(body) > max_bytes:
            raise EngineError(f"more than {max_bytes} bytes were answered")
    return bytes(body)
