"""A whole list, read in pages of one revision, each of bounded size."""

from hostwatch.control.key_values import Entry, StoreError
from hostwatch.etcd import failures, wire
from hostwatch.etcd.http import LONG_SECONDS, TooLongError
from hostwatch.etcd.servers import Servers
from hostwatch.etcd.wire import NOWHERE, Message, Position

_PAGE = 256
"""Entries of a page. One with usual values is read in two milliseconds of the event loop."""
_MOST_ENTRIES = 50_000
_MOST_BYTES = 64 << 20
"""All values together. Both are several times what a hundred hosts with a hundred services each have."""


async def listed(servers: Servers, server: str, prefix: str) -> tuple[tuple[Entry, ...], Position]:
    """What is below a prefix, and when that was. Raises `StoreError`."""
    pages = _Pages(servers, server, prefix)
    while not pages.is_complete:
        await pages.read_next()
    return tuple(pages.entries), pages.at


def position(server: str, answer: Message) -> Position:
    """When an answer was made. Raises `ServerError`."""
    try:
        return wire.position(answer)
    except wire.UNREADABLE as error:
        raise failures.odd(server, "an answer without a header") from error


class _Pages:
    """The pages of one list."""

    def __init__(self, servers: Servers, server: str, prefix: str) -> None:
        self._servers = servers
        self._server = server
        self._prefix = prefix
        self._body = wire.below(prefix)
        self._limit = _PAGE
        self._bytes = 0
        self.at = NOWHERE
        """The revision of the list."""
        self.entries: list[Entry] = []
        self.is_complete = False

    async def read_next(self) -> None:
        """Read one page, or make the next ones shorter if it is too long."""
        try:
            answer = await self._asked({"limit": str(self._limit)})
        except TooLongError:
            if self._limit > 1:
                self._limit = max(1, self._limit // 4)
                return
            self._take(await self._asked({"limit": "1", "keys_only": True}), has_values=False)
        else:
            self._take(answer, has_values=True)

    async def _asked(self, fields: Message) -> Message:
        # The first page waits for most servers to agree. The others are of its revision, which this server has.
        same = {"revision": str(self.at.revision), "serializable": True} if self.at is not NOWHERE else {}
        body = {**self._body, **same, **fields}
        return await self._servers.ask_one(self._server, "/v3/kv/range", body, LONG_SECONDS)

    def _take(self, answer: Message, *, has_values: bool) -> None:
        try:
            found = [wire.entry(fields, has_value=has_values) for fields in answer.get("kvs") or ()]
            count = wire.number(answer, "count")
        except wire.UNREADABLE as error:
            raise failures.odd(self._server, f"a list of another form, {type(error).__name__}") from error
        self.at = position(self._server, answer) if self.at is NOWHERE else self.at
        self.entries += found
        self._limit = min(_PAGE, 2 * self._limit)  # long values may be few
        self._bytes += sum(len(each.value or b"") for each in found)
        if count > _MOST_ENTRIES or self._bytes > _MOST_BYTES:
            limits = f"hostwatch follows {_MOST_ENTRIES} keys and {_MOST_BYTES >> 20} MiB at most"
            raise StoreError(f"{self._server} has {count} keys below {self._prefix}; {limits}; use a narrower prefix")
        self.is_complete = not answer.get("more") or not found
        if found:
            self._body["key"] = wire.written(wire.key_bytes(found[-1].key) + b"\0")
