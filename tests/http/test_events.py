"""Event streams: each change once, what a client missed, and readers that do not read."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream

from hostwatch.http import events, routes
from tests.http.site import Site, serving

ASK = b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n"


class Reader:
    """The events of one stream, as a browser takes them."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._text = ""

    async def ask(self, last: str | None = None) -> None:
        """Begin, after the event with this id."""
        header = f"Last-Event-ID: {last}\r\n".encode() if last is not None else b""
        await self._stream.send(ASK + header + b"\r\n")
        await self._until("retry: 1000\n\n")

    async def next(self) -> dict[str, Any]:
        """The fields of the next event; those of a comment are empty."""
        block = await self._until("\n\n")
        lines = [line for line in block.replace("\r", "").split("\n") if ": " in line]
        return {name: value for name, _, value in (line.partition(": ") for line in lines) if name}

    async def ids(self, count: int) -> list[int]:
        """The numbers of the next changes."""
        return [int((await self.next())["id"]) for _ in range(count)]

    async def _until(self, end: str) -> str:
        with anyio.fail_after(20):
            while end not in self._text:
                self._text += (await self._stream.receive()).decode()
        found, _, self._text = self._text.partition(end)
        return found


async def test_each_change_is_one_event(tmp_path: Path) -> None:
    """It has the number and the JSON of the change, on one line, whatever a container's names hold."""
    hostile = 'x"\n\ndata: {}\r\nid: 9\u2028<script>\0'
    async with serving(tmp_path) as site, site.connected() as first, site.connected() as second:
        readers = [Reader(first), Reader(second)]
        for reader in readers:
            await reader.ask()
        site.view.change(cause=hostile)
        site.view.change(names=500)
        for reader in readers:
            event = await reader.next()
            assert event["id"] == "1"
            assert json.loads(event["data"])["cause"] == hostile
            event = await reader.next()
            assert (event["id"], len(json.loads(event["data"])["changes"])) == ("2", 500)


@pytest.mark.parametrize(
    ("last", "ids"),
    [("3", [4, 5, 6]), ("5", [6]), ("0", [1, 2, 3, 4, 5, 6]), ("77", [1, 2, 3, 4, 5, 6]), (None, [6])]
    + [(nonsense, [6]) for nonsense in ("", "-1", "x", "1.5", "\u0663", "9" * 100)],
)
async def test_what_was_missed_comes_first(tmp_path: Path, last: str | None, ids: list[int]) -> None:
    """Each change once, also one that is made while the stream begins. A number of an earlier daemon asks for all."""
    async with serving(tmp_path) as site, site.connected() as stream:
        for _ in range(5):
            site.view.change()
        reader = Reader(stream)
        await reader.ask(last)
        site.view.change()
        assert await reader.ids(len(ids)) == ids


async def test_other_changes_are_told_without_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many of them are one event."""
    monkeypatch.setattr(events, "_STANDING_SECONDS", 0.1)
    async with serving(tmp_path) as site, site.connected() as stream:
        reader = Reader(stream)
        await reader.ask()
        for _ in range(50):
            site.view.changes.tell()
        assert await reader.next() == {"event": "standing", "data": "{}"}
        site.view.change()
        assert await reader.ids(1) == [1]


async def test_a_silent_stream_has_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By them a proxy keeps it, and a lost client is found."""
    monkeypatch.setattr(events, "_KEEP_ALIVE_SECONDS", 0.05)
    async with serving(tmp_path) as site, site.connected() as stream:
        reader = Reader(stream)
        await reader.ask()
        assert [await reader.next() for _ in range(3)] == [{}] * 3


@pytest.mark.slow
async def test_streams_that_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred of them are closed, and take no memory of their own. One that reads misses nothing."""
    monkeypatch.setattr(routes, "SEND_SECONDS", 1.0)
    async with serving(tmp_path) as site, AsyncExitStack() as stack:
        reading = Reader(await stack.enter_async_context(site.connected()))
        await reading.ask()
        for _ in range(100):
            stream = await stack.enter_async_context(site.connected())
            await stream.send(ASK + b"\r\n")
        await is_at(site, 101)
        sent, seen = 0, 0
        with anyio.fail_after(60):
            while site.streams > 1:
                site.view.change(names=90)
                sent += 1
                assert await reading.ids(1) == [(seen := seen + 1)]
        assert sent == seen
        assert site.kept_bytes <= 4 << 20


async def is_at(site: Site, count: int) -> None:
    """Wait until there are so many streams."""
    with anyio.fail_after(20):
        while site.streams != count:  # noqa: ASYNC110  # nobody tells
            await anyio.sleep(0.01)


async def test_one_stream_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused. A place is free when a client leaves."""
    monkeypatch.setattr(routes, "_MOST_STREAMS", 2)
    async with serving(tmp_path) as site:
        async with AsyncExitStack() as stack:
            for _ in range(2):
                await Reader(await stack.enter_async_context(site.connected())).ask()
            assert (await site.got("/api/v1/events"))[0] == 503
        await is_at(site, 0)
        async with site.connected() as stream:
            await Reader(stream).ask()
