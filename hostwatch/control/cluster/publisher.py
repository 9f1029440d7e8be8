"""Publishes this host's services in the shared store, under a lease, and under a name that belongs to its engine.

| the node's key | then |
| --- | --- |
| is not there, or is this engine's | it is claimed; a lease of an earlier hostwatch of this engine is taken over |
| is another engine's | nothing is published until it changes; what others publish is followed all the same |
| is lost, with the lease or by hand | it is claimed again, and everything is written anew |

A change is written at once, all of it in one transaction if that has room. What changes meanwhile is written next.
"""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn

import anyio
from loguru import logger

from hostwatch.control.cluster.announcer import Announcer
from hostwatch.control.cluster.desired import Desired
from hostwatch.control.cluster.membership import Membership, Standing
from hostwatch.control.key_values import Entry, KeyValueStore, Lease, LeaseLostError, StoreError
from hostwatch.core.cluster.values import BadValueError, parsed_node
from hostwatch.core.model import EngineId
from hostwatch.core.names import shown
from hostwatch.core.timing import Backoff

_BACKOFF_SECONDS = (0.1, 1.0)
"""Back-off after a failed request, at first and at most: all is right within three seconds of the store's return."""
_GRACE_SECONDS = 0.8
"""The time for the removal of this host's keys when the daemon ends."""
_PART = "publish"
_UNDER_WAY = b"?"
"""In the place of a value that is being written. No key has it, so that it is written anew after a failure."""


class _Known:
    """This host's keys as they are in the store, since the node's key was claimed."""

    def __init__(self, *, is_claimed: bool = False) -> None:
        self.is_claimed = is_claimed
        """Whether nothing was lost since then that only another claim brings back."""
        self.there: dict[str, bytes | None] | None = None
        """The keys, with `None` for a value that must be written anew. `None`: they are not read yet."""

    def spoil(self, key: str) -> None:
        """Take in that a key is not there any more, or has another value."""
        if self.there is None:
            self.is_claimed = False  # what is being read now may be older than that
        else:
            self.there[key] = None


