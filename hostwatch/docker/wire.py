"""One HTTP/1.1 connection to an engine: a request, and its answer as it comes.

llhttp (`httptools`) parses the answers. A whole HTTP client also knows cookies, redirects and compression: that takes
two and a half times the processor time for a request, a fifth of the daemon's memory, and a quarter of the time to load
its code. This module knows neither URLs nor how a connection is made.
"""

import asyncio
import re
from typing import Self, cast

import httptools

_HEAD_LIMIT = 1 << 16
"""Bytes of an answer's head. A head does not tell its length, and one without an end would fill the memory."""
_MUCH = 1 << 17
"""Bytes of a body that are unread before the connection waits."""
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
        self._transport = transport
        self._body = bytearray()
        """What has come and is not read yet."""
        self._end: tuple[Exception | None] | None = None
        """The error that ended it, if any; `None`: it has not ended."""
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._body:
            if self._end is not None:
                raise self._end[0] or StopAsyncIteration
            await self._more()
        piece = bytes(self._body)
        self._body.clear()
        if len(piece) > _MUCH and not self._transport.is_closing():
            self._transport.resume_reading()
        return piece

    @property
    def is_read(self) -> bool:
        """Whether all of it has come, and was read."""
        return self._end == (None,) and not self._body

    async def begun(self) -> None:
        """Wait for the whole head."""
        while not self.status and self._end is None:
            await self._more()
        if self._end is not None and self._end[0] is not None:
            raise self._end[0]

    def begin(self, status: int) -> None:
        """Take the head for complete."""
        self.status = status
        self._wake()

    def put(self, piece: bytes) -> None:
        """Add to the body. The connection is not read while much is unread."""
        was_much = len(self._body) > _MUCH
        self._body += piece
        if len(self._body) > _MUCH and not was_much:
            self._transport.pause_reading()
        self._wake()

    def end(self, error: Exception | None) -> None:
        """Take the body for complete, or for lost."""
        self._end = (error,)
        self._wake()

    async def _more(self) -> None:
        """Wait until more has come."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


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
        self._head = bytearray()
        """What has come of the answer until its head was complete."""
        self.goes_on = False
        """Whether another answer may follow the last one."""

    def expect(self, answer: Answer) -> None:
        """Fill this answer from now on."""
        self._answer, self.goes_on = answer, False
        self._head.clear()

    def feed(self, data: bytes) -> None:
        """Parse what has come."""
        if not self._has_begun:
            self._head += data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.goes_on = False
            told = "" if self._has_begun else f": {data[:_TOLD]!r}"
            self.end(LostError(f"the answer is no HTTP: {error}{told}"))
        if len(self._head) > _HEAD_LIMIT and not self._has_begun:
            self.end(LostError(f"the answer is no HTTP: its head is longer than {_HEAD_LIMIT} bytes"))

    def lose(self, error: Exception | None) -> None:
        """The connection has ended; `error`: for another reason than the other side's wish."""
        if error is None and self._has_begun and not _has_length(bytes(self._head)):
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


def _has_length(head: bytes) -> bool:
    """Whether an answer tells where its body ends, as this head says. Others may announce it (status 100 and on)."""
    for block in _BLANK.split(head):
        if not _ANNOUNCEMENT.match(block):
            return _LENGTH.search(block) is not None
    return False


_BLANK = re.compile(rb"\r?\n\r?\n")
_ANNOUNCEMENT = re.compile(rb"HTTP/\S+ 1\d\d\b")
_LENGTH = re.compile(rb"(?im)^(?:content-length[ \t]*:|transfer-encoding[ \t]*:.*chunked)")


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
