"""Long work on the event loop, in steps: other tasks have their turn between them."""

import time

import anyio.lowlevel

_STEP_SECONDS = 0.002
"""A file may wait for a step: half of the time between a container's address and its first instruction."""


class Turns:
    """Tells when a step has taken long enough."""

    def __init__(self) -> None:
        self._until = time.monotonic() + _STEP_SECONDS

    async def give(self) -> None:
        """Let other tasks have their turn, if a step has taken long enough."""
        if time.monotonic() >= self._until:
            await anyio.lowlevel.checkpoint()
            self._until = time.monotonic() + _STEP_SECONDS
