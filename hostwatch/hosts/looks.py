"""Looks at paths at intervals, where no event tells of a change.

A file system may hang, so a thread makes the looks. It also waits by itself: a look that finds nothing wakes nobody. A
look by the event loop's order cost ten times as much.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


class Looks:
    """Looks at intervals, and whenever one is requested."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due = threading.Lock()
        """Released when a look is due. A thread waits more cheaply for a lock than for `threading.Event`."""
        self._due.acquire()

    def request(self) -> None:
        """Look now."""
        if self._due.locked():
            self._due.release()

    async def first(self, look: Callable[[bool], T]) -> T:
        """The first true result of `look`, which is called at once and then again and again, in a thread.

        Its argument tells whether the look was requested; the first one is. The result is false only after a
        cancellation, which waits for no look.
        """
        ended = False

        def looked() -> T:
            requested = True
            while not (found := look(requested)) and not ended:
                requested = self._due.acquire(timeout=self._seconds)
            return found

        try:
            return await anyio.to_thread.run_sync(looked, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
        except anyio.get_cancelled_exc_class():
            ended = True
            self.request()
            raise
