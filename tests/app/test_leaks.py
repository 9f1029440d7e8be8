"""A daemon that changes to another engine leaves no memory behind."""

import asyncio
import gc
import signal
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio
import pytest

from bench import simulated
from hostwatch import app, priority
from hostwatch.config.file import load
from hostwatch.config.settings import Settings
from hostwatch.daemon import Daemon, Parts
from hostwatch.docker.connect import Connection


@pytest.fixture
def daemons(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[weakref.ref[Daemon]]]:
    """All daemons that are made."""
    made: list[weakref.ref[Daemon]] = []

    def noted(settings: Settings, parts: Parts) -> Daemon:
        daemon = Daemon(settings, parts)
        made.append(weakref.ref(daemon))
        return daemon

    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr(app, "Daemon", noted)
    monkeypatch.setattr(priority, "raise_priority", lambda: None)
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)
    gc.unfreeze()


def has(daemons: list[weakref.ref[Daemon]], count: int) -> bool:
    """Whether so many have been made."""
    return len(daemons) == count


async def comes_true(check: Callable[[], bool]) -> None:
    """Wait for it."""
    with anyio.fail_after(20):
        while not check():  # noqa: ASYNC110  # nobody tells of what is collected
            await anyio.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("on_exit", ["keep", "remove"])
async def test_each_engine_that_is_left_is_forgotten(
    tmp_path: Path, daemons: list[weakref.ref[Daemon]], on_exit: str
) -> None:
    """With all its data, which was frozen for the collector."""
    socket, config = tmp_path / "engine.sock", tmp_path / "hostwatch.yaml"
    connection = Connection("the engine", "http://localhost", str(socket))

    def reread() -> app.Configured:
        root = tmp_path / str(len(daemons))
        config.write_text(f"docker: {{root: {root}}}\non_exit: {on_exit}\n")
        named = f"the engine as it is called the {len(daemons)}. time" if on_exit == "remove" else "the engine"
        return app.Configured(load(config), Connection(named, connection.base, connection.socket))

    async with simulated.Server(simulated.world(20, tmp_path), tmp_path).listening(socket):
        following = asyncio.create_task(app.run(reread(), reread))
        for count in (1, 2, 3):
            await comes_true(partial(has, daemons, count))
            daemon = daemons[-1]()
            assert daemon is not None
            await daemon.compared()
            del daemon
            signal.raise_signal(signal.SIGHUP)
        await comes_true(lambda: len(daemons) == 4 and all(daemon() is None for daemon in daemons[:3]))
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
