"""Some hosts of a cluster in one process: `python -m bench.cluster_hosts TASK`, told what to do by lines of JSON.

Each has what a real one has between the facts of its containers and the desired blocks: what it publishes, the client
of the etcd, what it follows, the remote endpoints in its store. Its containers are put into the store directly,
instead of being read from an engine. It has one subscriber, whose desired block is computed and not written.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from loguru import logger

from hostwatch.control.cluster.cluster import Cluster
from hostwatch.control.cluster.membership import Membership
from hostwatch.control.key_values import Change, Entry, KeyValueStore, Lease, StoreAddress
from hostwatch.control.remotes import Remotes
from hostwatch.core.cluster.publishing import Publishing
from hostwatch.core.model import Container, EngineId
from hostwatch.core.remote import CLUSTER, RemoteEndpoint
from hostwatch.core.rules import Rules
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store
from hostwatch.etcd.store import EtcdStore
from tests.core import build

NETWORK = "backend"
LINES = 10
"""Lines of a host's subscriber: the first service of each of the next hosts."""
_LOOK_SECONDS = 0.02
"""Time between two looks whether something has come. When it came is noted at once."""

Answer = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """The hosts of a process, among all that there are."""

    etcd: tuple[str, ...]
    first: int
    count: int
    hosts: int
    services: int
    ttl_seconds: float
    prefix: str = "/hostwatch/"


def service(host: int, number: int) -> str:
    """The name of a service, which no other has."""
    return f"svc{number}-host{host}"


def address(host: int, number: int, move: int = 0) -> str:
    """Its address; another one after each move."""
    low = 2 * number + move % 2
    return f"{10 + host // 250}.{host % 250}.{low // 250}.{low % 250 + 2}"


class Counted:
    """A store that counts what it tells."""

    def __init__(self, store: KeyValueStore) -> None:
        self._store = store
        self.told: Counter[str] = Counter()

    @asynccontextmanager
    async def following(self, prefix: str) -> AsyncIterator[AsyncIterator[Change]]:
        """What is below a prefix."""
        async with self._store.following(prefix) as changes:
            yield self._counted(changes)

    async def _counted(self, changes: AsyncIterator[Change]) -> AsyncIterator[Change]:
        async for change in changes:
            self.told[type(change).__name__] += 1
            yield change

    def leased(self, ttl_seconds: float, known: int = 0) -> AbstractAsyncContextManager[Lease]:
        """A lease."""
        return self._store.leased(ttl_seconds, known)

    async def get(self, key: str) -> Entry | None:
        """The entry of one key."""
        return await self._store.get(key)

    async def listed(self, prefix: str) -> tuple[Entry, ...]:
        """What is below a prefix now."""
        return await self._store.listed(prefix)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._store.aclose()


class Noted(Remotes):
    """Remotes that note when what is awaited has come."""

    def __init__(self, store: Store, changed: Callable[[FileKeys, str], None]) -> None:
        super().__init__(store, changed)
        self.came: float | None = None
        """When; monotonic seconds."""
        self._endpoint: tuple[str, str] = ("", "")
        self._count = -1

    def await_endpoint(self, name: str, address: str) -> None:
        """Note when the endpoint of that name gets that address, which it has not yet."""
        self._endpoint, self._count, self.came = (name, address), -1, None

    def await_count(self, count: int) -> None:
        """Note when so many endpoints are known."""
        self._count = count
        self.came = None
        self._note()

    def put(self, source: str, endpoint: RemoteEndpoint, cause: str) -> None:
        """Take in an endpoint of a source."""
        super().put(source, endpoint, cause)
        if self.came is None and endpoint.name == self._endpoint[0] and str(endpoint.ipv4) == self._endpoint[1]:
            self.came = time.monotonic()
        self._note()

    def drop(self, source: str, identity: str, cause: str) -> None:
        """Take in that a source has an endpoint no more."""
        super().drop(source, identity, cause)
        self._note()

    def _note(self) -> None:
        if self.came is None and len(self.of(CLUSTER)) == self._count:
            self.came = time.monotonic()


