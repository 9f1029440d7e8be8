"""A server on real sockets, over a view that a test controls."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import ByteStream

from hostwatch.control.figures import Figures
from hostwatch.control.gauges import Gauges
from hostwatch.control.history import Change, History
from hostwatch.control.inquiry import Inquiry
from hostwatch.control.news import News
from hostwatch.core.block.differences import NameChange
from hostwatch.core.model import ContainerId, ContainerKey, EngineId
from hostwatch.http.server import Server
from hostwatch.http.sockets import Address

ENGINE = EngineId("0123456789abcdef")


class Shown:
    """A view: an implementation of `hostwatch.control.view.View`."""

    def __init__(self) -> None:
        self.history = History()
        self.figures = Figures()
        self.unready: str | None = None
        self.is_standby = False
        self.is_active = True
        self.engine_id: EngineId | None = ENGINE
        self.news = News()
        self.changes = News()
        self.answer: Mapping[str, Any] = {"engine": {"connected": True}}

    async def gauges(self) -> Gauges:
        """Nothing is measured."""
        return Gauges(is_engine_up=True, in_sync=0, out_of_sync=0, withheld=0, services=0)

    async def past(self, asked: Inquiry) -> Mapping[str, Any]:
        """No change."""
        return {"changes": [], "limit": asked.limit}

    async def state(self, words: Sequence[str] = ()) -> Mapping[str, Any]:
        """The answer of the test, with the words."""
        return {**self.answer, "words": list(words)}

    async def why(self, subscriber: str, names: Sequence[str] = ()) -> Mapping[str, Any]:
        """What is asked."""
        return {"subscriber": subscriber, "names": list(names)}

    def change(self, names: int = 1, cause: str = "start of db") -> None:
        """A change of so many names."""
        number = self.history.next_number
        key = ContainerKey(ENGINE, ContainerId("1" * 64))
        listed = tuple(NameChange(f"name-{index}", (), ()) for index in range(names))
        self.history.add(Change(number, 1.7e9, key, "web", cause, listed, (), (), 0.001))


class Site:
    """A running server."""

    def __init__(self, server: Server, view: Shown, control: Path, port: int) -> None:
        self._server = server
        self.view = view
        self.control = control
        self.port = port

    def adopt(self, address: Address | None) -> None:
        """Another configuration, and the news of it."""
        self._server.adopt(address)
        self.view.news.tell()

    @property
    def streams(self) -> int:
        """The open event streams."""
        return self._number("for ([0-9]+) streams")

    @property
    def kept_bytes(self) -> int:
        """The size of the events that are kept for slow streams."""
        return self._number("in ([0-9]+) bytes")

    def _number(self, pattern: str) -> int:
        found = re.search(pattern, repr(self._server.events))
        assert found is not None
        return int(found[1])

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[ByteStream]:
        """A connection to its port."""
        async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
            yield stream

    async def sent(self, request: bytes) -> bytes:
        """All that is answered to some bytes, until the server closes the connection."""
        async with self.connected() as stream:
            return await answer(stream, request)

    async def got(self, path: str, *headers: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """The status, headers and body of an answer."""
        lines = [f"{method} {path} HTTP/1.1", "Connection: close", *(headers or (f"Host: 127.0.0.1:{self.port}",))]
        return parsed(await self.sent("\r\n".join([*lines, "", ""]).encode()))


async def answer(stream: ByteStream, request: bytes) -> bytes:
    """All that is answered to some bytes, until the server closes the connection."""
    found = bytearray()
    with anyio.fail_after(20):
        try:
            if request:
                await stream.send(request)
            while True:
                found += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return bytes(found)


def parsed(text: bytes) -> tuple[int, dict[str, str], bytes]:
    """The status, headers and body of an answer."""
    head, _, body = text.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), {name: value for name, _, value in (line.partition(": ") for line in lines)}, body


async def served(port: int) -> None:
    """Wait until somebody listens there."""
    with anyio.fail_after(20):
        while not await _connects(port):  # noqa: ASYNC110  # nobody tells
            await anyio.sleep(0.01)


async def _connects(port: int) -> bool:
    try:
        stream = await anyio.connect_tcp("127.0.0.1", port)
    except OSError:
        return False
    await stream.aclose()
    return True


async def free_port() -> int:
    """A port that nobody has."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
    assert isinstance(port, int)
    return port


@asynccontextmanager
async def serving(directory: Path, *hosts: str) -> AsyncIterator[Site]:
    """A server with its control socket in a directory, and a port."""
    view, port = Shown(), await free_port()
    server = Server(view, directory, Address(("127.0.0.1", port), hosts=frozenset(hosts)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.run)
        await served(port)
        yield Site(server, view, directory / "0123456789ab.sock", port)
        tasks.cancel_scope.cancel()
