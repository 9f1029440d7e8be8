"""Looks at a path: when they are made, and where."""

import threading
import time

import anyio

from hostwatch.hosts.looks import Looks


async def test_a_look_is_made_at_once_then_at_intervals() -> None:
    """The first true result ends them. A thread makes all looks."""
    threads: list[threading.Thread] = []

    def look(_requested: bool) -> bool:
        threads.append(threading.current_thread())
        return len(threads) == 3

    begin = time.monotonic()
    assert await Looks(0.05).first(look)
    assert time.monotonic() - begin >= 0.1
    assert len(set(threads)) == 1
    assert threading.main_thread() not in threads


async def test_a_requested_look_is_made_now() -> None:
    """It knows that it was requested."""
    looks, told = Looks(60.0), []

    def look(requested: bool) -> bool:
        told.append(requested)
        if len(told) == 1:
            looks.request()
        return len(told) == 2

    with anyio.fail_after(10):
        assert await looks.first(look)
    assert told == [True, True]


async def test_a_look_that_hangs_holds_up_no_cancellation() -> None:
    """Its thread ends when the look does, without another look."""
    hung, looked = threading.Event(), []

    def look(_requested: bool) -> bool:
        looked.append(threading.current_thread())
        return not hung.wait(60.0)

    with anyio.move_on_after(0.1):
        await Looks(0.01).first(look)
    hung.set()
    await anyio.sleep(0.1)
    assert len(looked) == 1
