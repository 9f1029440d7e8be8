"""Linger: a container that has ended keeps its names for a while, and then yields them. Most come back at once.

`hostwatch.core.resolve.tiers` decides which containers may take the names over.
"""

from collections.abc import Callable
from typing import NoReturn

import anyio

from hostwatch.control.causes import LINGER_OVER
from hostwatch.control.clock import loop_time
from hostwatch.core.model import ContainerKey
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store


class Endings:
    """Containers that have ended and still keep their names."""

    def __init__(self, store: Store, affected: Callable[[FileKeys, str], None], linger_seconds: float) -> None:
        self._store = store
        self._affected = affected
        self.linger_seconds = linger_seconds
        self._due: dict[ContainerKey, float] = {}
        """The time at which each yields its names (the event loop's seconds), the soonest first."""
        self._noted = anyio.Event()

    def __repr__(self) -> str:
        return f"<Endings: {len(self._due)}>"

    def note(self, key: ContainerKey) -> None:
        """A container was read; if it has ended, its linger begins now."""
        if not self._store.is_ending(key):
            self._due.pop(key, None)
        elif key not in self._due:
            self._due[key] = loop_time() + self.linger_seconds
            self._noted.set()

    async def run(self) -> NoReturn:
        """Have containers yield their names when their linger is over, for ever."""
        while True:
            while not self._due:
                self._noted = anyio.Event()
                await self._noted.wait()
            await self._end_first()

    async def _end_first(self) -> None:
        key, due = next(iter(self._due.items()))
        await anyio.sleep_until(due)
        if self._due.get(key) == due:  # otherwise it has come back, and has perhaps ended once more
            del self._due[key]
            self._affected(self._store.yield_names(key), LINGER_OVER)
