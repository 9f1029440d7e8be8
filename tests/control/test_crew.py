"""Tasks that take one piece of work after the other."""

import weakref

import anyio
import pytest

from hostwatch.control.informer.crew import Crew


class Thing:
    """Something that a piece of work is about."""


@pytest.mark.slow
async def test_each_piece_of_work_begins_at_once_in_a_task_that_waits_if_there_is_one() -> None:
    """However many there are, and however long they take."""
    at_work, most, workers = 0, 0, set[int]()
    done = anyio.Event()

    async def work(_thing: Thing) -> None:
        nonlocal at_work, most
        workers.add(anyio.get_current_task().id)
        at_work += 1
        most = max(most, at_work)
        await done.wait()
        at_work -= 1

    async with anyio.create_task_group() as tasks:
        crew = Crew(tasks)
        for _ in range(30):
            crew.start(work, Thing())
        await anyio.wait_all_tasks_blocked()
        assert (at_work, most, len(workers)) == (30, 30, 30)
        done.set()
        await anyio.wait_all_tasks_blocked()
        assert at_work == 0
        before = set(workers)
        for _ in range(50):
            crew.start(work, Thing())
            await anyio.wait_all_tasks_blocked()
        assert workers == before, "no new task was begun"
        thing = Thing()
        forgotten = weakref.ref(thing)
        crew.start(work, thing)
        del thing
        await anyio.wait_all_tasks_blocked()
        assert forgotten() is None
        tasks.cancel_scope.cancel()
