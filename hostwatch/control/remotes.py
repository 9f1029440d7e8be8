"""Takes the endpoints on other hosts from their sources into the store, and has the state of each source.

A source that loses its server says so (`report`) and changes nothing. What it knew stays until it knows better.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from hostwatch.control.turns import Turns
from hostwatch.core.model import EngineId
from hostwatch.core.remote import RemoteEndpoint, remote_container, remote_key
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store


@dataclass(frozen=True, slots=True)
class Published:
    """What this host publishes to the others of a cluster, for people."""

    node: str
    """The name of this host there."""
    services: int = 0
    names: tuple[str, ...] = ()
    """Those of the first services."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """The state of one source, for people."""

    kind: str
    """`overlay`, `cluster` or `catalog`."""
    name: str
    is_up: bool
    since: float
    """The time of the last change of `is_up`; seconds since the epoch."""
    fault: str = ""
    """What is wrong and what to do, in a sentence; empty: nothing."""
    endpoints: int = 0
    hosts: int = 0
    """Of a cluster: how many other hosts it knows of."""
    published: Published | None = None
    """Of a cluster: what this host adds to it."""


class Remotes:
    """The endpoints of all sources, for the engine of this host."""

    def __init__(self, store: Store, changed: Callable[[FileKeys, str], None]) -> None:
        """`changed` gets the files that may be affected, and the cause."""
        self._store = store
        self._changed = changed
        self._engine: EngineId | None = None
        self._known: dict[str, dict[str, RemoteEndpoint]] = {}
        self._states: dict[str, SourceState] = {}

    @property
    def states(self) -> Mapping[str, SourceState]:
        """The state of each source, by its name: `overlay:NETWORK`, `cluster`, `catalog:SERVICE`."""
        return self._states

    def of(self, source: str) -> Mapping[str, RemoteEndpoint]:
        """The endpoints of a source, by their ids."""
        return self._known.get(source, {})

    async def identified(self, engine: EngineId) -> None:
        """Have all endpoints looked up from this engine."""
        if engine == self._engine:
            return
        before, self._engine = self._engine, engine
        everything = [(source, endpoint) for source, known in self._known.items() for endpoint in known.values()]
        turns = Turns()
        for source, endpoint in everything:
            if before is not None:
                self._store.put_remote(remote_key(before, source, endpoint.id), None)
            if self.of(source).get(endpoint.id) is endpoint:
                self._take_in(source, endpoint.id, endpoint, source)
            await turns.give()

    def put(self, source: str, endpoint: RemoteEndpoint, cause: str) -> None:
        """Take in an endpoint of a source."""
        known = self._known.setdefault(source, {})
        if known.get(endpoint.id) != endpoint:
            known[endpoint.id] = endpoint
            self._take_in(source, endpoint.id, endpoint, cause)

    def drop(self, source: str, identity: str, cause: str) -> None:
        """Take in that a source has an endpoint no more."""
        if self._known.get(source, {}).pop(identity, None) is not None:
            self._take_in(source, identity, None, cause)

    async def replace(self, source: str, endpoints: Iterable[RemoteEndpoint], cause: str) -> None:
        """Take in all endpoints of a source, in the place of those before."""
        turns, new = Turns(), {endpoint.id: endpoint for endpoint in endpoints}
        for endpoint in new.values():
            self.put(source, endpoint, cause)
            await turns.give()
        for identity in [identity for identity in self.of(source) if identity not in new]:
            self.drop(source, identity, cause)
            await turns.give()

    def _take_in(self, source: str, identity: str, endpoint: RemoteEndpoint | None, cause: str) -> None:
        if self._engine is None:
            return
        key = remote_key(self._engine, source, identity)
        files = self._store.put_remote(key, remote_container(key, endpoint) if endpoint is not None else None)
        if files:
            self._changed(files, cause)

    # The sources themselves.

    def awaited(self, source: str) -> None:
        """A source begins: until it is heard, what only it may know is unknown."""
        self._await(source, is_awaited=True)

    def heard(self, source: str) -> None:
        """A source has told all that it has, for the first time."""
        self._await(source, is_awaited=False)

    def _await(self, source: str, *, is_awaited: bool) -> None:
        if self._store.remotes.await_source(source, is_awaited):
            self._changed(self._store.subscriber_files | self._store.resolv_files, source)

    async def removed(self, source: str) -> None:
        """A source is no longer followed, so that nothing of it stays."""
        await self.replace(source, (), source)
        self._known.pop(source, None)
        self._states.pop(source, None)
        self.heard(source)
        self._store.remotes.forget(source)

    def report(self, source: str, state: SourceState) -> None:
        """Note the state of a source."""
        if self._states.get(source) != state:
            self._states[source] = state
            self._changed(frozenset(), source)
