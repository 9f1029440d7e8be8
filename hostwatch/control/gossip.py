"""Asks the engine what a swarm's gossip tells of each overlay network with a subscriber.

No event of an engine tells of containers on other nodes (engines 26.1 and 28.5), so the gossip is asked for: four times
a second while a subscriber asks for a name that this host does not answer, and otherwise now and then. An engine hears
nothing of a network that no container of its own runs on: then the next question waits for the start of one.
"""

import random
from collections.abc import Iterable

import anyio
from anyio.abc import TaskGroup

from hostwatch.control.clock import loop_time
from hostwatch.control.hearing import Answered, Hearing
from hostwatch.control.remotes import Remotes
from hostwatch.control.source import GossipSource
from hostwatch.control.turns import Turns
from hostwatch.core.gossip import SILENT_SECONDS
from hostwatch.core.model import Network, NetworkKey
from hostwatch.core.resolve.elsewhere import asks_elsewhere, is_near, may_run_on, overlays, subscribers_on
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store
from hostwatch.core.timing import Backoff

_PAUSE_SECONDS = 0.25
"""Between two questions: a change is right in the files 0.3 s after the gossip has it."""
_MOST_AT_FULL_PACE = 200
"""With more endpoints than that a network is asked more slowly, as each takes 20 µs of a core: all of them never take
more than a fiftieth of it."""
_SLOW_SECONDS = 300.0
"""Between two questions while this host answers all names: the next change on this host is followed at once."""
_START_SECONDS = (0.05, 1.0)
"""Between two questions while the first container of this host on the network may be starting, at least and at most. An
engine has the gossip 80 to 190 ms before it connects that one (28.5)."""
_IDLE_SECONDS = SILENT_SECONDS
"""Between two questions while all are stopped, and none has changed for that long: what was known is then old."""
_AGAIN_SECONDS = (1.0, 30.0)
"""Between attempts while the engine does not answer, at first and at most."""


class GossipLoop:
    """Follows all overlay networks with a subscriber."""

    def __init__(self, source: GossipSource, store: Store, remotes: Remotes) -> None:
        self._source = source
        self._store = store
        self._remotes = remotes
        self._followed: dict[NetworkKey, _Follower] = {}
        self._turned = anyio.Event()

    def begin(self, networks: Iterable[Network]) -> None:
        """Await what these tell, at once: no file must be decided as if other nodes had nothing."""
        new = [network for network in networks if network.key not in self._followed]
        for network in new:
            self._followed[network.key] = _Follower(network, self._source, self._store, self._remotes)
        for network in new:
            self._followed[network.key].begin()

    def look(self, files: FileKeys) -> None:
        """Take in that something has changed that may affect these files."""
        found = overlays(self._store)
        if {network.key for network in found} != self._followed.keys():
            self._turned.set()
            self.begin(found)
        for follower in [*self._followed.values()]:
            follower.look(files)

    async def run(self) -> None:
        """Follow them until there are none."""
        async with anyio.create_task_group() as tasks:
            while True:
                self._turned = anyio.Event()
                await self._follow(overlays(self._store), tasks)
                if not self._followed:
                    return
                await self._turned.wait()

    async def _follow(self, found: list[Network], tasks: TaskGroup) -> None:
        for key in self._followed.keys() - {network.key for network in found}:
            await self._followed.pop(key).end()
        self.begin(found)
        for follower in self._followed.values():
            follower.start(tasks)


class _Follower:
    """Follows one network."""

    def __init__(self, network: Network, source: GossipSource, store: Store, remotes: Remotes) -> None:
        self._network = network
        self._store = store
        self._hearing = Hearing(network, source, remotes)
        self._scope = anyio.CancelScope()
        self._has_turned = anyio.Event()
        """Set at a change that may be one of what subscribers ask for."""
        self._has_stirred = anyio.Event()
        """Set at a change of a subscriber on the network, which may be one that starts."""
        self._stirred_at = loop_time()
        self._is_asked = False
        """Whether a subscriber asked for what only other hosts may have, before that."""
        self._is_started = False
        self._has_turned.set()

    def begin(self) -> None:
        """Until the first answer nothing is known."""
        self._hearing.begin()

    def start(self, tasks: TaskGroup) -> None:
        """Follow the network in this task group, unless that has begun."""
        if not self._is_started:
            self._is_started = True
            tasks.start_soon(self.run, name=f"gossip of {self._network.name}")

    def look(self, files: FileKeys) -> None:
        """Take in that something has changed that may affect these files."""
        self._has_turned.set()
        if is_near(self._store, self._network, files):
            self._stirred_at = loop_time()
            self._has_stirred.set()

    async def run(self) -> None:
        """Follow the network until `end`."""
        self.begin()  # again, as the end of an earlier network of that name forgets it
        backoff = Backoff(*_AGAIN_SECONDS)
        with self._scope:
            while True:
                match await self._hearing.ask():
                    case Answered.ALL:
                        await self._pause()
                    case Answered.NOT_YET:
                        await self._await_start()
                    case Answered.NOTHING:
                        await self._await_change(_PAUSE_SECONDS, backoff.failed(random.random()))  # noqa: S311
                        continue
                backoff.succeeded()

    async def end(self) -> None:
        """Follow it no longer, and forget what it told."""
        self._scope.cancel()
        await self._hearing.end()

    async def _await_change(self, soon: float, late: float) -> None:
        """Wait for a change on this host, which the engine may be back with."""
        self._has_turned = anyio.Event()
        await anyio.sleep(soon)
        with anyio.move_on_after(late):
            await self._has_turned.wait()
        self._has_turned.set()

    async def _await_start(self) -> None:
        """Wait until the next question while this node is not on the network, as no container of its own runs there."""
        self._has_stirred = anyio.Event()
        soon, late = _START_SECONDS
        await anyio.sleep(soon)
        may_start = loop_time() < self._stirred_at + _IDLE_SECONDS or may_run_on(self._store, self._network)
        with anyio.move_on_after(late if may_start else _IDLE_SECONDS):
            await self._has_stirred.wait()

    async def _pause(self) -> None:
        until = loop_time() + _SLOW_SECONDS
        await anyio.sleep(_PAUSE_SECONDS * max(1.0, self._hearing.endpoints / _MOST_AT_FULL_PACE))
        while loop_time() < until and not await self._asks_elsewhere():
            with anyio.move_on_after(until - loop_time()):
                await self._has_turned.wait()

    async def _asks_elsewhere(self) -> bool:
        if self._has_turned.is_set():
            self._has_turned = anyio.Event()
            self._is_asked = await self._any_asks()
        return self._is_asked

    async def _any_asks(self) -> bool:
        turns = Turns()
        for subscriber in subscribers_on(self._store, self._network):
            if asks_elsewhere(self._store, subscriber):
                return True
            await turns.give()
        await anyio.sleep(_PAUSE_SECONDS)  # a storm of changes is looked at four times a second
        return False
