"""The work queue: each file once, and never two workers on one file."""

import time
from collections import Counter

import anyio
import anyio.lowlevel
import pytest

from hostwatch.control.causes import FILE_CHANGED
from hostwatch.control.reconcile.queue import WorkQueue
from hostwatch.core.model import ContainerId, ContainerKey, EngineId

A, B, C, D = (ContainerKey(EngineId("e"), ContainerId(name)) for name in "abcd")


async def test_equal_keys_collapse_and_keep_their_causes() -> None:
    """A file that is added twice before it is taken is worked on once, for both reasons."""
    queue = WorkQueue()
    queue.add(A, "start db", since=1.0)
    queue.add(B, "start db")
    queue.add(A, "die db", since=2.0)
    work = await queue.take()
    assert (work.key, work.causes, work.since) == (A, ["start db", "die db"], 1.0)
    assert (await queue.take()).key == B


async def test_a_file_in_work_is_never_given_to_a_second_worker() -> None:
    """A file that is added meanwhile comes once more when the first worker is done."""
    queue = WorkQueue()
    queue.add(A, "one")
    await queue.take()
    queue.add(A, "two")
    queue.add(A, "three")
    with anyio.move_on_after(0.05) as scope:
        await queue.take()
    assert scope.cancelled_caught
    queue.done(A)
    assert (await queue.take()).causes == ["two", "three"]
    queue.done(A)


async def test_a_change_of_the_file_is_never_lost_among_many_causes() -> None:
    """This cause decides whether the file is read for early addresses."""
    queue = WorkQueue()
    for number in range(50):
        queue.add(A, f"event {number}")
    queue.add(A, FILE_CHANGED)
    causes = (await queue.take()).causes
    assert len(causes) < 10
    assert FILE_CHANGED in causes


async def test_delayed_keys_come_in_the_order_of_their_times() -> None:
    """A key with an earlier time overtakes, even if it is added later."""
    queue = WorkQueue()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(queue.run_delayed)
        await anyio.lowlevel.checkpoint()
        queue.add_at(time.monotonic() + 0.1, A, "late")
        queue.add_at(time.monotonic() + 0.02, B, "early")
        assert [(await queue.take()).key, (await queue.take()).key] == [B, A]
        tasks.cancel_scope.cancel()


async def test_waiting_for_files_ends_with_the_work_that_is_queued_by_then() -> None:
    """The present work and the next one for these files count, but not work that is added later."""
    queue = WorkQueue()
    queue.add(A, "one")
    await queue.take()
    queue.add(A, "two")
    over = anyio.Event()

    async def wait() -> None:
        await queue.worked_on([A, B])
        over.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.lowlevel.checkpoint()
        queue.done(A)
        await queue.take()
        queue.add(A, "three")
        await anyio.wait_all_tasks_blocked()
        assert not over.is_set()
        queue.done(A)
        with anyio.fail_after(1):
            await over.wait()


async def test_a_file_that_is_delayed_again_and_again_comes_once_at_the_soonest_time() -> None:
    """If a service comes and goes all the time, each change sets a new time for each of its readers."""
    queue = WorkQueue()
    now = anyio.current_time()
    for number in range(1000):
        queue.add_at(now + 1000 - number, A, "linger is over")
        queue.add_at(now + 0.02 + number, B, f"linger {number} is over")
    assert "2 delayed" in repr(queue)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(queue.run_delayed)
        work = await queue.take()
        assert (work.key, work.causes) == (B, ["linger 0 is over"])
        queue.add_at(anyio.current_time() + 0.02, B, "lingers again")
        queue.done(B)
        assert (await queue.take()).causes == ["lingers again"]
        tasks.cancel_scope.cancel()


@pytest.mark.slow
async def test_a_file_that_takes_much_work_all_the_time_is_put_off_except_for_urgent_causes() -> None:
    """It is worked on once for all causes that come meanwhile. A file without recent work is not put off."""
    queue = WorkQueue()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(queue.run_delayed)
        taken = []
        with anyio.move_on_after(1.0):
            while True:
                queue.add(A, "start")
                taken.append(await queue.take())
                queue.spend(A, cpu_seconds=0.004)
                queue.done(A)
        assert 12 <= len(taken) <= 14  # eleven on credit, and two or three a second
        queue.add(A, "start")
        queue.add(B, "start")
        assert (await queue.take()).key == B
        queue.add(A, FILE_CHANGED, urgent=True)
        with anyio.fail_after(0.1):
            assert (await queue.take()).causes == ["start", FILE_CHANGED]
        queue.done(A)
        tasks.cancel_scope.cancel()


@pytest.mark.slow
async def test_the_work_of_one_piece_puts_a_file_off_for_a_second_at_most() -> None:
    """However long it took. A file that is gone is forgotten, and owes nothing."""
    queue = WorkQueue()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(queue.run_delayed)
        queue.add(B, "start")
        await queue.take()
        for _ in range(10):
            queue.spend(A, cpu_seconds=100.0)
            queue.spend(B, cpu_seconds=100.0)
        queue.forget(B)
        queue.add(A, "start")
        queue.add(B, "start")
        queue.done(B)
        assert (await queue.take()).key == B
        begun = time.monotonic()
        with anyio.fail_after(1.5):
            assert (await queue.take()).key == A
        assert time.monotonic() > begun + 0.5
        tasks.cancel_scope.cancel()


async def test_regular_comparisons_wait_for_all_others() -> None:
    """A resync of many files delays no event's file. A file with an event as well has its turn at once."""
    queue = WorkQueue()
    queue.add_all([A, B, C], "resync", idle=True)
    queue.add(C, "start db")
    queue.add(B, "resync", idle=True)
    queue.add(D, "die db")
    taken = [await queue.take() for _ in range(4)]
    assert [work.key for work in taken] == [C, D, A, B]
    assert taken[0].causes == ["resync", "start db"]


async def test_thousands_of_files_enter_some_at_a_time() -> None:
    """Others have their turn in between. All of them count as being in the queue, and each comes once."""
    queue, turns = WorkQueue(), 0
    keys = [ContainerKey(EngineId("e"), ContainerId(str(number))) for number in range(5_000)]

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        for task in (queue.run_delayed, count_turns):
            tasks.start_soon(task)
        await anyio.lowlevel.checkpoint()
        queue.add_all(keys, "resync", idle=True)
        assert not queue.is_busy
        queue.add_all(keys[2_500:], "start db")
        assert queue.is_busy
        queue.add(keys[0], "start web")
        first = await queue.take()
        assert (first.key, first.causes) == (keys[0], ["start web"]), "a single file does not wait for all of them"
        queue.done(keys[0])
        found: Counter[ContainerKey] = Counter()
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(queue.worked_on, keys)
            await anyio.lowlevel.checkpoint()
            turns = 0
            while len(found) < len(keys):
                work = await queue.take()
                found[work.key] += 1
                queue.done(work.key)
        tasks.cancel_scope.cancel()
    assert found.total() <= len(keys) + 2_500
    assert turns >= len(keys) / 200
