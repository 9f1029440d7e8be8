"""Tells any number of tasks that something changed. None misses what happens while it is busy."""

import anyio


class News:
    """Counts what happens. A task waits for more than it has seen."""

    def __init__(self) -> None:
        self._number = 0
        self._told: anyio.Event | None = None
        """Set at the next news; `None` while nobody waits."""

    def tell(self) -> None:
        """Something changed."""
        self._number += 1
        if self._told is not None:
            self._told.set()
            self._told = None

    async def after(self, seen: int) -> int:
        """Wait until more has changed than what was `seen`; returns what to wait for next. Nothing is 0."""
        while self._number == seen:
            if self._told is None:
                self._told = anyio.Event()
            await self._told.wait()
        return self._number
