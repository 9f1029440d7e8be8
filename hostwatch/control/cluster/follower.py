"""Follows what the other hosts publish, and takes it into this host's remote endpoints.

While the shared store is away, nothing changes. For a moment after its return nothing is dropped either: a store that
stood still may have let leases run out, and the hosts that held them publish anew at once.
"""

from collections.abc import AsyncIterator, Iterable
from typing import NoReturn, Protocol

import anyio
from anyio.abc import TaskGroup
from loguru import logger

from hostwatch.control.causes import NOT_BACK, STORE_READ, delete_of, put_of
from hostwatch.control.clock import loop_time
from hostwatch.control.cluster.membership import Membership, Standing
from hostwatch.control.cluster.peers import Exchange, Peers
from hostwatch.control.key_values import Away, Back, Change, Deleted, Entry, KeyValueStore, Listed, Put
from hostwatch.control.remotes import Remotes
from hostwatch.control.turns import Turns
from hostwatch.core.cluster.values import LAYOUT, node_name, subject
from hostwatch.core.remote import CLUSTER, RemoteEndpoint

_SETTLING_SECONDS = 1.0
"""The time after the store's return in which nothing is dropped. Each host tries again once a second at least, and
after that time a line still stays for `linger`."""
_LIST_SECONDS = 10.0
"""The least time between two lists that are read since there is room again: one of 10,000 keys takes half a second, and
whoever writes to the store may make room each second."""
_PART = "follow"


class OwnKeys(Protocol):
    """Whoever writes this host's keys."""

    def found(self, entry: Entry) -> None:
        """A key of this host has this value in the store now, whoever wrote it."""

    def gone(self, key: str) -> None:
        """A key of this host is not in the store now."""

    def returned(self) -> None:
        """The store answers, at first or again."""


class Follower:
    """Keeps the remotes like the shared store."""

    def __init__(self, membership: Membership, remotes: Remotes, standing: Standing, peers: Peers) -> None:
        self._membership = membership
        self._remotes = remotes
        self._standing = standing
        self._peers = peers
        self._held: set[str] | None = None
        """The ids of endpoints that are dropped once the store's return has settled; `None`: drop at once."""
        self._settled_at = 0.0

    async def run(self, key_values: KeyValueStore, own: OwnKeys) -> NoReturn:
        """Follow for ever."""
        self._remotes.awaited(CLUSTER)
        prefix = self._membership.prefix + LAYOUT
        async with anyio.create_task_group() as tasks:
            while True:
                async with key_values.following(prefix) as changes:
                    await self._follow(changes, own, tasks)
        raise AssertionError("the changes of a store have no end")

    async def _follow(self, changes: AsyncIterator[Change], own: OwnKeys, tasks: TaskGroup) -> None:
        """Take in a list and the changes after it, until the list is to be read anew."""
        turns, again_at = Turns(), loop_time() + _LIST_SECONDS
        while (change := await self._next(changes, again_at)) is not None:
            if isinstance(change, Back) and self._remotes.of(CLUSTER):
                self._held, self._settled_at = self._held or set(), loop_time() + _SETTLING_SECONDS
                tasks.start_soon(self._settle, self._settled_at, name="wait for the hosts after the store's return")
            await self._apply(change, own)
            self._standing.report()
            await turns.give()  # a message of the store may have hundreds

    async def _next(self, changes: AsyncIterator[Change], again_at: float) -> Change | None:
        """The next change; `None`: the list is to be read anew."""
        if self._peers.is_complete or not self._standing.is_up:
            return await anext(changes)
        if (wait := again_at - loop_time()) > 0:
            with anyio.move_on_after(wait):
                return await anext(changes)
        return None

    async def _settle(self, due: float) -> None:
        await anyio.sleep_until(due)
        turns = Turns()
        while due == self._settled_at and self._standing.is_up:  # the store did not go away again
            if not self._held:
                self._held = None
                return
            self._remotes.drop(CLUSTER, self._held.pop(), NOT_BACK)
            await turns.give()

    async def _apply(self, change: Change, own: OwnKeys) -> None:
        match change:
            case Back():
                self._returned()
                own.returned()
            case Away(fault):
                self._lost(fault)
            case Listed(entries):
                await self._replace(entries, own)
            case Put(entry):
                await self._take_in(await self._peers.put(entry), put_of(self._subject(entry.key)))
                if self._is_own(entry.key):
                    own.found(entry)
            case Deleted(key):
                await self._take_in(self._peers.drop(key), delete_of(self._subject(key)))
                if self._is_own(key):
                    own.gone(key)

    def _returned(self) -> None:
        was_up, fault = self._standing.is_up, self._standing.fault(_PART, "")
        self._standing.turned(is_up=True)
        if fault or not was_up:  # with other settings, such as a mended password, it answers for the first time
            logger.info("the shared store {} answers{}", self._membership.store, " again" if fault else "")

    def _lost(self, fault: str) -> None:
        self._standing.turned(is_up=False)
        if not self._standing.fault(_PART, fault):  # another reason is not another outage
            logger.warning("the shared store is away ({}); what other hosts have stays as last known", fault)

    async def _replace(self, entries: Iterable[Entry], own: OwnKeys) -> None:
        """Take in all that is there, in the place of what was known."""
        turns, there = Turns(), {entry.key: entry for entry in entries}
        for key in self._peers.keys - there.keys():
            self._peers.drop(key)
            await turns.give()
        self._peers.begin()
        for entry in there.values():
            await self._peers.put(entry)
            await turns.give()
        found = {endpoint.id: endpoint for endpoint in self._peers.endpoints}
        kept = dict[str, RemoteEndpoint]()
        if self._held is not None:
            kept = {i: each for i, each in self._remotes.of(CLUSTER).items() if i not in found}
            self._held = {*kept}
        await self._remotes.replace(CLUSTER, (found | kept).values(), STORE_READ)
        for identity in kept.keys() - (self._held or set()):  # the return has settled meanwhile
            self._remotes.drop(CLUSTER, identity, STORE_READ)
            await turns.give()
        self._remotes.heard(CLUSTER)
        if self._membership.node_key not in there:
            own.gone(self._membership.node_key)

    def _subject(self, key: str) -> str:
        return subject(key.removeprefix(self._membership.prefix))

    async def _take_in(self, exchanges: Iterable[Exchange], cause: str) -> None:
        """Take in the endpoints that differ. One key may have a thousand."""
        turns = Turns()
        for before, after in exchanges:
            for endpoint in after:
                self._remotes.put(CLUSTER, endpoint, cause)
                if self._held is not None:
                    self._held.discard(endpoint.id)
                await turns.give()
            now = {endpoint.id for endpoint in after}
            for identity in [endpoint.id for endpoint in before if endpoint.id not in now]:
                if self._held is not None:
                    self._held.add(identity)
                else:
                    self._remotes.drop(CLUSTER, identity, cause)
                await turns.give()

    def _is_own(self, key: str) -> bool:
        return node_name(key.removeprefix(self._membership.prefix)) == self._membership.node
