"""Requests to a simulated engine on a socket, and its answers."""

from collections import Counter
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import ByteStream

from bench import simulated
from hostwatch.control.source import EngineError
from hostwatch.core.model import Container, EngineId
from hostwatch.docker.connect import Connection
from hostwatch.docker.decode import containers
from hostwatch.docker.decode.fields import Json
from hostwatch.docker.engine import DockerEngine


def test_the_simulated_engine_answers_in_the_form_of_a_real_one() -> None:
    """The form of the recordings: otherwise measurements with it would be worthless."""
    assert list(simulated.validated()) == []


async def test_a_long_list_is_taken_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While 10,000 containers are decoded, a start must not wait for it."""
    made, decoded, turn = simulated.world(200, tmp_path), Counter[int](), 0
    one_listed = containers.listed_container

    def counted(engine: EngineId, data: Json) -> Container:
        decoded[turn] += 1
        return one_listed(engine, data)

    async def take_turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await anyio.lowlevel.checkpoint()

    monkeypatch.setattr(containers, "listed_container", counted)
    socket = str(tmp_path / "engine.sock")
    async with (
        simulated.Server(made, tmp_path).listening(Path(socket)),
        DockerEngine(Connection("the engine", "http://localhost", socket)) as engine,
        anyio.create_task_group() as others,
    ):
        await engine.info()
        others.start_soon(take_turns)
        found = await engine.containers()
        others.cancel_scope.cancel()
    assert {container.key.id for container in found} == made.boxes.keys()
    assert max(decoded.values()) <= 20


async def whole_stream(engine: DockerEngine) -> None:
    """Read the events to the end."""
    async with engine.events() as events:
        async for _ in events:
            pass


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "the connection was closed before an answer came"),
        (b"HTTP/1.1 200", "the connection was closed before an answer came"),
        (CHUNKED + b"10\r\nabc", "the connection was cut in the middle of an answer"),
        (CHUNKED + b"3\r\nabc\r\n", "the connection was cut in the middle of an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "the connection was cut in the middle of an answer"),
        (b"hello\r\n", "the answer is no HTTP: Expected HTTP/, RTSP/ or ICE/: b'hello\\r\\n'"),
        (CHUNKED + b"zz\r\nabc", "the answer is no HTTP: Invalid character in chunk size"),
    ],
)
async def test_a_lost_connection_is_reported_in_plain_words(tmp_path: Path, answer: bytes, told: str) -> None:
    """For a request and for the event stream. A library's own message would not help a reader of the log."""

    async def answered(stream: ByteStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(answer)

    path = str(tmp_path / "engine.sock")
    async with (
        await anyio.create_unix_listener(path) as listener,
        anyio.create_task_group() as others,
        DockerEngine(Connection("unix://engine", "http://localhost", path)) as engine,
    ):
        others.start_soon(listener.serve, answered)
        with pytest.raises(EngineError) as caught:
            await engine.info()
        assert str(caught.value) == f"unix://engine: {told}"
        with pytest.raises(EngineError) as caught:
            await whole_stream(engine)
        assert str(caught.value) == f"unix://engine: {told}"
        others.cancel_scope.cancel()
