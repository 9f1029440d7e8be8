"""The search for objects that only refer to each other, without long pauses of the event loop.

Python looks through all objects now and then: with 5,000 names that takes 0.4 s, at real-time priority. Here most are
frozen, which means that they are not looked through any more, and stay until nothing refers to them. That is enough, as
no long-lived data refers to itself.

How many objects there are is told by the blocks of memory. A list of all objects (`gc.get_objects`) would tell it, too,
but it refers to a tuple that another thread is just making, which then fails with a `SystemError`.
"""

import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_MOST_BLOCKS = 30_000
"""So many blocks of memory may be added before all objects are frozen: some 10,000 objects that are looked through, in
2 ms."""
_LONG_SECONDS = 0.005
"""After a search that took longer, all objects are frozen: others have taken the place of frozen ones."""
_OLDEST = 2
_SELDOM = 200_000
_USUAL = gc.get_threshold()


class _Freezer:
    """Freezes objects before Python looks through too many."""

    def __init__(self) -> None:
        self._begun = 0.0
        self._freeze()  # else the first search would look through all that was loaded, in 20 ms

    def __call__(self, phase: str, found: dict[str, int]) -> None:
        """Called by Python before each search, and after it."""
        if phase == "start":
            if found["generation"] == _OLDEST and sys.getallocatedblocks() - self._blocks > _MOST_BLOCKS:
                self._freeze()
            self._begun = time.perf_counter()
        elif time.perf_counter() - self._begun > _LONG_SECONDS:
            self._freeze()

    def _freeze(self) -> None:
        gc.freeze()
        self._blocks = sys.getallocatedblocks()
        """The blocks of memory when objects were last frozen."""


def search_seldom() -> None:
    """Look for what refers to itself after 200,000 new objects instead of 700.

    What a command loads, 80,000 objects, stays until its end. To look through it takes a seventh of the start.
    """
    gc.set_threshold(_SELDOM)


@contextmanager
def searched_in_short_steps() -> Iterator[None]:
    """Keep Python from looking through many objects at once: it looks as often as usual, and at few."""
    before = gc.get_threshold()
    gc.set_threshold(*_USUAL)
    gc.callbacks.append(freezer := _Freezer())
    try:
        yield
    finally:
        gc.callbacks.remove(freezer)
        gc.set_threshold(*before)


def search_all() -> None:
    """Look through all objects, also the frozen ones: those of an engine that was left refer to each other."""
    gc.unfreeze()
    callbacks, gc.callbacks[:] = gc.callbacks[:], []
    try:
        gc.collect()
    finally:
        gc.callbacks[:] = callbacks
