"""The search for cycles: few objects are looked through at once, and what refers to itself goes all the same."""

import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hostwatch import garbage


class Node:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture
def looked_through() -> Iterator[list[int]]:
    """The number of objects in each search. What the tests' own process has is set aside."""
    found: list[int] = []

    def note(phase: str, told: dict[str, int]) -> None:
        if phase == "start":
            found.append(sum(len(gc.get_objects(generation=each)) for each in range(told["generation"] + 1)))

    gc.collect()
    gc.freeze()
    with garbage.searched_in_short_steps():
        gc.callbacks.append(note)
        yield found
        gc.callbacks.remove(note)
    gc.unfreeze()


def test_few_objects_are_looked_through_at_once(looked_through: list[int]) -> None:
    """However many there are. They are frozen."""
    before, kept = gc.get_freeze_count(), [[number] for number in range(200_000)]
    gc.collect()
    assert len(kept) == 200_000
    assert gc.get_freeze_count() > before + 150_000
    assert max(looked_through) <= 30_000
    assert len(looked_through) > 100, "the threshold of young objects"


def test_no_tuple_fails_that_another_thread_makes() -> None:
    """Python resizes a tuple while it is made, if nothing else refers to it."""
    done = threading.Event()
    with garbage.searched_in_short_steps(), ThreadPoolExecutor(1) as pool:
        made = pool.submit(lambda: [tuple(number for number in range(500)) for _ in iter(done.is_set, True)])
        for _ in range(30):
            kept = [[number] for number in range(20_000)]
            gc.collect()
        done.set()
        assert made.result()
    assert len(kept) == 20_000
    gc.unfreeze()


def test_what_refers_to_itself_goes(looked_through: list[int]) -> None:
    """Even if it was there for some time."""
    node = Node()
    gc.collect(1)
    gone = weakref.ref(node)
    del node
    gc.collect(1)
    assert gone() is not None
    gc.collect()
    assert gone() is None
    assert looked_through


def test_python_searches_as_before_afterwards() -> None:
    """Nothing is left behind."""
    before, threshold = [*gc.callbacks], gc.get_threshold()
    with garbage.searched_in_short_steps():
        assert len(gc.callbacks) == len(before) + 1
    assert gc.callbacks == before
    assert gc.get_threshold() == threshold


def test_a_command_that_became_the_daemon_searches_as_usual() -> None:
    """It looked seldom while it loaded its parts, and does not look through them afterwards."""
    usual = gc.get_threshold()
    try:
        garbage.search_seldom()
        seldom = gc.get_threshold()
        assert seldom[0] > 10 * usual[0]
        loaded = [[number] for number in range(50_000)]
        with garbage.searched_in_short_steps():
            assert gc.get_threshold() == usual
            assert len(gc.get_objects()) < len(loaded), "what was loaded before is not looked through"
        assert gc.get_threshold() == seldom
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
