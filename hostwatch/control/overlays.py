"""Begins to follow the overlay networks of a swarm once a subscriber is on one, and ends when none is.

Until then nothing is loaded, asked or waited for.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

import anyio.to_thread
from anyio.abc import TaskGroup

from hostwatch.control.remotes import Remotes, SourceState
from hostwatch.control.source import GossipSource
from hostwatch.core.model import EngineId, Network, NetworkKey
from hostwatch.core.remote import overlay_source
from hostwatch.core.resolve.elsewhere import overlays
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store

if TYPE_CHECKING:
    from hostwatch.control.gossip import GossipLoop

_LOOP = "hostwatch.control.gossip"
_NO_FILES: FileKeys = frozenset()


class Overlays:
    """The overlay networks, as the daemon sees them."""

    def __init__(self, source: GossipSource, store: Store, remotes: Remotes) -> None:
        self._source = source
        self._store = store
        self._remotes = remotes
        self._tasks: TaskGroup | None = None
        self._awaited: dict[NetworkKey, Network] = {}
        """The networks that are to be followed, while the loop is loaded."""
        self._loop: GossipLoop | None = None

    def begin(self, tasks: TaskGroup) -> None:
        """Follow them in this task group, as soon as there are any."""
        self._tasks = tasks
        self.look()

    def look(self, files: FileKeys = _NO_FILES) -> None:
        """Take in that something has changed that may affect these files: subscribers there, or what they ask for."""
        if self._loop is not None:
            self._loop.look(files)
        elif self._tasks is not None:
            self._begin(self._tasks)

    def _begin(self, tasks: TaskGroup) -> None:
        new = {network.key: network for network in overlays(self._store) if network.key not in self._awaited}
        if new and not self._awaited:
            tasks.start_soon(self._follow, name="follow overlay networks")
        self._awaited |= new
        for network in new.values():  # at once: no file must be decided as if other nodes had nothing
            self._remotes.awaited(overlay_source(network.name))

    async def _follow(self) -> None:
        if _LOOP not in sys.modules:  # to load it takes some 10 ms
            await anyio.to_thread.run_sync(import_module, _LOOP)
        from hostwatch.control.gossip import GossipLoop  # noqa: PLC0415

        self._loop = GossipLoop(self._source, self._store, self._remotes)
        self._loop.begin(self._awaited.values())  # one that is gone again is forgotten
        self._awaited = {}
        await self._loop.run()
        self._loop = None
        self.look()


async def hear_once(source: GossipSource, store: Store, engine: EngineId) -> Mapping[str, SourceState]:
    """Ask about all overlay networks with a subscriber, for a command that runs once; returns how that went."""
    remotes = Remotes(store, lambda _files, _cause: None)
    await remotes.identified(engine)
    if found := overlays(store):
        from hostwatch.control.hearing import Hearing  # noqa: PLC0415

        for network in found:
            hearing = Hearing(network, source, remotes)
            hearing.begin()
            await hearing.ask()
    return remotes.states
