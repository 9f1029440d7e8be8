"""What the other hosts publish, as it is in the shared store: which of it counts, and what is refused."""

from collections.abc import Iterable, Iterator
from functools import partial

from loguru import logger

from hostwatch.control.cluster.membership import Membership
from hostwatch.control.cluster.parsing import parsed
from hostwatch.control.key_values import Entry
from hostwatch.core.cluster.values import (
    NODES,
    SERVICES,
    BadValueError,
    Node,
    endpoints_of,
    node_name,
    parsed_node,
)
from hostwatch.core.names import shown
from hostwatch.core.remote import RemoteEndpoint

MOST_ENDPOINTS = 10_000
"""Endpoints of all hosts. A hundred hosts with a hundred services each have as many; more are refused."""
MOST_HOSTS = 10_000
"""Other hosts that are counted: one with no service is listed, and has no name. Where they are as many, the store
itself is the limit (docs/explanation/scale.md)."""
_MOST_REFUSED = 1_000
"""Refusals that are told apart: a writer may make any number of keys."""

Exchange = tuple[tuple[RemoteEndpoint, ...], tuple[RemoteEndpoint, ...]]
"""The endpoints of a key before and after a change."""


class _Room:
    """How many of something may count, and whether more of them are there."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.taken = 0
        self.is_short = False
        """Whether something did not fit since the last list began."""
        self.is_told = False
        """Whether somebody was told that there is too much."""

    def has(self, before: int, after: int) -> bool:
        """Whether so many fit in the place of so many."""
        fits = self.taken - before + after <= self._most
        self.is_short |= not fits
        return fits

    def exchange(self, before: int, after: int) -> bool:
        """Put so many in the place of so many; returns whether what did not fit may fit by that."""
        self.taken += after - before
        return self.is_short and after < before


class Peers:
    """The other hosts, and the endpoints of each of their keys."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._prefix = membership.prefix
        self.nodes: dict[str, Node] = {}
        """The hosts by their names, this one included if it is a member."""
        self._endpoints: dict[str, tuple[RemoteEndpoint, ...]] = {}
        self._refused: dict[str, str] = {}
        self._room, self._host_room = _Room(MOST_ENDPOINTS), _Room(MOST_HOSTS)
        self.is_complete = True
        """Whether all counts that may. If not, the list is to be read anew: what was refused is not kept."""

    def __len__(self) -> int:
        return self._room.taken

    @property
    def endpoints(self) -> Iterator[RemoteEndpoint]:
        """All endpoints that count."""
        return (endpoint for found in self._endpoints.values() for endpoint in found)

    @property
    def hosts(self) -> int:
        """The number of the other hosts."""
        return self._host_room.taken + (0 if self._is_own_name else 1)

    @property
    def keys(self) -> set[str]:
        """All keys that are known."""
        nodes = (f"{self._prefix}{NODES}{name}" for name in self.nodes)
        return {*self._endpoints, *self._refused, *nodes}

    def begin(self) -> None:
        """All that is there is put from now on."""
        self.is_complete = True
        self._room.is_short = self._host_room.is_short = False

    async def put(self, entry: Entry) -> Iterable[Exchange]:
        """Take in a key with its value; returns the endpoints that differ by that."""
        tail = entry.key.removeprefix(self._prefix)
        if tail.startswith(NODES):
            return await self._put_node(entry, tail)
        if not tail.startswith(SERVICES):
            return ()
        return await self._take(entry)

    def drop(self, key: str) -> Iterable[Exchange]:
        """Take in that a key is gone; returns the endpoints that differ by that."""
        self._refused.pop(key, None)
        tail = key.removeprefix(self._prefix)
        if tail.startswith(NODES):
            return self._put_host(tail.removeprefix(NODES), None)
        return self._exchange(key, ())

    def _exchange(self, key: str, found: tuple[RemoteEndpoint, ...]) -> Iterable[Exchange]:
        """Put these endpoints in the place of those before."""
        before = self._endpoints.pop(key, ())
        if found:
            self._endpoints[key] = found
        if self._room.exchange(len(before), len(found)):
            self.is_complete = False
        return ((before, found),) if before != found else ()

    async def _put_node(self, entry: Entry, tail: str) -> Iterable[Exchange]:
        name = node_name(tail)
        if name is None or tail != f"{NODES}{name}":
            self._refuse(entry.key, "the key is not one of a node")
            return ()
        try:
            node = await parsed(parsed_node, entry.value)
        except BadValueError as error:
            self._refuse(entry.key, str(error))
            return ()
        self._refused.pop(entry.key, None)
        return self._put_host(name, node)

    def _put_host(self, name: str, node: Node | None) -> Iterable[Exchange]:
        """A host is there as it tells of itself, or is gone."""
        if name == self._membership.node:
            was_own = self._is_own_name
            self._set_host(name, node)
            return self._owner_changed() if was_own != self._is_own_name else ()
        before, after = int(name in self.nodes), int(node is not None)
        if not self._host_room.has(before, after):
            self._tell_of_hosts()
        else:
            self._set_host(name, node)
            if self._host_room.exchange(before, after):
                self.is_complete = False
        return ()

    def _set_host(self, name: str, node: Node | None) -> None:
        if node is None:
            self.nodes.pop(name, None)
        else:
            self.nodes[name] = node

    def _owner_changed(self) -> Iterable[Exchange]:
        """This host's own name belongs to another host now, or does so no more."""
        if not self._is_own_name:
            self.is_complete = False  # what is under the name was not kept
            return ()
        own = [key for key in self._endpoints if key.startswith(self._membership.services_key)]
        return [exchange for key in own for exchange in self._exchange(key, ())]

    async def _take(self, entry: Entry) -> Iterable[Exchange]:
        """Take in the endpoints of a key, unless they are this host's own."""
        key, found = entry.key, tuple[RemoteEndpoint, ...]()
        try:
            if not self._is_own(key):
                found = await parsed(partial(endpoints_of, key.removeprefix(self._prefix)), entry.value)
                self._check_room(key, found)
            self._refused.pop(key, None)
        except BadValueError as error:
            found = ()
            self._refuse(key, str(error))
        return self._exchange(key, found)

    def _check_room(self, key: str, found: tuple[RemoteEndpoint, ...]) -> None:
        """Raises `BadValueError` if there is no room for the endpoints of a key."""
        if not self._room.has(len(self._endpoints.get(key, ())), len(found)):
            raise BadValueError(f"there are {MOST_ENDPOINTS} addresses of other hosts already")

    def _is_own(self, key: str) -> bool:
        return self._is_own_name and node_name(key.removeprefix(self._prefix)) == self._membership.node

    @property
    def _is_own_name(self) -> bool:
        """Whether this host's name is no other host's."""
        owner = self.nodes.get(self._membership.node)
        return owner is None or owner.engine == self._membership.engine

    def _tell_of_hosts(self) -> None:
        if not self._host_room.is_told:
            self._host_room.is_told = True
            logger.warning(
                "there are {} other hosts in the shared store already; those beyond are not counted", MOST_HOSTS
            )

    def _refuse(self, key: str, reason: str) -> None:
        """Say once why a key counts for nothing."""
        if self._refused.get(key) == reason or len(self._refused) >= _MOST_REFUSED:
            return
        self._refused[key] = reason
        logger.warning("{} in the shared store is refused: {}", shown(key, 300), reason)
        if len(self._refused) == _MOST_REFUSED:
            logger.warning("{} keys of the shared store are refused; of more of them nothing is told", _MOST_REFUSED)
