"""A standby's connection to the daemon that keeps the files: it ends when that daemon ends, however it ends."""

from contextlib import suppress
from pathlib import Path

import anyio

from hostwatch.http.sockets import control_socket

_REQUEST = b"GET /api/v1/events HTTP/1.0\r\n\r\n"
"""An answer that goes on for ever."""
_RETRY_SECONDS = 1.0
"""Time between attempts to connect: the first may be an older version, or have no control socket that is seen here."""
_CHUNK = 1 << 16


async def first_ended(directory: Path, engine: str | None) -> None:
    """Wait until a connection to the first was there and has ended. If none can be made, wait for ever."""
    # Nobody tells that a control socket is there.
    while engine is None or not await _followed(control_socket(directory, engine)):  # noqa: ASYNC110
        await anyio.sleep(_RETRY_SECONDS)


async def _followed(place: Path) -> bool:
    """Whether there was a connection. Waits for its end."""
    is_answered = False
    with suppress(OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        async with await anyio.connect_unix(place) as stream:
            await stream.send(_REQUEST)
            while await stream.receive(_CHUNK):
                is_answered = True
    return is_answered
