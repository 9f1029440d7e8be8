"""An engine's answers, as a simulated one gives them on a socket."""

from collections import Counter
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from bench import simulated
from hostwatch.core.model import Container, EngineId
from hostwatch.docker import decode
from hostwatch.docker.connect import Connection
from hostwatch.docker.engine import DockerEngine


def test_the_simulated_engine_answers_in_the_form_of_a_real_one() -> None:
    """As it was recorded: what is measured beside it would be of no worth otherwise."""
    assert list(simulated.validated()) == []


async def test_a_long_list_is_taken_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While 10,000 containers are decoded, a start must not wait for it."""
    made, decoded, turn = simulated.world(200, tmp_path), Counter[int](), 0
    one_listed = decode.listed_container

    def counted(engine: EngineId, data: decode.Json) -> Container:
        decoded[turn] += 1
        return one_listed(engine, data)

    async def take_turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await anyio.lowlevel.checkpoint()

    monkeypatch.setattr(decode, "listed_container", counted)
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
