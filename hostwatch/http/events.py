"""The events of all event streams: each is made once, kept for a while, and read by every stream at its own pace.

A stream that reads too slowly finds that its next event is not kept any more. So slow readers take no memory.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import anyio
import anyio.lowlevel
import anyio.to_thread

from hostwatch.control.history import Change, described
from hostwatch.control.view import View
from hostwatch.http.encoding import encoded

_KEPT_EVENTS, _KEPT_BYTES = 1_000, 4 << 20
"""How many events are kept for slow streams, and how much of them. A change of 5,000 names takes 0.5 MB."""
_AT_ONCE = 64 << 10
"""Bytes after which no further event is added to a text."""
_LONG = 100
"""From so many names and lines on, a change is encoded in a thread, as that takes a millisecond."""
_STEP = 8
"""Streams that are woken, or events that are made, between two steps of the event loop."""
_STANDING_SECONDS = 0.5
"""The time from a change of anything else to the event that tells of it, so that one tells of many changes."""
_KEEP_ALIVE_SECONDS = 15.0
"""After this silence a comment is sent, so that proxies keep the connection, and a lost one is found."""
_STANDING = b"event: standing\ndata: {}\n\n"
_KEEP_ALIVE = b": keep-alive\n\n"


class SlowReaderError(Exception):
    """A stream has not read for so long that its next event is not kept any more."""


class Events:
    """The last events."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._kept = _Kept()
        self._streams: set[Stream] = set()
        self._new: deque[Change] = deque(maxlen=_KEPT_EVENTS)
        """Changes of which no event has been made yet."""
        self._noted = anyio.Event()

    def __repr__(self) -> str:
        return f"<Events: {self._kept!r}, for {len(self._streams)} streams>"

    async def run(self) -> None:
        """Make the events, and wake the streams, for ever. Without a stream nothing is made."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell_changes, name="events of changes")
            tasks.start_soon(self._tell_standing, name="events of the standing")

    @contextmanager
    def stream(self, last: int | None) -> Iterator["Stream"]:
        """A stream of the changes after number `last`, as far as they are known, and of all later events.

        `None`: of later events only.
        """
        history = self._view.history
        missed = history.after(last) if last is not None else ()
        made = Stream(self._kept, missed, history.next_number - 1)
        if not self._streams:
            history.follow(self._note)
        self._streams.add(made)
        try:
            yield made
        finally:
            self._streams.discard(made)
            if not self._streams:
                history.leave(self._note)

    def _note(self, change: Change) -> None:
        self._new.append(change)
        self._noted.set()

    async def _tell_changes(self) -> NoReturn:
        while True:
            await self._noted.wait()
            self._noted = anyio.Event()
            while self._new:
                change = self._new.popleft()
                self._kept.add(change.number, await _event(change))
            await self._wake()

    async def _tell_standing(self) -> NoReturn:
        seen = 0
        while True:
            seen = await self._view.changes.after(seen)
            await anyio.sleep(_STANDING_SECONDS)
            if self._streams:
                self._kept.add(0, _STANDING)
                await self._wake()

    async def _wake(self) -> None:
        for count, stream in enumerate([*self._streams], 1):
            stream.more.set()
            if count % _STEP == 0:
                await anyio.lowlevel.checkpoint()


class _Kept:
    """The events that are kept for slow streams."""

    def __init__(self) -> None:
        self.count = 0
        """All events so far."""
        self._events: deque[tuple[int, bytes]] = deque()
        """Each with the number of its change; 0 if it is of no change."""
        self._bytes = 0

    def __repr__(self) -> str:
        return f"{self.count}, of which {len(self._events)} are kept in {self._bytes} bytes"

    def add(self, number: int, event: bytes) -> None:
        self.count += 1
        self._events.append((number, event))
        self._bytes += len(event)
        while len(self._events) > _KEPT_EVENTS or (self._bytes > _KEPT_BYTES and len(self._events) > 1):
            self._bytes -= len(self._events.popleft()[1])

    def after(self, position: int, known: int) -> tuple[int, bytes]:
        """Some of the events after a position, but not those of changes up to number `known`; and the next position."""
        first = self.count - len(self._events)
        if position < first:
            raise SlowReaderError(f"{first - position} events that it has not read are not kept any more")
        found, size = [], 0
        while position < self.count and size < _AT_ONCE:
            number, event = self._events[position - first]
            position += 1
            if number == 0 or number > known:
                found.append(event)
                size += len(event)
        return position, b"".join(found)


class Stream:
    """The place of one stream among the events."""

    def __init__(self, kept: _Kept, missed: Sequence[Change], known: int) -> None:
        """`missed`: the changes to begin with; `known`: the number of the last one that the stream needs no more."""
        self._kept = kept
        self._missed = deque(missed)
        self._position = kept.count
        self._known = known
        self.more = anyio.Event()
        """Set when there are more events."""

    async def next(self) -> bytes:
        """The next events, or a comment after a silence. Raises `SlowReaderError`."""
        if self._missed:
            return await self._next_missed()
        if not (text := self._read()):
            with anyio.move_on_after(_KEEP_ALIVE_SECONDS):
                await self.more.wait()
            text = self._read()
        return text or _KEEP_ALIVE

    def _read(self) -> bytes:
        self.more = anyio.Event()
        self._position, text = self._kept.after(self._position, self._known)
        return text

    async def _next_missed(self) -> bytes:
        events = [await _event(self._missed.popleft()) for _ in range(min(_STEP, len(self._missed)))]
        await anyio.lowlevel.checkpoint()
        return b"".join(events)


async def _event(change: Change) -> bytes:
    """The event of a change."""
    if len(change.names) + len(change.withheld) + len(change.no_longer_withheld) < _LONG:
        return _framed(change)
    return await anyio.to_thread.run_sync(_framed, change)


def _framed(change: Change) -> bytes:
    """The event as text/event-stream. JSON has no line break, so that its data is one line."""
    return b"id: %d\ndata: %s\n\n" % (change.number, encoded(described(change)))
