"""Tasks that take one piece of work after the other. To begin a task takes longer than to wake one that waits."""

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup

_MOST_IDLE = 8
"""Tasks that wait for work: as many as are busy at once, but in a storm."""


class Crew:
    """Does each piece of work at once, however many there are and however long one takes."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._todo: deque[Callable[[], Awaitable[None]]] = deque()
        self._count = anyio.Semaphore(0, fast_acquire=True)
        """The number of pieces of work to do."""
        self._idle = 0

    def start(self, work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        """Have this work done in the background."""
        if self._idle > len(self._todo):
            self._todo.append(partial(work, *arguments))
            self._count.release()
        else:
            self._tasks.start_soon(self._work, partial(work, *arguments), name="read")

    async def _work(self, work: Callable[[], Awaitable[None]]) -> None:
        await work()
        del work  # it knows a container, which may be gone long before this task ends
        while self._idle < _MOST_IDLE:
            self._idle += 1
            try:
                await self._count.acquire()
            finally:
                self._idle -= 1
            await self._todo.popleft()()
