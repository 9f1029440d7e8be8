"""The changes that wait for their follower."""

from collections import deque
from collections.abc import Iterable

import anyio

from hostwatch.control.key_values import Change

_ROOM = 64
"""Changes that may wait, or those of one revision: so many are read and told in one step, which is some milliseconds.
A follower that is slower makes the server wait, as the connection is not read."""


class Changes:
    """An asynchronous iterator of changes. They are put in one step, so that no cancellation tears them apart."""

    def __init__(self) -> None:
        self._waiting: deque[Change] = deque()
        self._turned = anyio.Event()

    def __aiter__(self) -> "Changes":
        return self

    async def __anext__(self) -> Change:
        while not self._waiting:
            await self._turned.wait()
        change = self._waiting.popleft()
        if len(self._waiting) in (0, _ROOM - 1):
            self._turn()
        return change

    def put(self, changes: Iterable[Change]) -> None:
        """Add changes for the follower."""
        self._waiting.extend(changes)
        self._turn()

    async def room(self) -> None:
        """Wait until the follower has taken most of them."""
        while len(self._waiting) >= _ROOM:
            await self._turned.wait()

    def _turn(self) -> None:
        self._turned.set()
        self._turned = anyio.Event()
