"""Thousands of files that are to be compared for one cause: they enter the queue some at a time."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple, NoReturn

import anyio
import anyio.lowlevel

from hostwatch.core.model import ContainerKey

AT_ONCE = 200
"""Files that enter the queue in one step of the event loop, in less than a millisecond."""


class Batch(NamedTuple):
    """Files to compare."""

    keys: list[ContainerKey]
    cause: str
    since: float
    """When the cause arrived (`time.monotonic`)."""
    idle: bool


class Batches:
    """The files that do not fit into one step."""

    def __init__(self) -> None:
        self._left: deque[Batch] = deque()
        self._come = anyio.Event()

    def __iter__(self) -> Iterator[ContainerKey]:
        return chain.from_iterable([batch.keys for batch in self._left])

    @property
    def is_busy(self) -> bool:
        """Whether something asks for one of them."""
        return any(not batch.idle for batch in self._left)

    def add(self, batch: Batch) -> None:
        """Have these files enter the queue soon."""
        self._left.append(batch)
        self._come.set()

    async def run(self, enter: Callable[[Batch], None]) -> NoReturn:
        """Call `enter` with some of the files in each step of the event loop, for ever."""
        while True:
            while self._left:
                batch = self._left[0]
                enter(batch._replace(keys=batch.keys[-AT_ONCE:]))
                del batch.keys[-AT_ONCE:]
                if not batch.keys:
                    self._left.popleft()
                await anyio.lowlevel.checkpoint()
            self._come = anyio.Event()
            await self._come.wait()
