"""The order in which files are taken: in the order in which they came, those that nothing asks for after all others."""

import time
from collections import OrderedDict

import anyio
import anyio.lowlevel

from hostwatch.control.clock import loop_time
from hostwatch.core.model import ContainerKey

_STEP_SECONDS = 0.003
"""The time slice of the workers before other tasks have their turn. A file takes a twentieth of a millisecond. Each
written file wakes the watch, which takes as long again."""


class WaitingFiles:
    """Two lines of files. Nothing here waits but `take`."""

    def __init__(self) -> None:
        self._line: OrderedDict[ContainerKey, None] = OrderedDict()
        self._idle_line: OrderedDict[ContainerKey, None] = OrderedDict()
        self._count = anyio.Semaphore(0, fast_acquire=True)
        """The number of files in both lines."""
        self._turn = 0.0
        """When the workers last began to take files without a pause (`time.monotonic`)."""
        self.now = 0.0
        """The same in the event loop's seconds: at most some milliseconds ago while the workers do not wait. Reading
        the clock for each file takes as long as finding the block in one."""

    @property
    def is_busy(self) -> bool:
        """Whether a file waits that something asks for."""
        return bool(self._line)

    def put(self, key: ContainerKey, *, idle: bool) -> None:
        """Put a file at the end of its line."""
        line = self._idle_line if idle else self._line
        line[key] = None
        self._count.release()

    def promote(self, key: ContainerKey) -> None:
        """Move a file to the line of those that something asks for, if it waits in the other one."""
        if key in self._idle_line:
            del self._idle_line[key]
            self._line[key] = None

    async def take(self) -> ContainerKey:
        """Wait for the next file."""
        count = self._count
        if count.value > 0 and time.monotonic() > self._turn + _STEP_SECONDS:
            await anyio.lowlevel.checkpoint()
            self._begin_turn()
        if count.value > 0:
            count.acquire_nowait()
        else:
            await count.acquire()
            self._begin_turn()
        return (self._line or self._idle_line).popitem(last=False)[0]

    def _begin_turn(self) -> None:
        self._turn, self.now = time.monotonic(), loop_time()
