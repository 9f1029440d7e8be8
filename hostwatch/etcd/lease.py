"""A lease that is kept alive and granted anew after it ran out, and what is written under it."""

import math
import random

import anyio

from hostwatch.control.key_values import StoreError
from hostwatch.etcd import failures, wire
from hostwatch.etcd.http import DEADLINE_SECONDS, LONG_SECONDS
from hostwatch.etcd.outage import Pauses
from hostwatch.etcd.servers import Servers

_RENEWALS = 3
"""How often a lease is renewed in its time: one renewal may fail, and another server is asked."""


class Grants:
    """The present grant of a lease, and who waits for the next one."""

    def __init__(self) -> None:
        self.id = 0
        """0: none."""
        self.is_over = False
        """Whether no other grant is wanted."""
        self._term = 0
        self._turned = anyio.Event()
        self._lost = anyio.Event()

    def given(self, lease: int) -> None:
        """A new term begins."""
        if self.is_over:
            return  # it runs out, with nothing under it
        self.id = lease
        self._term += 1
        self._turned.set()
        self._turned, self._lost = anyio.Event(), anyio.Event()

    def lost(self, lease: int) -> None:
        """This grant has run out."""
        if self.id == lease:
            self.id = 0
            self._lost.set()

    def end(self) -> None:
        """No grant is held, or wanted again."""
        self.id, self.is_over = 0, True
        self._lost.set()

    async def loss(self) -> None:
        """Wait until the present grant is lost."""
        await self._lost.wait()

    async def other_than(self, term: int) -> int:
        """Wait until a grant of another term is there; returns its term."""
        while not self.id or self._term == term:
            await self._turned.wait()
        return self._term


class Keeper:
    """Keeps a lease alive."""

    def __init__(self, servers: Servers, grants: Grants, ttl_seconds: float, known: int) -> None:
        """`known`: a lease that is taken over if it is alive; 0: none."""
        self._servers = servers
        self._grants = grants
        self._ttl = math.ceil(ttl_seconds)
        self._known = known
        self.fault = ""
        """Why it is not kept alive now."""

    async def run(self) -> None:
        """Keep it until it is wanted no more."""
        pauses = Pauses()
        while not self._grants.is_over:
            try:
                await self._keep()
            except StoreError as error:
                self.fault = str(error)
                await self._pause(pauses.failed(error, random.random()))  # noqa: S311
            else:
                self.fault = ""
                pauses.succeeded()
                with anyio.move_on_after(self._ttl / _RENEWALS):
                    await self._grants.loss()

    async def _pause(self, seconds: float) -> None:
        """Wait before the next attempt. A write that finds the lease lost meanwhile has reached a server."""
        if self._grants.id:
            with anyio.move_on_after(seconds):
                await self._grants.loss()
        else:
            await anyio.sleep(seconds)

    async def _keep(self) -> None:
        """Renew the lease, or be granted another one. Raises `StoreError`."""
        if lease := self._grants.id:
            if await self._renewed(lease):
                return
            self._grants.lost(lease)
        if self._known and await self._renewed(self._known) == self._ttl:
            self._grants.given(self._known)
        else:
            answer = await self._servers.ask("/v3/lease/grant", {"TTL": str(self._ttl), "ID": "0"}, self._seconds)
            self._grants.given(self._number(answer, "ID"))
        self._known = 0

    @property
    def _seconds(self) -> float:
        """For an answer. A busy server is not asked again before the next renewal is due, or it would be busier."""
        return min(LONG_SECONDS, max(DEADLINE_SECONDS, self._ttl / _RENEWALS))

    async def _renewed(self, lease: int) -> int:
        """The time of a lease from now on, in seconds; 0: it has run out, which is no error for etcd."""
        answer = await self._servers.ask("/v3/lease/keepalive", {"ID": str(lease)}, self._seconds)
        result = answer.get("result")
        if not isinstance(result, dict):
            raise failures.in_stream(self._servers.current, answer.get("error"))
        return self._number(result, "TTL")

    def _number(self, answer: wire.Message, name: str) -> int:
        try:
            return wire.number(answer, name)
        except wire.UNREADABLE as error:
            raise failures.odd(self._servers.current, f"no {name} of a lease") from error
