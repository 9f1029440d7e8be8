"""The instances of a service in Consul, by its HTTP API: a question that is answered once something changes.

The rules of the index are those of Consul's documentation ("Blocking Queries", "Implementation Details").
"""

import math
import os
import re
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import quote, urlencode

import aiohttp
import anyio
import anyio.to_thread
from yarl import URL

from hostwatch.catalogs.credentials import secret, tls_context
from hostwatch.catalogs.json_list import Items
from hostwatch.catalogs.reaching import remedy
from hostwatch.control.catalog import Catalog, CatalogError
from hostwatch.control.clock import loop_time
from hostwatch.control.turns import Turns
from hostwatch.core.catalog import Entry, consul_instance
from hostwatch.core.names import shown
from hostwatch.core.timing import RateLimiter

_WAIT_SECONDS = 60.0
"""The longest time for which Consul holds a question back. A frozen agent is noticed after it. Consul's default is 5 m,
its limit 10 m."""
_SPARE = 1 / 16
"""The share of that time which Consul adds at random, so that not all ask at once."""
_ANSWER_SECONDS = 10.0
"""Time for an answer that need not be held back."""
_CONNECT_SECONDS = 5.0
_PACE_SECONDS, _CREDIT_SECONDS = 0.2, 2.0
"""Ten questions at once, and then five a second: answers may come without end if an index is out of order."""
_LIMIT = 32 << 20
"""Bytes of an answer. An instance with its health checks has one to three thousand."""
_END_SECONDS = 1.0
_SECRET = {"X-Consul-Token": "(the token)", "Authorization": "(the password)"}
"""The headers that nobody is told of, and what stands for them."""


@asynccontextmanager
async def opened(catalog: Catalog) -> AsyncIterator["ConsulCatalog"]:
    """A connection. Raises `CatalogError`."""
    context, headers = await anyio.to_thread.run_sync(partial(_prepared, catalog))
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context),
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
    )
    try:
        yield ConsulCatalog(session, catalog)
    finally:
        with anyio.move_on_after(_END_SECONDS, shield=True):
            await session.close()


def _prepared(catalog: Catalog) -> tuple[ssl.SSLContext | bool, dict[str, str]]:
    credentials, headers = catalog.credentials, {"Accept-Encoding": "identity"}
    if credentials.token_file is not None:
        headers["X-Consul-Token"] = secret(credentials.token_file)
    if credentials.user is not None and credentials.password_file is not None:
        headers["Authorization"] = aiohttp.encode_basic_auth(credentials.user, secret(credentials.password_file))
    is_tls = catalog.servers[0].startswith("https:")
    return tls_context(credentials) if is_tls else True, headers


class ConsulCatalog:
    """The passing instances of one service."""

    def __init__(self, session: aiohttp.ClientSession, catalog: Catalog) -> None:
        self._session = session
        self._catalog = catalog
        self._index = 0
        """The state that is known; 0: none, so that the next answer comes at once."""
        self._pace = RateLimiter[str](_CREDIT_SECONDS)

    async def entries(self, within: float) -> Iterable[Entry]:
        """The whole list, as soon as it may have changed (`CatalogClient`)."""
        await anyio.sleep(self._pace.wait("", loop_time()))
        self._pace.spend("", loop_time(), _PACE_SECONDS)
        wait = math.ceil(min(max(within, 1.0), _WAIT_SECONDS)) if self._index else 0
        try:
            with anyio.fail_after(wait * (1 + _SPARE) + _ANSWER_SECONDS):
                return await self._asked(wait)
        except TimeoutError:
            raise CatalogError(f"no answer within {_ANSWER_SECONDS:g} s; is its agent alive?") from None
        except aiohttp.ClientError as error:
            raise CatalogError(_fault(error)) from None

    async def _asked(self, wait: int) -> Iterable[Entry]:
        # Old versions look for `passing` alone, newer ones for its value.
        asked = {"passing": "1"} | ({"tag": self._catalog.tag} if self._catalog.tag is not None else {})
        if wait:
            asked |= {"index": str(self._index), "wait": f"{wait}s"}
        server, service = self._catalog.servers[0], quote(self._catalog.query, safe="")
        url = URL(f"{server}/v1/health/service/{service}?{urlencode(asked)}", encoded=True)
        async with self._session.get(url, allow_redirects=False) as answer:
            if answer.status != 200:
                said = b"".join([part async for part in _parts(answer)])
                raise CatalogError(self._refusal(answer.status, said.decode(errors="replace").strip()))
            found = await _entries(answer)
        if answer.headers.get("X-Consul-Results-Filtered-By-ACLs") == "true" and not found:
            raise CatalogError("it hides the instances from us; give `token_file` with service:read and node:read")
        self._index = following_index(self._index, answer.headers.get("X-Consul-Index", ""))
        return found

    def _refusal(self, status: int, said: str) -> str:
        for name, words in _SECRET.items():  # Consul, or a proxy before it, may repeat it
            if (sent := self._session.headers.get(name)) is not None:
                said = said.replace(sent, words)
        token = self._catalog.credentials.token_file
        remedy = {
            401: "; mend `user` and `password_file`",
            403: "; give `token_file`" if token is None else f"; the token in {token} needs service:read and node:read",
        }
        return f"it answers {status} ({shown(said)}){remedy.get(status, '')}"


def following_index(known: int, told: str) -> int:
    """The index of the next question. It is never below 1 for an answer, and begins anew where it went backwards."""
    # An index has 64 bits. Without one nothing can be waited for, so that the pace alone limits the questions.
    index = int(told) if re.fullmatch("[0-9]{1,20}", told) else 0
    if index < known:
        return 0
    return max(index, 1)


async def _entries(answer: aiohttp.ClientResponse) -> list[Entry]:
    """The instances of an answer, each as soon as it is whole: all of it would be too long for one step."""
    items, found, turns = Items(), list[Entry](), Turns()
    async for part in _parts(answer):
        for item in items.take(part):
            found.append(consul_instance(item))
            await turns.give()
    return [*found, *map(consul_instance, items.end())]


async def _parts(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    size = 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > _LIMIT:
            raise CatalogError(f"its answer is longer than {_LIMIT >> 20} MiB; give a `tag` that fewer instances have")
        yield part


def _fault(error: aiohttp.ClientError) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "") or error.certificate_error
            return f"its certificate is not trusted ({reason}); give its authority as `tls.ca`"
        case aiohttp.ClientConnectorSSLError():
            return f"no TLS with it ({_words(error.os_error)}); is it a port for https, and does it want `tls.cert`?"
        case aiohttp.ClientConnectorError():
            words = _words(error.os_error)
            return f"cannot connect ({words}); {remedy(words)}"
        case _:
            return f"the connection broke ({shown(str(error) or type(error).__name__)})"


def _words(error: OSError) -> str:
    # asyncio puts the address into the text. Names that are not found have numbers of their own, below 0.
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)
