"""The search for objects that only refer to each other, without long pauses of the event loop.

Python looks through all objects now and then: with 5,000 names that takes 0.4 s, at real-time priority. Here most are
frozen, which means that they are not looked through any more, and stay until nothing refers to them. That is enough, as
no long-lived data refers to itself.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_MOST = 10_000
"""The most objects that are looked through at once, in some 2 ms."""


@contextmanager
def searched_in_short_steps() -> Iterator[None]:
    """Keep Python from looking through more objects at once."""
    gc.callbacks.append(_freeze_many)
    try:
        yield
    finally:
        gc.callbacks.remove(_freeze_many)


def search_all() -> None:
    """Look through all objects, also the frozen ones: those of an engine that was left refer to each other."""
    gc.unfreeze()
    callbacks, gc.callbacks[:] = gc.callbacks[:], []
    try:
        gc.collect()
    finally:
        gc.callbacks[:] = callbacks


def _freeze_many(phase: str, found: dict[str, int]) -> None:
    """Before Python looks through these generations, freeze them if they are large."""
    if phase == "start":
        generations = range(found["generation"] + 1)
        if sum(len(gc.get_objects(generation=each)) for each in generations) > _MOST:
            gc.freeze()
