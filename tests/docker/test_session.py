"""Requests to a server on a socket that does what engines, their proxies and failures do."""

import asyncio
import base64
import itertools
import json
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from hostwatch.control.source import EngineError, GoneError
from hostwatch.docker.connect import Connection, located_engine
from hostwatch.docker.session import Session

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


Serve = Callable[["Server", bytes, StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """A server, and what it saw."""

    serve: Serve
    """Answers one request."""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    ended: int = 0
    """How many connections the client has closed."""

    async def follow(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                self.requests.append(head + await reader.readexactly(length))
                await self.serve(self, self.requests[-1], writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.ended += 1
        finally:
            writer.close()

    async def has_seen_ends(self, count: int) -> None:
        """Wait until the client has closed so many connections."""
        with anyio.fail_after(5):
            while self.ended < count:  # noqa: ASYNC110  # a socket tells nobody
                await anyio.sleep(0.005)


@asynccontextmanager
async def serving(path: Path, serve: Serve) -> AsyncIterator[tuple[Server, Session]]:
    """A server, and a session with it."""
    server = Server(serve)
    listener = await asyncio.start_unix_server(server.follow, path / "engine.sock", limit=1 << 20)
    connection = Connection("unix://engine", "http://localhost", str(path / "engine.sock"))
    async with listener, Session(connection) as session:
        yield server, session


def always(*answers: bytes) -> Serve:
    """A server that gives these answers in turn, again and again."""
    turn = itertools.cycle(answers)

    async def serve(_: Server, __: bytes, writer: StreamWriter) -> None:
        writer.write(next(turn))
        await writer.drain()

    return serve


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\ncontents", 1),
        (CHUNKED + b"3\r\ncon\r\n5\r\ntents\r\n0\r\n\r\n", 1),
        (CHUNKED + b"3;detail=1\r\ncon\r\n5\r\ntents\r\n0\r\nTrailer: x\r\n\r\n", 1),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n"
            + CHUNKED
            + b"8\r\ncontents\r\n0\r\n\r\n",
            1,
        ),
        (b"HTTP/1.1 200 \r\nConnection: close\r\ncontent-length:8\r\n\r\ncontents", 3),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\ncontents", 3),
        (b"HTTP/1.0 200 OK\r\n\r\ncontents", 3),
        (b"HTTP/1.1 200 OK\nWords: \x01\nTransfer-Encoding: chunked\n\n8 \r\ncontents\r\n0\r\n\r\n", 1),
    ],
    ids=["length", "chunks", "trailer", "interim", "last", "raw", "old", "careless"],
)
async def test_an_answer_may_come_in_any_form_and_pieces(
    tmp_path: Path, answer: bytes, connections: int, size: int
) -> None:
    """Its end is told by a length, by its last chunk, or by the end of the connection."""

    async def serve(_: Server, __: bytes, writer: StreamWriter) -> None:
        for begin in range(0, len(answer), size):
            writer.write(answer[begin : begin + size])
            await writer.drain()
            await anyio.lowlevel.checkpoint()
        if connections > 1:
            writer.close()

    async with serving(tmp_path, serve) as (server, session):
        for _ in range(3):
            assert await session.get_bytes("/thing") == b"contents"
        assert server.connections == connections


async def test_a_request_is_what_an_engine_expects(tmp_path: Path) -> None:
    """The version is in the path after `use_api`; a body is JSON, and its length is told."""
    async with serving(tmp_path, always(OK)) as (server, session):
        await session.get("/_ping", versioned=False)
        session.use_api("1.41")
        await session.get("/containers/json", {"all": "1", "filters": '["a b"]'})
        await session.post("/containers/x/kill", {"signal": "SIGHUP"})
        await session.post("/containers/x/exec", body={"Cmd": ["true"]})
    body = b'{"Cmd": ["true"]}'
    assert server.requests == [
        b"GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1.41/containers/json?all=1&filters=%5B%22a+b%22%5D HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1.41/containers/x/kill?signal=SIGHUP HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        b"POST /v1.41/containers/x/exec HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Length: %d\r\nContent-Type: application/json\r\n\r\n%s" % (len(body), body),
    ]


async def test_a_url_may_have_a_user_and_a_path() -> None:
    """A proxy before the engine may ask for them. Its name may have addresses where nothing listens."""
    server = Server(always(OK))
    listener = await asyncio.start_server(server.follow, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    connection = located_engine(f"tcp://us%20er:p%40ss:w@localhost:{port}/some where/", {})
    async with listener, Session(connection) as session:
        await session.get("/info")
    token = base64.b64encode(b"us er:p@ss:w").decode()
    fields = f"Host: localhost:{port}\r\nAuthorization: Basic {token}\r\n"
    assert server.requests == [f"GET /some%20where/info HTTP/1.1\r\n{fields}\r\n".encode()]


async def test_requests_at_once_have_connections_of_their_own(tmp_path: Path) -> None:
    """An engine that holds one up must not hold up the others. Later requests use the same connections again."""
    together = asyncio.Barrier(20)

    async def serve(server: Server, _: bytes, writer: StreamWriter) -> None:
        if len(server.requests) <= 20:
            await together.wait()
        writer.write(OK)

    async with serving(tmp_path, serve) as (server, session):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(session.get, "/thing")
        for _ in range(20):
            await session.get("/thing")
        assert server.connections == 20


async def test_a_connection_that_was_idle_for_long_is_not_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firewall may have forgotten it."""
    monkeypatch.setattr("hostwatch.docker.pool._IDLE_SECONDS", 0)
    async with serving(tmp_path, always(OK)) as (server, session):
        await session.get("/thing")
        await anyio.sleep(0.01)
        await session.get("/thing")
        await server.has_seen_ends(1)
        assert server.connections == 2


async def test_a_get_on_a_connection_that_the_engine_just_closed_is_sent_again(tmp_path: Path) -> None:
    """The engine may close an idle one just as the request is sent. Once only: the engine may be ending."""
    kept = 1

    async def serve(server: Server, _: bytes, writer: StreamWriter) -> None:
        if len(server.requests) <= kept or len(server.requests) == 3:
            writer.write(OK)
        else:
            writer.close()

    async with serving(tmp_path, serve) as (server, session):
        assert await session.get("/thing") == {}
        assert await session.get("/thing") == {}
        assert len(server.requests) == 3
        with pytest.raises(EngineError, match="the connection was closed before an answer came"):
            await session.get("/thing")
        assert len(server.requests) == 5


async def test_a_post_is_never_sent_again(tmp_path: Path) -> None:
    """It may have been executed. So it has a new connection, which no engine closes for its age."""

    async def serve(_: Server, request: bytes, writer: StreamWriter) -> None:
        if request.startswith(b"GET"):
            writer.write(OK)
        else:
            writer.close()

    async with serving(tmp_path, serve) as (server, session):
        await session.get("/thing")
        with pytest.raises(EngineError, match="the connection was closed before an answer came"):
            await session.post("/thing")
        assert (len(server.requests), server.connections) == (2, 2)


@pytest.mark.parametrize("wait", [0.0, 0.05])
async def test_bytes_that_nobody_asked_for_are_no_answer(tmp_path: Path, wait: float) -> None:
    """They come with an answer or after it: the connection is not used again."""
    wrong = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"wrong"'

    async def serve(_: Server, __: bytes, writer: StreamWriter) -> None:
        writer.write(OK if wait else OK + wrong)
        if wait:
            await anyio.sleep(wait)
            writer.write(wrong)

    async with serving(tmp_path, serve) as (server, session):
        for _ in range(3):
            assert await session.get("/thing") == {}
            await anyio.sleep(2 * wait)
        assert (server.connections, len(server.requests)) == (3, 3)


async def test_an_error_is_told_and_its_connection_kept(tmp_path: Path) -> None:
    """With the engine's own message, the words beside the status, or the text; a redirection is an error, too."""

    def error(head: str, body: str = "") -> bytes:
        return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    answers = [
        error("409 Conflict", json.dumps({"message": "it is paused"})),
        error("503 Service Unavailable"),
        error("500 Oh", "plain words"),
        error("302 Found"),
    ]
    told = [
        "409 to GET /a%20b: it is paused",
        "503 to GET /a%20b: Service Unavailable",
        "500 to GET /a%20b: plain words",
    ]
    answers.append(error("404 Not Found", '{"message": "no such"}'))
    async with serving(tmp_path, always(*answers)) as (server, session):
        for each in told:
            with pytest.raises(EngineError, match=each):
                await session.get("/a b")
        with pytest.raises(EngineError, match="the engine answered 302 to POST /c: Found"):
            await session.post("/c", {"d": "e"})
        with pytest.raises(GoneError, match=r"^no such$"):
            await session.get("/thing")
        assert server.connections == 2


async def endless(writer: StreamWriter, head: bytes, piece: bytes) -> None:
    """Send a piece again and again, until the client closes the connection."""
    writer.write(head)
    while True:
        writer.write(piece)
        await writer.drain()
        await anyio.lowlevel.checkpoint()


async def is_given_up(tmp_path: Path, serve: Serve, told: str, **options: Any) -> None:
    """Check that a request fails with this message, and that its connection is closed."""
    async with serving(tmp_path, serve) as (server, session):
        with pytest.raises(EngineError, match=told):
            await session.get("/thing", **options)
        await server.has_seen_ends(1)


async def test_an_answer_over_the_limit_is_not_read_to_its_end(tmp_path: Path) -> None:
    """Its connection is closed."""

    async def serve(_: Server, __: bytes, writer: StreamWriter) -> None:
        await endless(writer, CHUNKED, b"4\r\nmany\r\n" * 1000)

    await is_given_up(tmp_path, serve, "more than 10000 bytes were answered", max_bytes=10_000)


async def test_a_head_without_an_end_is_given_up(tmp_path: Path) -> None:
    """It would fill the memory."""

    async def serve(_: Server, __: bytes, writer: StreamWriter) -> None:
        await endless(writer, b"HTTP/1.1 200 OK\r\nName: ", b"value" * 1000)

    await is_given_up(tmp_path, serve, "its head is longer than 65536 bytes")


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-", CHUNKED + b"4\r\nma"])
async def test_an_answer_that_takes_too_long_is_given_up(tmp_path: Path, begun: bytes) -> None:
    """Wherever it stops."""

    async def serve(_: Server, __: bytes, writer: StreamWriter) -> None:
        writer.write(begun)
        await anyio.sleep(0.1)

    await is_given_up(tmp_path, serve, "unix://engine did not answer in time", seconds=0.05)


async def test_each_request_has_a_time_of_its_own(tmp_path: Path) -> None:
    """The end of one request's time does not end the next one on the same connection."""

    async def serve(server: Server, _: bytes, writer: StreamWriter) -> None:
        await anyio.sleep(0.1 if len(server.requests) > 1 else 0)
        writer.write(OK)

    async with serving(tmp_path, serve) as (server, session):
        await session.get("/thing", seconds=0.05)
        await session.get("/thing")
        assert server.connections == 1


async def test_an_answer_that_nobody_reads_keeps_no_other_waiting(tmp_path: Path) -> None:
    """Reading is paused while much is unread, so the connection is not used again."""
    much = b"HTTP/1.1 200 OK\r\nContent-Length: 140000\r\n\r\n" + bytes(140_000)
    async with serving(tmp_path, always(much, OK)) as (server, session):
        async with session.stream("/thing", "a=b"):
            await anyio.sleep(0.05)
        assert await session.get("/thing", seconds=5) == {}
        assert server.connections == 2


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-", CHUNKED + b"4\r\nma"])
async def test_a_request_may_be_given_up_at_any_time(tmp_path: Path, begun: bytes) -> None:
    """Its connection is closed, as its answer may still come; another request has an answer of its own."""

    async def serve(_: Server, request: bytes, writer: StreamWriter) -> None:
        writer.write(begun if b"/slow" in request else OK)

    async with serving(tmp_path, serve) as (server, session):
        assert await session.get("/thing") == {}
        with anyio.move_on_after(0.05) as scope:
            await session.get("/slow")
        assert scope.cancelled_caught
        await server.has_seen_ends(1)
        assert await session.get("/thing") == {}
        assert server.connections == 2


async def test_a_stream_is_read_as_it_comes_and_not_held(tmp_path: Path) -> None:
    """Its reader gets each piece at once. While the reader is busy, little is taken from the engine."""
    sent = 0

    async def serve(_: Server, __: bytes, writer: StreamWriter) -> None:
        nonlocal sent
        writer.write(CHUNKED + b"5\r\nfirst\r\n")
        await writer.drain()
        while True:
            writer.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
            await writer.drain()
            sent += 1 << 16

    async with serving(tmp_path, serve) as (server, session):
        async with session.stream("/events", "a=b") as answer:
            assert (await anext(answer)).startswith(b"first")
            before = -1
            while sent > before:
                before = sent
                await anyio.sleep(0.1)
            assert before < 4 << 20
            read = 0
            async for piece in answer:
                read += len(piece)
                if read > 2 * before:
                    break
        await server.has_seen_ends(1)
