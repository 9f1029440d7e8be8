"""How the daemon behaves on a large engine, which is a simulated one here."""

import gc
from pathlib import Path

import anyio

from bench import simulated
from hostwatch.config import Settings
from hostwatch.daemon import Daemon
from hostwatch.docker.connect import Connection
from hostwatch.docker.engine import DockerEngine


async def test_what_was_read_first_is_not_looked_through_for_garbage(tmp_path: Path) -> None:
    """Each time that would hold the event loop up for 0.2 s with 10,000 containers."""
    made, socket = simulated.world(200, tmp_path), tmp_path / "engine.sock"
    gc.unfreeze()
    try:
        async with (
            simulated.Server(made, tmp_path).listening(socket),
            DockerEngine(Connection("the engine", "http://localhost", str(socket))) as source,
            anyio.create_task_group() as tasks,
        ):
            daemon = Daemon(Settings(), source)
            tasks.start_soon(daemon.run)
            with anyio.fail_after(10):
                await daemon.compared()
            assert gc.get_freeze_count() > len(made.boxes)
            tasks.cancel_scope.cancel()
    finally:
        gc.unfreeze()
    for subscriber in made.subscribers:
        text = (tmp_path / "containers" / subscriber.id / "hosts").read_text()
        assert simulated.wanted(made, subscriber) in text
