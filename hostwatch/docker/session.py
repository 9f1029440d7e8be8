"""Requests to one engine's API, and their answers as bytes or JSON.

The engine's address is decided in `hostwatch.docker.connect`, its connections are made in `hostwatch.docker.pool`.
"""

import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack
from urllib.parse import quote, unquote, urlencode, urlsplit

import anyio
import anyio.to_thread

from hostwatch.control.source import EngineError
from hostwatch.docker.connect import Connection
from hostwatch.docker.failures import NAME_IT, check_status, translated
from hostwatch.docker.pool import Pool
from hostwatch.docker.wire import Answer

LONG_SECONDS = 600.0
"""For requests that take as long as an application (a command, a stop) or the engine's storage (`/info`) takes."""
CONTAINER_LIMIT = 1 << 20
"""Bytes of an event or an inspection. Both carry all labels of a container, of any number: 16 MiB of small labels took
a second to parse, at each event. Only the beginning of a longer event is read; a longer inspection fails."""
_REQUEST_SECONDS = 60.0
_POST_LIMIT = 4 << 20
"""Bytes of an answer to a POST: a container decides how much a command prints."""

_PLAIN = re.compile(r"[A-Za-z0-9/_.-]*", re.ASCII)
"""Paths that are written as they are, as almost all are."""


class _Options(TypedDict, total=False):
    """The options of a GET that differs from most."""

    versioned: bool
    """Whether the path begins with the API's version."""
    max_bytes: int
    """The longest answer that is read; by default any."""
    seconds: float
    """The longest time until its end."""


class Session:
    """Requests to one engine. Enter it before the first; entering connects to nothing.

    Every request raises `EngineError` or `GoneError`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pool = Pool(connection)
        self._prefix, self._fields = _place(connection.base)
        self._version = ""
        self._renewing = anyio.Lock()

    @property
    def address(self) -> str:
        """The engine's address, for people."""
        return self._connection.address

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.aclose()

    def use_api(self, version: str) -> None:
        """Ask for this version of the API from now on."""
        self._version = f"/v{version}"

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
            fault = f"{self.address}: no Docker Engine: the answer to GET {path} is no JSON ({error})"
            raise EngineError(f"{fault}; {NAME_IT}") from error

    async def get_bytes(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        versioned: bool = True,
        max_bytes: int | None = None,
        seconds: float = _REQUEST_SECONDS,
    ) -> bytes:
        """An answer as it is."""
        asked = f"GET {self._path(path, versioned=versioned)}"
        with translated(self._connection):
            wire, answer = await self._pool.ask(self._request(asked, params), seconds, repeatable=True)
            try:
                await check_status(answer, asked)
                return await _body(answer, max_bytes)
            finally:
                self._pool.take_back(wire)

    async def post(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        body: object = None,
        seconds: float = _REQUEST_SECONDS,
    ) -> bytes:
        """Have the engine do something; returns its answer as it is."""
        asked = f"POST {self._path(path)}"
        content = json.dumps(body).encode() if body is not None else b""
        with translated(self._connection):
            wire, answer = await self._pool.ask(self._request(asked, params, content), seconds)
            try:
                await check_status(answer, asked)
                return await _body(answer, _POST_LIMIT)
            finally:
                self._pool.take_back(wire)

    @asynccontextmanager
    async def stream(self, path: str, query: str) -> AsyncIterator[Answer]:
        """An answer that goes on for ever. Read it inside the `async with`, where its failures are translated, too."""
        asked = f"GET {self._path(path)}"
        with translated(self._connection):
            wire, answer = await self._pool.ask(self._request(f"{asked}?{query}", None), None, repeatable=True)
            try:
                await check_status(answer, asked)
                yield answer
            finally:
                self._pool.take_back(wire)

    def _path(self, path: str, *, versioned: bool = True) -> str:
        place = path if _PLAIN.fullmatch(path) else quote(path)
        return f"{self._prefix}{self._version if versioned else ''}{place}"

    def _request(self, asked: str, params: Mapping[str, str] | None, content: bytes | None = None) -> bytes:
        """A request as bytes; `content`: of a POST, which may be empty."""
        query = f"?{urlencode(params)}" if params else ""
        head = f"{asked}{query} HTTP/1.1\r\n{self._fields}"
        if content is not None:
            head += f"Content-Length: {len(content)}\r\n"
        if content:
            head += "Content-Type: application/json\r\n"
        return head.encode() + b"\r\n" + (content or b"")


def _place(base: str) -> tuple[str, str]:
    """The beginning of each request's path, and the header's fields that each has, from a URL."""
    parts = urlsplit(base)
    user, _, place = parts.netloc.rpartition("@")
    fields = f"Host: {place}\r\n"
    if user:
        name, _, password = user.partition(":")
        token = base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode())
        fields += f"Authorization: Basic {token.decode()}\r\n"
    return quote(parts.path, safe="/%:@"), fields


async def _body(answer: Answer, max_bytes: int | None) -> bytes:
    body = bytearray()
    async for piece in answer:
        body += piece
        if max_bytes is not None and len(body) > max_bytes:
            raise EngineError(f"more than {max_bytes} bytes were answered")
    return bytes(body)
