"""One HTTP/1.1 connection to an engine: a request, and its answer as it comes.

llhttp (`httptools`) parses the answers. A whole HTTP client also knows cookies, redirects and compression: that takes
two and a half times the processor time for a request, a fifth of the daemon's memory, and a quarter of the time to load
its code. This module knows neither URLs nor how a connection is made.
"""

import asyncio
from typing import Self, cast

import httptools

_HEAD_LIMIT = 1 << 16
"""Bytes of an answer's head. A head does not tell its length, and one without an end would fill the memory."""
_PIECE = 1 << 18
"""Bytes of a body that are handed over at once. Both event loops read as many from a socket at once."""
_TOLD = 40
"""Bytes of something else than HTTP that are told: they may show what it is."""


class LostError(Exception):
    """The answer did not come, or not as a whole, in words for people."""


class Answer:
    """An answer as it comes. Iteration gives the pieces of its body, or raises the error that ended it early."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.status = 0
        """0: the head is not complete yet."""
        self.reason = ""
        """The words beside the status."""
        self._head = asyncio.get_running_loop().create_future()
        self._body = asyncio.StreamReader()
        self._body.set_transport(transport)  # it is paused while much is unread

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._body.read(_PIECE)
        if not piece:
            raise StopAsyncIteration
        return piece

    @property
    def is_read(self) -> bool:
        """Whether all of it has come, and was read."""
        return self._body.at_eof()

    async def begun(self) -> None:
        """Wait for the whole head."""
        await self._head
        if (error := self._body.exception()) is not None:
            raise error

    def begin(self, status: int) -> None:
        """Take the head for complete."""
        self.status = status
        self._wake()

    def put(self, piece: bytes) -> None:
        """Add to the body."""
        self._body.feed_data(piece)

    def end(self, error: Exception | None) -> None:
        """Take the body for complete, or for lost."""
        if error is None:
            self._body.feed_eof()
        else:
            self._body.set_exception(error)
        self._wake()

    def _wake(self) -> None:
        if not self._head.done():
            self._head.set_result(None)


class _Parsing:
    """The answers in the bytes of a connection, one at a time. The `on_…` methods are called by the parser."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        # A proxy may be careless. What browsers accept does no harm here, where all answers have the same author.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._answer: Answer | None = None
        """The answer that is expected, or has not ended yet."""
        self._head_bytes = 0
        self._has_length = False
        self.goes_on = False
        """Whether another answer may follow the last one."""

    def expect(self, answer: Answer) -> None:
        """Fill this answer from now on."""
        self._answer, self._head_bytes, self._has_length, self.goes_on = answer, 0, False, False

    def feed(self, data: bytes) -> None:
        """Parse what has come."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.goes_on = False
            told = "" if self._has_begun else f": {data[:_TOLD]!r}"
            self.end(LostError(f"the answer is no HTTP: {error}{told}"))
        if not self._has_begun:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_LIMIT:
                self.end(LostError(f"the answer is no HTTP: its head is longer than {_HEAD_LIMIT} bytes"))

    def lose(self, error: Exception | None) -> None:
        """The connection has ended; `error`: for another reason than the other side's wish."""
        if error is None and self._has_begun and not self._has_length:
            self.end(None)
        elif error is None or isinstance(error, ConnectionError):
            why = "cut in the middle of an answer" if self._has_begun else "closed before an answer came"
            self.end(LostError(f"the connection was {why}"))
        else:
            self.end(error)

    def end(self, error: Exception | None) -> None:
        """End the answer, if one is expected."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.end(error)

    @property
    def _has_begun(self) -> bool:
        return self._answer is not None and self._answer.status > 0

    @property
    def _expected(self) -> Answer:
        if self._answer is None:
            raise LostError("an answer without a request")
        return self._answer

    def on_message_begin(self) -> None:
        self._expected.reason = ""

    def on_status(self, words: bytes) -> None:
        self._expected.reason += words.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"content-length" or (name == b"transfer-encoding" and b"chunked" in value.lower()):
            self._has_length = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:  # those below announce another answer
            self._expected.begin(status)

    def on_body(self, piece: bytes) -> None:
        self._expected.put(piece)

    def on_message_complete(self) -> None:
        if self._expected.status:
            self.goes_on = self._parser.should_keep_alive()
            self.end(None)


class Wire(asyncio.Protocol):
    """A connection. It takes one request at a time."""

    def __init__(self) -> None:
        self._parsing = _Parsing()
        self._transport: asyncio.Transport
        self._answer: Answer | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.idle_since = 0.0
        """The loop's time at the end of the last answer."""

    async def ask(self, request: bytes, seconds: float | None) -> Answer:
        """Send a request; returns its answer when the head is complete. `release` must follow.

        An answer that is not whole after this time fails with `TimeoutError`.
        """
        self._answer = Answer(self._transport)
        self._parsing.expect(self._answer)
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._parsing.end, TimeoutError())
        self._transport.write(request)
        try:
            await self._answer.begun()
        except BaseException:
            self.release()
            raise
        return self._answer

    def release(self) -> bool:
        """End a request; returns whether another may follow. In the middle of an answer the connection is closed."""
        if self._timer is not None:
            self._timer.cancel()
        answer, self._answer, self._timer = self._answer, None, None
        if answer is not None and answer.is_read and self._parsing.goes_on:
            self.idle_since = asyncio.get_running_loop().time()
            return True
        self.close()
        return False

    @property
    def is_open(self) -> bool:
        """Whether the other side has not closed it, as far as is known."""
        return not self._transport.is_closing()

    def close(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin. The event loop calls this, and the methods below."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes of an answer. Between two requests nothing is expected."""
        if self._answer is None:
            self.close()
        else:
            self._parsing.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the one who waits for an answer."""
        self._parsing.lose(exc)
