"""The engine's event stream: the events that are asked for, and its lines, however long one is."""

import json
from collections.abc import AsyncIterable, AsyncIterator
from urllib.parse import urlencode

from hostwatch.control.source import Event
from hostwatch.core.model import EngineId
from hostwatch.docker.decode import events
from hostwatch.docker.failures import UNREADABLE
from hostwatch.docker.session import CONTAINER_LIMIT

_HEAD_LENGTH = 4096
"""Bytes of the beginning of an event: its kind, action and id come before its labels."""

_FILTERS = {
    "type": ["container", "network"],
    # With Podman's words for die and destroy. `kill`, `exec_…` and all others change no address.
    "event": [
        *("create", "start", "die", "destroy", "rename", "health_status"),
        *("connect", "disconnect"),
        *("died", "remove"),
    ],
}


_QUERY = urlencode({"filters": json.dumps(_FILTERS)})


def event_query(after: int | None) -> str:
    """The query of `GET /events` for events that may change an address, later than `after` (nanoseconds)."""
    if after is None:
        return _QUERY
    # The engine's `since` includes its own moment.
    return "{}&since={}.{:09}".format(_QUERY, *divmod(after + 1, 10**9))


async def read_events(engine: EngineId, content: AsyncIterable[bytes]) -> AsyncIterator[Event | None]:
    """The events of a stream; `None` for an unreadable one."""
    async for line in _lines(content):
        if line.strip():
            try:
                found = events.event(engine, json.loads(line))
            except UNREADABLE:
                yield events.event_of_head(engine, line)
            else:
                if found is not None:
                    yield found


async def _lines(content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The lines of a stream. A line over the limit is cut to its beginning and never held as a whole."""
    buffer = bytearray()
    head = b""
    async for chunk in content:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            buffer += chunk[start:end]
            start = end + 1
            yield head or bytes(buffer)
            head = b""
            buffer.clear()
        buffer += chunk[start:]
        if len(buffer) > CONTAINER_LIMIT:
            head = head or bytes(buffer[:_HEAD_LENGTH])
            buffer.clear()
