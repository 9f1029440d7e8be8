"""Asks once what a swarm's gossip tells of an overlay network, and takes the answer in.

While the engine cannot say, everything stays as it was last known. What was known of a node that went silent stays for
a while (`hostwatch.core.gossip`). While no container of this host runs on the network, this node hears nothing of it:
what was known soon counts as unknown, so that a container that starts hours later gets no address of long ago.
"""

import enum
import math
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import anyio.to_thread
from loguru import logger

from hostwatch.control.causes import GOSSIP
from hostwatch.control.clock import loop_time
from hostwatch.control.refused import Refused
from hostwatch.control.remotes import Remotes, SourceState
from hostwatch.control.source import EngineError, GoneError, GossipSource
from hostwatch.core.gossip import SILENT_SECONDS, Gossip, Silences, kept
from hostwatch.core.model import Network
from hostwatch.core.remote import RemoteEndpoint, overlay_source

_PORTS = "7946 (TCP, UDP) and 4789 (UDP)"
"""The ports of the gossip and of overlay networks, which the nodes of a swarm open to each other."""
_GONE = "one that is gone for good is removed by `docker node rm --force NODE` on a manager"
"""What to do about a node that does not come back."""
_UNHEARD = (
    "no other node of the swarm has been heard yet; names that stand in the files stay; see whether others run,"
    f" and whether they and this one reach each other at {_PORTS}; {_GONE}"
)
_OTHERS_SECONDS = 10.0
"""Between two questions whether the swarm has other nodes at all: each takes the engine some 10 ms."""
_MOST_NAMED = 5
"""At most this many silent nodes are named."""
_AT_ONCE = 500
"""With more endpoints than that a thread finds those that stay: each takes some microseconds."""


class Answered(enum.Enum):
    """What the engine answered."""

    ALL = "all"
    """All that the gossip tells."""
    NOT_YET = "not yet"
    """This node is not on the network."""
    NOTHING = "nothing"
    """It could not say."""


class Hearing:
    """What is known of one network."""

    def __init__(self, network: Network, source: GossipSource, remotes: Remotes) -> None:
        self._network = network
        self._source = source
        self._remotes = remotes
        self._name = overlay_source(network.name)
        self._silences = Silences()
        self._is_heard = False
        """Whether there was an answer that other nodes have a part in, if there are any."""
        self._known_at: float | None = None
        """The time of the last answer that was taken in; `None`: nothing is known."""
        self._others = _Others(source)
        self._standing = _Standing(network.name)
        self._refused = Refused(f"overlay network {network.name}", "{} of another node: {}")

    @property
    def endpoints(self) -> int:
        """The number of endpoints that are known."""
        return self._standing.state.endpoints

    def begin(self) -> None:
        """Until the first answer nothing is known."""
        self._remotes.awaited(self._name)

    async def end(self) -> None:
        """Forget everything."""
        await self._remotes.removed(self._name)

    async def ask(self) -> "Answered":
        """Ask, and take the answer in."""
        try:
            gossip = await self._source.gossip(self._network.key)
            if not gossip.is_joined:  # no container of this host runs on it
                await self._grow_old()
                return Answered.NOT_YET
            if not self._is_heard and await self._is_cut_off(gossip):
                return await self._alone(gossip)
            found = await self._with_kept(gossip)
        except (EngineError, GoneError) as error:
            fault = f"the engine does not tell what other nodes have on it ({error}); names stay as known"
            self._standing.fell(fault, is_said=await self._is_engine_there())
            self._remotes.report(self._name, self._standing.state)
            return Answered.NOTHING
        await self._take_in(found.values())
        self._is_heard = True
        self._remotes.heard(self._name)
        self._remotes.report(self._name, self._standing.state)
        self._refused.tell(gossip.refused)
        return Answered.ALL

    async def _take_in(self, endpoints: Iterable[RemoteEndpoint]) -> None:
        await self._remotes.replace(self._name, endpoints, GOSSIP)
        self._known_at = loop_time()

    async def _grow_old(self) -> None:
        """Count what is known as unknown, if it is old: lines that stand in files stay, and no new ones are made."""
        if self._known_at is None or loop_time() < self._known_at + SILENT_SECONDS:  # a restart takes moments
            return
        self._remotes.awaited(self._name)  # first, so that no line takes a name for gone
        await self._remotes.replace(self._name, (), GOSSIP)
        self._silences, self._is_heard, self._known_at = Silences(), False, None
        self._standing.left()
        self._remotes.report(self._name, self._standing.state)

    async def _is_cut_off(self, gossip: Gossip) -> bool:
        """Whether no other node is heard although there are others, so that what these have is not known."""
        return await self._others.exist() and (await self._all_heard(gossip))[1]

    async def _alone(self, gossip: Gossip) -> "Answered":
        """Take in what this node has, while nothing has been heard of any other: names in the files stay."""
        await self._take_in(gossip.endpoints.values())
        self._standing.fell(_UNHEARD, len(gossip.endpoints))
        self._remotes.report(self._name, self._standing.state)
        return Answered.ALL

    async def _is_engine_there(self) -> bool:
        """Whether the engine answers at all. If not, the log says so by itself."""
        try:
            await self._source.ping()
        except EngineError:
            return False
        return True

    async def _with_kept(self, gossip: Gossip) -> dict[str, RemoteEndpoint]:
        """All endpoints: what the gossip has, and what stays of silent nodes."""
        found = dict(gossip.endpoints)
        missing = [each for identity, each in self._remotes.of(self._name).items() if identity not in found]
        hosts = {each.host for each in missing if each.host} - gossip.own
        if hosts:
            heard, is_alone = await self._all_heard(gossip)
            self._silences.look(hosts, heard, is_alone=is_alone, now=loop_time())
        else:
            self._silences, is_alone = Silences(), False
        if missing:
            found |= await self._kept(missing, gossip)
        self._standing.stood(len(found), self._silences.away, is_alone=is_alone)
        return found

    async def _kept(self, missing: list[RemoteEndpoint], gossip: Gossip) -> dict[str, RemoteEndpoint]:
        work = partial(kept, missing, gossip, self._silences, loop_time())
        is_long = len(missing) + len(gossip.endpoints) > _AT_ONCE
        return {each.id: each for each in (await anyio.to_thread.run_sync(work) if is_long else work())}

    async def _all_heard(self, gossip: Gossip) -> tuple[frozenset[str], bool]:
        """The nodes that are heard, and whether that is this one alone of several.

        The answer itself may have a node that has just gone silent, with a part of its endpoints: they go one by one.
        """
        nodes = await self._source.nodes()
        if nodes is None:
            return gossip.nodes, False
        is_alone = not nodes - gossip.own if gossip.own else len(nodes) < 2
        return nodes, is_alone and await self._others.exist()


