"""The lines of a stream without end, each bounded."""

from collections.abc import Awaitable, Callable

LINE_LIMIT = 4 << 20
"""Bytes of a line. etcd cuts the events of a watch into fragments of its longest request, 1.5 MiB by default, which are
a third longer in base64."""


class LongLineError(Exception):
    """A line is longer than allowed. The stream cannot be read on."""


class Lines:
    """Reads a stream line by line."""

    def __init__(self, read: Callable[[], Awaitable[bytes]], limit: int) -> None:
        """`read` returns the next piece of the stream, and nothing at its end."""
        self._read = read
        self._limit = limit
        self._ready: list[bytes] = []
        """Whole lines, the next one last."""
        self._rest = bytearray()

    def __aiter__(self) -> "Lines":
        return self

    async def __anext__(self) -> bytes:
        """The next line that is not empty. Raises `LongLineError`."""
        while not self._ready:
            piece = await self._read()
            if not piece:
                raise StopAsyncIteration
            self._take(piece)
        return self._ready.pop()

    def _take(self, piece: bytes) -> None:
        first, *others = piece.split(b"\n")
        self._rest += first
        if len(self._rest) > self._limit:
            raise LongLineError
        if others:
            *whole, rest = others
            self._ready = [line for line in (*reversed(whole), bytes(self._rest)) if line.strip()]
            self._rest = bytearray(rest)
