"""One watch: the messages of its stream, made into the changes of whole revisions."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import anyio

from hostwatch.control.key_values import Deleted, Put, StoreError
from hostwatch.etcd import failures, wire
from hostwatch.etcd.http import DEADLINE_SECONDS, parsed
from hostwatch.etcd.lines import Lines, LongLineError
from hostwatch.etcd.servers import Servers
from hostwatch.etcd.wire import Message


class NotToBeHadError(StoreError):
    """Single changes are not to be had from that revision on: it is compacted, or a change is too long to be told."""


@dataclass(frozen=True, slots=True)
class Revision:
    """All changes of one revision, which belong together."""

    number: int
    changes: tuple[Put | Deleted, ...]


class Watch:
    """The changes that a server tells."""

    def __init__(self, server: str, lines: Lines) -> None:
        self._server = server
        self._lines = lines
        self._held: list[Message] = []
        """Events of a revision whose other events may come in the next fragment."""

    async def begun(self) -> None:
        """Wait until the server has begun to watch. Raises `StoreError`."""
        with anyio.fail_after(DEADLINE_SECONDS):
            result = await self._result()
        if not result.get("created"):
            raise failures.odd(self._server, "a watch that begins with an event")

    async def revisions(self) -> Iterator[Revision]:
        """The next changes, in order; none if a message had none. Take them all. Raises `StoreError`, then, too."""
        result = await self._result()
        return self._whole(result.get("events") or [], bool(result.get("fragment")))

    def _whole(self, events: list[Message], is_fragment: bool) -> Iterator[Revision]:
        """The revisions that are complete. The last one of a fragment may go on in the next message."""
        try:
            grouped = [(number, list(group)) for number, group in groupby(self._held + events, key=wire.revision)]
            self._held = grouped.pop()[1] if is_fragment and grouped else []
            for number, group in grouped:
                yield Revision(number, tuple(map(wire.change, group)))
        except wire.UNREADABLE as error:
            raise failures.odd(self._server, f"an event of another form, {type(error).__name__}") from error

    async def _result(self) -> dict[str, Any]:
        try:
            message = parsed(self._server, await anext(self._lines))
        except StopAsyncIteration:
            raise failures.ended(self._server) from None
        except LongLineError:
            raise NotToBeHadError(f"{self._server} tells a change that is too long") from None
        result = message.get("result")
        if not isinstance(result, dict):
            raise failures.in_stream(self._server, message.get("error"))
        if result.get("compact_revision"):
            raise NotToBeHadError(f"{self._server} has compacted revision {result['compact_revision']}")
        if result.get("canceled"):
            raise failures.refused(self._server, str(result.get("cancel_reason") or "the watch is cancelled"))
        return result


@asynccontextmanager
async def watching(servers: Servers, server: str, prefix: str, revision: int) -> AsyncIterator[Watch]:
    """A watch of all changes below a prefix from a revision on. Raises `StoreError`, in the body, too."""
    # Fragments bound the length of a message; without them it has the changes of up to a thousand revisions.
    create = {**wire.below(prefix), "start_revision": str(revision), "fragment": True}
    async with servers.stream(server, "/v3/watch", {"create_request": create}) as lines:
        watch = Watch(server, lines)
        await watch.begun()
        yield watch