class _Others:
    """Whether the swarm has other nodes, heard or not: an operator may remove one that is gone for good."""

    def __init__(self, source: GossipSource) -> None:
        self._source = source
        self._exist = False
        self._until = -math.inf
        """The answer counts until then (monotonic seconds)."""

    async def exist(self) -> bool:
        """Ask, unless that was done some seconds ago."""
        if loop_time() >= self._until:
            self._exist = await self._source.has_other_nodes()
            self._until = loop_time() + _OTHERS_SECONDS
        return self._exist


class _Standing:
    """How things stand with the gossip of a network, for people."""

    def __init__(self, network: str) -> None:
        self._network = network
        self.state = SourceState("overlay", network, True, time.time())
        self._is_told = False
        """Whether the log says that it is not up."""

    def stood(self, endpoints: int, away: list[str], *, is_alone: bool) -> None:
        """There was an answer. `away`: the nodes that something is known of and that are silent."""
        hosts = ", ".join(away[:_MOST_NAMED]) + (" and others" if len(away) > _MOST_NAMED else "")
        if away and is_alone:
            fault = (
                f"no other node of the swarm is heard; names of {hosts} stay as last known; see whether these nodes"
                f" run, and whether they and this one reach each other at {_PORTS}; {_GONE}"
            )
            self.fell(fault, endpoints)
            return
        fault = f"{hosts} is silent: its names go {SILENT_SECONDS:.0f} s after it was last heard" if away else ""
        self._put(True, fault, endpoints)
        if self._is_told:
            self._is_told = False
            logger.info("overlay network {}: what other nodes have is known again", self._network)

    def fell(self, fault: str, endpoints: int | None = None, *, is_said: bool = True) -> None:
        """Nothing is heard of other nodes. `is_said`: in the log, too."""
        self._put(False, fault, endpoints)
        if is_said and not self._is_told:
            self._is_told = True
            logger.warning("overlay network {}: {}", self._network, fault)

    def left(self) -> None:
        """This host has nothing on the network any more, so that nothing is to be heard."""
        self._put(True, "", 0)

    def _put(self, is_up: bool, fault: str, endpoints: int | None) -> None:
        known = self.state
        since = known.since if is_up is known.is_up else time.time()
        count = known.endpoints if endpoints is None else endpoints
        self.state = replace(known, is_up=is_up, fault=fault, endpoints=count, since=since)
