"""What is written under a lease: transactions that etcd takes, and the claim of a key that may be somebody else's."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from hostwatch.control.key_values import Entry, LeaseLostError
from hostwatch.etcd import failures, wire
from hostwatch.etcd.failures import ServerError
from hostwatch.etcd.http import LONG_SECONDS
from hostwatch.etcd.lease import Grants, Keeper
from hostwatch.etcd.servers import Servers
from hostwatch.etcd.wire import Message

_OPERATIONS = 128
"""etcd's limit for one transaction (its --max-txn-ops)."""
_BYTES = 512 << 10
"""Bytes of one transaction's keys and values. etcd takes requests of 1.5 MiB (its --max-request-bytes), and a longer
text in base64 would hold the event loop up."""


class EtcdLease:
    """A `Lease`: the writer of keys that live by it."""

    def __init__(self, servers: Servers, grants: Grants, keeper: Keeper) -> None:
        self._servers = servers
        self._grants = grants
        self._keeper = keeper

    @property
    def id(self) -> int:
        """The number of the present grant; 0: none."""
        return self._grants.id

    @property
    def fault(self) -> str:
        """Why it is not kept alive now; empty: it is."""
        return self._keeper.fault

    async def renewed(self, term: int) -> int:
        """Wait until the present term is another one."""
        return await self._grants.other_than(term)

    async def claim(self, key: str, value: bytes, seen: Entry | None) -> Entry | None:
        """Put a key if it is still as seen; returns what is there instead."""
        lease = self._present()
        while True:
            found = await self._claimed(lease, key, value, seen.revision if seen is not None else 0)
            if found is None or (found.lease, found.value) == (lease, value):  # the answer to the first try was lost
                return None
            if found.revision:
                return found
            seen = None  # it is gone meanwhile

    async def _claimed(self, lease: int, key: str, value: bytes, revision: int) -> Entry | None:
        """Put a key if this was its last change; returns what is there instead, of revision 0 if there is nothing."""
        answer = await self._commit(
            lease,
            compare=[{**wire.one(key), "target": "MOD", "result": "EQUAL", "mod_revision": str(revision)}],
            success=[_put(lease, key, value)],
            failure=[{"request_range": wire.one(key)}],
        )
        if answer.get("succeeded"):
            return None
        try:
            (read,) = answer["responses"]
            entries = [wire.entry(fields) for fields in read["response_range"].get("kvs") or ()]
        except wire.UNREADABLE as error:
            raise failures.odd(self._servers.current, "a transaction of another form") from error
        return entries[0] if entries else Entry(key, b"", 0)

    async def write(self, puts: Mapping[str, bytes], deletes: Collection[str] = ()) -> None:
        """Put keys under this lease, and delete others."""
        lease = self._present()
        operations = [(_size(key, value), _put(lease, key, value)) for key, value in puts.items()]
        operations += [(_size(key, b""), {"request_delete_range": wire.one(key)}) for key in deletes]
        for transaction in _transactions(operations):
            await self._commit(lease, success=transaction)

    async def revoke(self) -> None:
        """Delete all keys under this lease, and keep it no longer."""
        lease = self._grants.id
        self._grants.end()
        if lease:
            try:
                await self._servers.ask("/v3/lease/revoke", {"ID": str(lease)}, LONG_SECONDS)
            except ServerError as error:
                if not error.is_no_lease:
                    raise

    def _present(self) -> int:
        if not self._grants.id:
            raise LeaseLostError(f"no lease is held now{f': {self.fault}' if self.fault else ''}; one is asked for")
        return self._grants.id

    async def _commit(self, lease: int, **parts: list[Message]) -> Message:
        try:
            return await self._servers.ask("/v3/kv/txn", parts, LONG_SECONDS)
        except ServerError as error:
            if not error.is_no_lease:
                raise
            self._grants.lost(lease)
            raise LeaseLostError(f"{error}: it has run out; another one is asked for") from error


def _put(lease: int, key: str, value: bytes) -> Message:
    return {"request_put": {**wire.one(key), "value": wire.written(value), "lease": str(lease)}}


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value)


def _transactions(operations: Iterable[tuple[int, Message]]) -> Iterator[list[Message]]:
    """Operations with their bytes, put together as far as etcd takes them."""
    gathered: list[Any] = []
    total = 0
    for size, operation in operations:
        if gathered and (len(gathered) == _OPERATIONS or total + size > _BYTES):
            yield gathered
            gathered, total = [], 0
        gathered.append(operation)
        total += size
    if gathered:
        yield gathered
