"""The tests of requests run on both event loops: `run` uses uvloop, the other commands asyncio's own."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loops by their names."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
