"""The reconciler on real files, without an engine: after any end of a comparison the file can be compared again."""

from functools import partial
from itertools import count
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from hostwatch.control.reconcile.queue import WorkQueue
from tests.control.room import Deaf, Room


@pytest.fixture
def names() -> list[str]:
    """More files of each kind than are compared at once."""
    return [f"{kind}-{number}" for number in range(6) for kind in ("exec", "web", "starting")]


async def test_a_worker_that_waits_for_a_slot_gives_its_file_back(tmp_path: Path) -> None:
    """Ten files by exec, four of them in work for ever; then another reconciler takes over."""
    room = Room(tmp_path, *(f"exec-{number}" for number in range(10)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.reconciler(tasks, room.hanging).run, Deaf())
        room.queue.add_all(room.keys, "resync")
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    await room.all_right()


async def test_a_file_pays_for_its_work_and_no_other_file_does(tmp_path: Path) -> None:
    """If each piece of work takes a second, a file is put off after some of them, and its neighbour is not."""
    room = Room(tmp_path, "web-1", "web-2")
    room.queue = WorkQueue(partial(next, count(0.0, 1.0)))
    costly, other = room.keys
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.reconciler(tasks).run, Deaf())
        for _ in range(3):
            room.queue.add(costly, "start db")
            await room.queue.worked_on([costly])
        room.queue.add_all([costly, other], "start db")
        await room.queue.worked_on([other])
        await anyio.wait_all_tasks_blocked()
        assert "1 waiting, 0 in work" in repr(room.queue)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("turns", range(24))
async def test_at_whichever_await_it_is_cancelled_no_file_stays_taken(
    tmp_path: Path, names: list[str], turns: int
) -> None:
    """By path and by exec, at a start and at a resync, after so many turns of the event loop."""
    room = Room(tmp_path, *names)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.reconciler(tasks).run, Deaf())
        room.queue.add_all(room.keys, "resync")
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    await room.all_right()
