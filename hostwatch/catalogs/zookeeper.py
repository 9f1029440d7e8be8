"""The instances of a service in ZooKeeper: the children of a path, each with JSON, as SmartStack's Nerve writes them.

kazoo has threads of its own, whose news are handed over to the event loop. A connection that is lost on all servers is
not mended here: the caller opens another one, which reads everything again.
"""

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import islice
from typing import Any

import anyio
import anyio.to_thread
from kazoo.client import KazooClient
from kazoo.exceptions import AuthFailedError, KazooException, NoAuthError, NoNodeError
from kazoo.handlers.threading import SequentialThreadingHandler
from kazoo.protocol.states import KazooState
from kazoo.retry import KazooRetry

from hostwatch.catalogs.credentials import secret, tls_context
from hostwatch.catalogs.reaching import remedy
from hostwatch.control.catalog import Catalog, CatalogError
from hostwatch.core.catalog import INSTANCE_LIMIT, Entry, Refusal, looked_at, zookeeper_instance
from hostwatch.core.names import shown

_SESSION_SECONDS = 10.0
"""ZooKeeper's usual time after which a silent client or server is given up. A connection may take as long."""
_ANSWER_SECONDS = 10.0
"""Time for one answer, and for all servers together to connect."""
_AT_ONCE = 200
"""Children that are read at a time. Each is a request of some hundred bytes."""


@asynccontextmanager
async def opened(catalog: Catalog) -> AsyncIterator["ZooKeeperCatalog"]:
    """A connection. Raises `CatalogError`."""
    context, credentials = await anyio.to_thread.run_sync(partial(_prepared, catalog))
    connection = ZooKeeperCatalog(catalog, context, credentials)
    connection.start()
    try:
        yield connection
    finally:
        # kazoo waits for its threads, and these for a server that may be silent.
        threading.Thread(target=connection.stop, name="leave ZooKeeper", daemon=True).start()


def _prepared(catalog: Catalog) -> tuple[ssl.SSLContext | None, list[tuple[str, str]]]:
    known = catalog.credentials
    context = tls_context(known) if known.is_tls else None
    if known.user is None or known.password_file is None:
        return context, []
    return context, [("digest", f"{known.user}:{secret(known.password_file)}")]


