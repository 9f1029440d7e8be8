"""A shared store in memory, for the logic of a cluster's members alone. The real one is tested with real servers."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from hostwatch.control.key_values import (
    Away,
    Back,
    Change,
    Deleted,
    Entry,
    LeaseLostError,
    Listed,
    Put,
    StoreError,
)

AWAY = "nobody answers"


class MemoryKeyValues:
    """Keys with their values. It can go away, let a lease run out, and be looked into."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.is_away = False
        self.writes: list[tuple[dict[str, bytes], list[str]]] = []
        """What was written by leases, each transaction with its puts and deletes."""
        self.lists = 0
        self.followings = 0
        self._revision = 0
        self.followers: dict[MemoryObjectSendStream[Change], str] = {}
        self._leases: list[MemoryLease] = []

    # By hand.

    @property
    def values(self) -> dict[str, str]:
        """All that is there."""
        return {key: (entry.value or b"").decode() for key, entry in sorted(self.entries.items())}

    def put(self, key: str, value: bytes | None, lease: int = 0) -> None:
        """Set a key."""
        self._revision += 1
        self.entries[key] = Entry(key, value, self._revision, lease)
        self._tell(Put(self.entries[key]))

    def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
        if self.entries.pop(key, None) is not None:
            self._tell(Deleted(key))

    def end_leases(self) -> None:
        """Let all leases run out."""
        for lease in self._leases:
            lease.id = 0
        for key in [key for key, entry in self.entries.items() if entry.lease]:
            self.delete(key)

    def grant_again(self) -> None:
        """Grant all leases anew that ran out."""
        for lease in self._leases:
            lease.grant()

    def go(self, why: str = AWAY) -> None:
        """Be away from now on."""
        self.is_away = True
        self._tell(Away(why))

    def come_back(self, *, listed: bool = False) -> None:
        """Answer again; with `listed` all is told instead of what has changed."""
        self.is_away = False
        self._tell(Back())
        if listed:
            for stream, prefix in self.followers.items():
                stream.send_nowait(self._all(prefix))

    def _tell(self, change: Change) -> None:
        for stream, prefix in self.followers.items():
            if isinstance(change, Away | Back) or (
                change.key if isinstance(change, Deleted) else change.entry.key  # type: ignore[union-attr]
            ).startswith(prefix):
                stream.send_nowait(change)

    def _all(self, prefix: str) -> Listed:
        return Listed(tuple(entry for key, entry in sorted(self.entries.items()) if key.startswith(prefix)))

    def check(self) -> None:
        """Raises `StoreError` while it is away."""
        if self.is_away:
            raise StoreError(AWAY)

    # As a `KeyValueStore`.

    @asynccontextmanager
    async def following(self, prefix: str) -> AsyncIterator[AsyncIterator[Change]]:
        """All changes below a prefix."""
        self.followings += 1
        send, receive = anyio.create_memory_object_stream[Change](10_000)
        with send, receive:
            self.followers[send] = prefix
            if not self.is_away:
                send.send_nowait(Back())
                send.send_nowait(self._all(prefix))
            try:
                yield receive
            finally:
                del self.followers[send]

    @asynccontextmanager
    async def leased(self, ttl_seconds: float, known: int = 0) -> AsyncIterator["MemoryLease"]:
        """A lease."""
        assert ttl_seconds
        lease = MemoryLease(self, known)
        if not known:
            lease.grant()
        self._leases.append(lease)
        try:
            yield lease
        finally:
            self._leases.remove(lease)

    async def get(self, key: str) -> Entry | None:
        """One key."""
        self.check()
        return self.entries.get(key)

    async def listed(self, prefix: str) -> tuple[Entry, ...]:
        """All keys below a prefix."""
        self.check()
        self.lists += 1
        found = self._all(prefix).entries
        await anyio.sleep(0.01)  # as long as a real one takes
        return found

    async def aclose(self) -> None:
        """Nothing is to be closed."""


class MemoryLease:
    """A lease in memory."""

    fault = ""
    _granted = 100

    def __init__(self, store: MemoryKeyValues, known: int) -> None:
        self.id = known
        self._store = store
        self._term = 1 if known else 0
        self._turned = anyio.Event()

    def grant(self) -> None:
        """Begin a new term."""
        MemoryLease._granted += 1
        self.id, self._term = MemoryLease._granted, self._term + 1
        self._turned.set()
        self._turned = anyio.Event()

    async def renewed(self, term: int) -> int:
        """The term, once it is another one."""
        while not self.id or self._term == term:
            await self._turned.wait()
        return self._term

    async def claim(self, key: str, value: bytes, seen: Entry | None) -> Entry | None:
        """Put a key if it is as seen."""
        self._check()
        there = self._store.entries.get(key)
        if there != seen:
            return there
        self._store.put(key, value, self.id)
        return None

    async def write(self, puts: Mapping[str, bytes], deletes: Collection[str] = ()) -> None:
        """Put and delete keys."""
        self._check()
        await anyio.sleep(0.01)  # as long as a real one takes, to the store and back
        self._check()
        self._store.writes.append((dict(puts), list(deletes)))
        for key, value in puts.items():
            self._store.put(key, value, self.id)
        for key in deletes:
            self._store.delete(key)
        await anyio.sleep(0.01)

    async def revoke(self) -> None:
        """End it, and its keys."""
        for key in [key for key, entry in self._store.entries.items() if entry.lease == self.id]:
            self._store.delete(key)
        self.id = 0

    def _check(self) -> None:
        self._store.check()
        if not self.id:
            raise LeaseLostError("it has run out")
