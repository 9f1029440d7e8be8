"""Names of containers that have ended: kept for a while, as most come back at once, and then yielded.

To whom, and to whom not, is decided in `hostwatch.core.resolve.tiers`.
"""

from collections.abc import Callable
from typing import NoReturn

import anyio

from hostwatch.core.model import ContainerKey
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store


class Endings:
    """The containers that have ended and did not come back so far."""

    def __init__(self, store: Store, changed: Callable[[FileKeys, str], None], linger_seconds: float) -> None:
        self._store = store
        self._changed = changed
        self.linger_seconds = linger_seconds
        self._due: dict[ContainerKey, float] = {}
        """When each is to yield its names (the event loop's seconds), the soonest first."""
        self._noted = anyio.Event()

    def __repr__(self) -> str:
        return f"<Endings: {len(self._due)}>"

    def note(self, key: ContainerKey) -> None:
        """A container was read; if it has ended, its time runs from now on."""
        if not self._store.is_ending(key):
            self._due.pop(key, None)
        elif key not in self._due:
            self._due[key] = anyio.current_time() + self.linger_seconds
            self._noted.set()

    async def run(self) -> NoReturn:
        """Have those yield their names whose time is over, for ever."""
        while True:
            while not self._due:
                self._noted = anyio.Event()
                await self._noted.wait()
            await self._end_first()

    async def _end_first(self) -> None:
        key, due = next(iter(self._due.items()))
        await anyio.sleep_until(due)
        if self._due.get(key) == due:  # else it came back, or has ended once more
            del self._due[key]
            self._changed(self._store.yield_names(key), "linger is over")