class _Sockets(SequentialThreadingHandler):  # type: ignore[misc]  # kazoo has no types
    """kazoo's threads, with our own TLS context: kazoo's trusts the system's authorities besides `ca`."""

    def __init__(self, context: ssl.SSLContext | None, tried_in_vain: Callable[[], None]) -> None:
        """`tried_in_vain` is called in a thread of kazoo's once no server could be reached."""
        super().__init__()
        self._context = context
        self._tried_in_vain = tried_in_vain

    def sleep_func(self, seconds: float) -> None:
        """Wait before all servers are tried again. kazoo tells nobody else that it failed."""
        self._tried_in_vain()
        time.sleep(seconds)

    def create_connection(self, address: tuple[str, int], hostname: str, timeout: float, **_: object) -> socket.socket:
        """Connect to a server. `hostname` is its name as configured."""
        plain = socket.create_connection(address, timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is None:
            return plain
        try:
            return self._context.wrap_socket(plain, server_hostname=hostname)
        except OSError:
            plain.close()
            raise


class _LastWarning(logging.Handler):
    """Keeps what kazoo said last of a connection that failed. It says that in its log alone."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = "no server answers"

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line of the log. The one that follows a lost connection gives no reason."""
        if not (said := record.getMessage()).startswith("Transition"):
            self.said = shown(said, 200)


class ZooKeeperCatalog:
    """The children of one path."""

    def __init__(self, catalog: Catalog, context: ssl.SSLContext | None, credentials: list[tuple[str, str]]) -> None:
        self._catalog = catalog
        self._loop = asyncio.get_running_loop()
        self._news = anyio.Event()
        self._lost = False
        self._data: dict[str, bytes] = {}
        """The children that have been read."""
        self._stale: set[str] | None = None
        """Those that have changed since; `None`: whatever has been read."""
        self._warning = _LastWarning()
        # A logger of its own, since kazoo's tells at its level DEBUG each request, credentials among them.
        log = logging.Logger("ZooKeeper", logging.WARNING)
        log.addHandler(self._warning)
        handler = _Sockets(context, partial(self._hand_over, self._take_turn, KazooState.LOST))
        self._client: Any = KazooClient(
            hosts=",".join(catalog.servers),
            timeout=_SESSION_SECONDS,
            handler=handler,
            auth_data=credentials,
            connection_retry=KazooRetry(max_tries=-1, sleep_func=handler.sleep_func),
            logger=log,
        )

    def __repr__(self) -> str:
        return f"<ZooKeeperCatalog: {self._catalog}, {self._client.client_state}>"

    def start(self) -> None:
        """Begin to connect."""
        self._client.add_listener(self._turned)
        self._client.start_async()

    def stop(self) -> None:
        """Leave. It blocks until all threads have ended."""
        with suppress(KazooException, OSError, AttributeError):
            self._client.stop()
        with suppress(KazooException, OSError, AttributeError):
            self._client.close()

    async def entries(self, within: float) -> Iterable[Entry]:
        """The whole list, as soon as it may have changed (`CatalogClient`)."""
        is_told = False
        with anyio.move_on_after(within if self._client.connected else _ANSWER_SECONDS):
            await self._news.wait()
            is_told = True
        if self._lost or not self._client.connected:
            raise CatalogError(f"cannot be reached ({self._warning.said}); {remedy(self._warning.said)}")
        if not is_told:
            self._stale = None
        self._news = anyio.Event()
        try:
            with anyio.fail_after(_ANSWER_SECONDS):
                return _instances(await self._children())
        except TimeoutError:
            raise CatalogError(f"no answer within {_ANSWER_SECONDS:g} s") from None
        except (NoAuthError, AuthFailedError):
            known = self._catalog.credentials.password_file
            given = "give `user` and `password_file`" if known is None else f"mend `user` or {known}"
            raise CatalogError(f"it does not let us read {self._catalog.query}; {given}") from None
        except KazooException as error:
            raise CatalogError(f"the connection broke ({type(error).__name__}: {self._warning.said})") from None

    async def _children(self) -> dict[str, bytes | None]:
        """All children that are there, in order, with their data up to the limit."""
        path, stale = self._catalog.query, self._stale
        # A change that comes from here on makes its child stale again, whichever of kazoo's threads is the first.
        self._stale = set()
        try:
            children = sorted(await self._answer(self._client.get_children_async(path, watch=self._changed)))
        except NoNodeError:
            if await self._answer(self._client.exists_async(path, watch=self._changed)) is not None:
                self._news.set()  # it has come meanwhile
            return {}
        kept = {} if stale is None else {child: data for child, data in self._data.items() if child not in stale}
        found = {child: kept.get(child) for child in children}
        unread = (child for child in children[:INSTANCE_LIMIT] if found[child] is None)
        while some := [*islice(unread, _AT_ONCE)]:
            asked = [self._client.get_async(f"{path}/{child}", watch=self._changed) for child in some]
            for child, each in zip(some, asked, strict=True):
                try:
                    value, _ = await self._answer(each)
                    found[child] = looked_at(value or b"")
                except NoNodeError:
                    del found[child]
        self._data = {child: data for child, data in found.items() if data is not None}
        return found

    async def _answer(self, asked: Any) -> Any:
        """Wait for an answer of kazoo's, which comes in another thread. Raises `KazooException`."""
        future = self._loop.create_future()
        asked.rawlink(partial(self._hand_over, _settle, future))
        return await future

    def _hand_over(self, function: Callable[..., None], *args: Any) -> None:
        with suppress(RuntimeError):  # the event loop has ended
            self._loop.call_soon_threadsafe(function, *args)

    # These are called in kazoo's threads.

    def _turned(self, state: str) -> None:
        self._hand_over(self._take_turn, state)

    def _changed(self, event: Any) -> None:
        self._hand_over(self._take_change, event.path)

    # And these on the event loop.

    def _take_turn(self, state: str) -> None:
        self._lost = self._lost or state == KazooState.LOST
        if state != KazooState.SUSPENDED:
            self._news.set()

    def _take_change(self, path: str | None) -> None:
        if path is None:  # the connection was lost, and all watches with it
            self._stale = None
        elif self._stale is not None:
            self._stale.add(path.rpartition("/")[2])
        self._news.set()


def _instances(children: dict[str, bytes | None]) -> Iterator[Entry]:
    for child, data in children.items():
        yield Refusal(shown(child), "one too many") if data is None else zookeeper_instance(child, data)


def _settle(future: "asyncio.Future[Any]", asked: Any) -> None:
    if future.done():  # nobody waits any more
        return
    if asked.exception is None:
        future.set_result(asked.value)
    else:
        future.set_exception(asked.exception)