class Host:
    """One host."""

    def __init__(self, number: int, task: Task) -> None:
        self.number = number
        self._engine = EngineId(f"engine{number}")
        others = [(number + step) % task.hosts for step in range(1, min(LINES, task.hosts - 1) + 1)]
        lines = build.hosts(*(f"@{{{service(other, 0)}.ip}} {service(other, 0)}" for other in others))
        self._subscriber = build.box("subscriber", engine=self._engine, labels=lines)
        self._store = Store(Rules())
        self.remotes = Noted(self._store, self._changed)
        self.counted = Counted(EtcdStore(StoreAddress(task.etcd)))
        self._block: list[str] = []
        self.blocks = 0
        """How often the desired block has become another one."""
        membership = Membership(
            store=", ".join(task.etcd),
            prefix=task.prefix,
            node=f"host{number}",
            engine=self._engine,
            publishing=Publishing(everything=True, networks=frozenset({NETWORK})),
            ttl_seconds=task.ttl_seconds,
        )
        self._cluster = Cluster(membership, self._store, self.remotes, self._is_leaving)
        for fact in (self._subscriber, *(self._container(place) for place in range(task.services))):
            self._store.put(fact)

    def _container(self, place: int, move: int = 0) -> Container:
        on = build.on(NETWORK, address(self.number, place, move))
        return build.box(service(self.number, place), on, engine=self._engine)

    def _changed(self, files: FileKeys, _cause: str) -> None:
        if self._subscriber.key in files:
            block = build.told(self._store, self._subscriber.key)
            self.blocks += block != self._block
            self._block = block

    def move(self, place: int, move: int) -> float:
        """Give a container another address; returns when."""
        moment = time.monotonic()
        self._store.put(self._container(place, move))
        self._cluster.look()
        return moment

    async def run(self) -> None:
        """Be a member of the cluster."""
        await self.remotes.identified(self._engine)
        await self._cluster.run(self.counted, self._is_ready)

    async def _is_ready(self) -> None:
        """Its containers are known from the beginning."""

    async def _is_leaving(self) -> bool:
        return False

    @property
    def is_up(self) -> bool:
        """Whether it hears the store."""
        state = self.remotes.states.get(CLUSTER)
        return state is not None and state.is_up


class Process:
    """All hosts of this process."""

    def __init__(self, task: Task) -> None:
        self._hosts = [Host(number, task) for number in range(task.first, task.first + task.count)]

    async def run(self) -> None:
        """Do what each line says, and answer each with a line, until there are no more. The hosts then just end."""
        async with anyio.create_task_group() as tasks:
            while line := await anyio.to_thread.run_sync(sys.stdin.readline):
                print(json.dumps(await self._answered(json.loads(line), tasks)), flush=True)
            tasks.cancel_scope.cancel()

    async def _answered(self, asked: Mapping[str, Any], tasks: TaskGroup) -> Answer:
        match asked:
            case {"do": "start"}:
                for host in self._hosts:
                    tasks.start_soon(host.run)
                return {"moment": time.monotonic()}
            case {"do": "await count", "count": int(count), "seconds": float(seconds)}:
                for host in self._hosts:
                    host.remotes.await_count(count)
                return await self._come(seconds)
            case {"do": "await endpoint", "name": str(name), "address": str(address)}:
                for host in self._hosts:
                    host.remotes.await_endpoint(name, address)
                return {}
            case {"do": "come", "seconds": float(seconds), "without": int(number)}:
                return await self._come(seconds, number)
            case {"do": "move", "host": int(number), "place": int(place), "move": int(move)}:
                (host,) = (each for each in self._hosts if each.number == number)
                return {"moment": host.move(place, move)}
            case _:
                return self._figures()

    async def _come(self, seconds: float, without: int = -1) -> Answer:
        """When what is awaited came to each host; `None`: it has not come in time."""
        hosts = [host for host in self._hosts if host.number != without]
        with anyio.move_on_after(seconds):
            while any(host.remotes.came is None or not host.is_up for host in hosts):  # noqa: ASYNC110
                await anyio.sleep(_LOOK_SECONDS)
        return {"came": [host.remotes.came if host.is_up else None for host in hosts], "moment": time.monotonic()}

    def _figures(self) -> Answer:
        told: Counter[str] = Counter()
        for host in self._hosts:
            told += host.counted.told
        faults = {state.fault for host in self._hosts for state in host.remotes.states.values() if state.fault}
        return {
            "told": told,
            "blocks": sum(host.blocks for host in self._hosts),
            "up": sum(host.is_up for host in self._hosts),
            "faults": sorted(faults)[:3],
        }


def main() -> None:
    """Simulate hosts until standard input ends."""
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    fields = json.loads(sys.argv[1])
    anyio.run(Process(Task(**fields | {"etcd": tuple(fields["etcd"])})).run)


if __name__ == "__main__":
    main()
