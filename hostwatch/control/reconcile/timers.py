"""Keys that are due at a time: each once, at the soonest of the times that were asked for."""

import heapq
import math
from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

import anyio

from hostwatch.control.clock import loop_time
from hostwatch.core.model import ContainerKey

Cause = TypeVar("Cause")


class Timers(Generic[Cause]):
    """The times of keys, in the event loop's seconds, each with its cause."""

    def __init__(self) -> None:
        self._due: dict[ContainerKey, tuple[float, Cause]] = {}
        self._times: list[tuple[float, ContainerKey]] = []
        """A heap. An entry whose key is not due at that time any more is passed over."""
        self._sooner = anyio.Event()

    def __len__(self) -> int:
        return len(self._due)

    def set(self, when: float, key: ContainerKey, cause: Cause) -> None:
        """Have a key due at that time, unless it is due sooner."""
        known = self._due.get(key)
        if known is not None and known[0] <= when:
            return
        self._due[key] = when, cause
        heapq.heappush(self._times, (when, key))
        if self._times[0][0] == when:
            self._sooner.set()

    def cancel(self, key: ContainerKey) -> bool:
        """Have a key not due any more; returns whether it was."""
        return self._due.pop(key, None) is not None

    async def run(self, due: Callable[[ContainerKey, Cause], None]) -> NoReturn:
        """Call `due` with each key when its time has come, for ever."""
        while True:
            self._sooner = anyio.Event()
            wait = self._times[0][0] - loop_time() if self._times else math.inf
            if wait > 0:
                with anyio.move_on_after(wait):
                    await self._sooner.wait()
            while self._times and self._times[0][0] <= loop_time():
                when, key = heapq.heappop(self._times)
                known = self._due.get(key)
                if known is not None and known[0] == when:
                    del self._due[key]
                    due(key, known[1])
