"""Parses values of the shared store, which anybody who may write there has made as long as a value may be."""

from collections.abc import Callable
from typing import TypeVar

import anyio.to_thread

Parsed = TypeVar("Parsed")

_AT_ONCE = 8 << 10
"""Bytes of a value that are parsed in one step: some 2 ms. A service with 20 replicas has as many."""


async def parsed(parse: Callable[[bytes | None], Parsed], value: bytes | None) -> Parsed:
    """What a value says; what `parse` raises is raised. A long one is parsed in a thread: it takes up to 20 ms."""
    if value is None or len(value) <= _AT_ONCE:
        return parse(value)
    return await anyio.to_thread.run_sync(parse, value)