class Publisher:
    """Keeps this host's keys like what it publishes."""

    def __init__(
        self, membership: Membership, desired: Desired, standing: Standing, is_leaving: Callable[[], Awaitable[bool]]
    ) -> None:
        """`is_leaving` tells at the end whether the keys are to go at once."""
        self._membership = membership
        self._desired = desired
        self._standing = standing
        self._announcer = Announcer(membership.node, standing)
        self._is_leaving = is_leaving
        self._known = _Known()
        self._wake = anyio.Event()
        self._back = anyio.Event()
        self._lease_id = 0

    def returned(self) -> None:
        """The store answers again: what failed is tried at once."""
        self._back.set()
        self._back = anyio.Event()

    def look(self) -> None:
        """Something has changed that may be published."""
        self._wake.set()

    def found(self, entry: Entry) -> None:
        """A key of this host has this value in the store now."""
        if not self._known.is_claimed or entry.lease == self._lease_id:
            return
        if entry.key == self._membership.node_key:
            self._known.is_claimed = False
        else:
            self._known.spoil(entry.key)
        self.look()

    def gone(self, key: str) -> None:
        """A key of this host is not in the store now."""
        if key == self._membership.node_key:
            self._known.is_claimed = False
        elif self._known.there is None or key in self._known.there:
            self._known.spoil(key)
        else:
            return  # it was deleted here
        self.look()

    async def run(self, key_values: KeyValueStore) -> NoReturn:
        """Publish for ever."""
        while True:
            seen = await self._claimable(key_values)
            async with key_values.leased(
                self._membership.lease_seconds, seen.lease if seen is not None else 0
            ) as lease:
                try:
                    await self._keep(key_values, lease)
                finally:
                    with anyio.move_on_after(_GRACE_SECONDS, shield=True):
                        await self._end(lease)

    async def _claimable(self, key_values: KeyValueStore) -> Entry | None:
        """Wait until the name may be claimed; returns the node's entry."""
        backoff = Backoff(*_BACKOFF_SECONDS)
        while True:
            self._wake = anyio.Event()
            try:
                seen = await key_values.get(self._membership.node_key)
            except StoreError as error:
                await self._failed(error, backoff)
                continue
            backoff.succeeded()
            if (owner := self._stranger(seen)) is None:
                self._mended()
                return seen
            self._refused(owner)
            with anyio.move_on_after(self._membership.ttl_seconds):
                await self._wake.wait()

    def _stranger(self, seen: Entry | None) -> EngineId | None:
        """The other engine that the name belongs to; `None` if it may be claimed."""
        if seen is None:
            return None
        with suppress(BadValueError):  # nobody's
            owner = parsed_node(seen.value).engine
            return owner if owner != self._membership.engine else None
        return None

    async def _keep(self, key_values: KeyValueStore, lease: Lease) -> None:
        """Keep the keys under a lease, until the name turns out to be another engine's."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow_terms, lease, name="follow the lease")
            backoff, is_ours = Backoff(*_BACKOFF_SECONDS), True
            while is_ours:
                self._wake = anyio.Event()
                try:
                    is_ours = await self._bring_right(key_values, lease)
                except LeaseLostError:
                    self._known = _Known()
                except StoreError as error:
                    await self._failed(error, backoff)
                    continue
                else:
                    backoff.succeeded()
                if is_ours:
                    await self._wake.wait()
            tasks.cancel_scope.cancel()

    async def _follow_terms(self, lease: Lease) -> NoReturn:
        term = 0
        while True:
            term = await lease.renewed(term)
            self._known, self._lease_id = _Known(), lease.id
            self.look()

    async def _bring_right(self, key_values: KeyValueStore, lease: Lease) -> bool:
        """Claim the name if need be, and write what differs; returns whether the name is this engine's."""
        if not lease.id:
            return True  # once it is granted, all is looked at again
        known = self._known
        if not known.is_claimed:
            known = self._known = _Known(is_claimed=True)
            try:
                there = await self._claimed(key_values, lease)
            except StoreError:
                known.is_claimed = False
                raise
            if there is None:
                return False
            known.there = there
        if known is self._known and known.is_claimed and known.there is not None:
            await self._write(lease, known.there)
        return True

    async def _claimed(self, key_values: KeyValueStore, lease: Lease) -> dict[str, bytes | None] | None:
        """Claim the name; returns this host's keys as they are, or `None` if the name is another engine's."""
        own = self._desired.node_value
        if not await self._claim(key_values, lease, own):
            return None
        entries = await key_values.listed(self._membership.services_key)
        await self._desired.begin({entry.key: entry.value for entry in entries})
        there = {entry.key: entry.value if entry.lease == lease.id else None for entry in entries}
        return {**there, self._membership.node_key: own}

    async def _write(self, lease: Lease, there: dict[str, bytes | None]) -> None:
        wanted = await self._desired.computed()
        puts = {key: value for key, value in wanted.items() if there.get(key) != value}
        deletes = [key for key in there if key not in wanted]
        if not puts and not deletes:
            self._published()
            return
        there.update(dict.fromkeys(puts, _UNDER_WAY))  # an answer that is lost leaves open what is there
        await lease.write(puts, deletes)
        there.update({key: value for key, value in puts.items() if there[key] is _UNDER_WAY})
        for key in deletes:
            there.pop(key, None)
        self._published()

    async def _claim(self, key_values: KeyValueStore, lease: Lease, value: bytes) -> bool:
        """Make the name this engine's; returns whether it is."""
        seen = await key_values.get(self._membership.node_key)
        while self._stranger(seen) is None:
            seen = await lease.claim(self._membership.node_key, value, seen)
            if seen is None or (seen.value, seen.lease) == (value, lease.id):
                return True
        return False

    async def _end(self, lease: Lease) -> None:
        if await self._is_leaving():
            with suppress(StoreError):  # the lease runs out by itself
                await lease.revoke()

    # What is told.

    async def _failed(self, error: StoreError, backoff: Backoff) -> None:
        """Wait until the next try is due. Who follows the store tells that it is away, at the first failure or soon."""
        if backoff.failures > 0 and self._standing.is_up and self._standing.fault(_PART, str(error)) != str(error):
            logger.warning("the shared store does not take what this host publishes ({}); it is tried again", error)
            self._standing.report()
        with anyio.move_on_after(backoff.failed(random.random())):  # noqa: S311
            await self._back.wait()

    def _refused(self, owner: EngineId) -> None:
        node = self._membership.node
        fault = (
            f"the name {node} belongs to another engine ({shown(owner)}) in the shared store, so that nothing of this"
            " host is published; give each host a name of its own, as `cluster.node`"
        )
        if self._standing.fault(_PART, fault) != fault:
            logger.error("{}", fault)
        self._announcer.nothing()
        self._standing.report()

    def _published(self) -> None:
        """All is in the store as it is to be."""
        if self._announcer.published(self._desired.services):
            self._standing.report()
        self._mended()

    def _mended(self) -> None:
        if self._standing.fault(_PART, ""):
            logger.info("the shared store takes again what this host publishes")
            self._standing.report()
