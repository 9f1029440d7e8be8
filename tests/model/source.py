"""The simulated engine as hostwatch sees it: events and answers on their way, each of which may go wrong."""

import math
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import cycle
from pathlib import Path

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectSendStream

from hostwatch.control.source import EngineError, EngineInfo, Event, ExecResult, GoneError
from hostwatch.core.model import Container, ContainerId, ContainerKey, Endpoint, EngineId, Network, NetworkKey
from hostwatch.docker.decode import containers, events, networks
from tests.model import api
from tests.model.api import Json
from tests.model.box import SUBNETS, network_id
from tests.model.engine import Engine
from tests.model.faults import (
    A_NETWORK,
    A_PING,
    A_SIGNAL,
    AN_ENTRY,
    ANSWER_SECONDS,
    THE_ENGINE,
    THE_LIST,
    THE_NETWORKS,
    THE_STREAM,
    Faults,
)

FATES = ("ok", "lost", "doubled", "late", "swapped", "garbled")
"""What may happen to an event; `late` is by seconds, `swapped` is behind the next one."""
_LATE_SECONDS = 3.0
_RING = 256
"""How many events the engine remembers."""
_HANG_SECONDS = 60.0
_HELD_SECONDS = 60.0


class SimulatedSource:
    """The simulated engine as hostwatch sees it: an implementation of `hostwatch.control.source.Source`."""

    def __init__(self, engine: Engine, tasks: TaskGroup) -> None:
        self.engine = engine
        self.faults = Faults()
        self.answered: dict[ContainerId, float] = {}
        """When a running container was last inspected with the addresses that it still has."""
        self.known: set[ContainerId] = set()
        """The containers that were ever inspected, and so may have told of their aliases."""
        self.signalled: Callable[[ContainerId], None] = lambda _id: None
        self._tasks = tasks
        self._streams: set[MemoryObjectSendStream[Json | None]] = set()
        self._ring: deque[Json] = deque(maxlen=_RING)
        self._kept_back: list[Json] = []
        self._epoch = 0
        self._identity = engine.identity
        """The engine's id as it was told last, which is that of all that is read."""

    # Events.

    def teller(self, fates: Sequence[str]) -> Callable[[Json], None]:
        """What passes on the events of one operation; the n-th of them has the n-th fate, and so on in turn."""
        turns = cycle(fates)
        return lambda event: self._send(event, next(turns))

    def _send(self, event: Json, fate: str) -> None:
        event |= {"timeNano": time.time_ns()}
        if fate != "lost":
            self._ring.append(event)
        match fate:
            case "ok":
                self._deliver(event)
            case "doubled":
                self._deliver(event)
                self._deliver(event)
            case "late":
                self._tasks.start_soon(self._deliver_late, event)
            case "swapped":
                self._kept_back.append(event)
            case "garbled":
                self._deliver(None)

    async def _deliver_late(self, event: Json) -> None:
        await anyio.sleep(_LATE_SECONDS)
        self._deliver(event)

    def _deliver(self, event: Json | None) -> None:
        kept_back, self._kept_back = self._kept_back, []
        for each in (event, *kept_back):
            for stream in self._streams if not self.faults.away else ():
                stream.send_nowait(each)

    @asynccontextmanager
    async def events(self, after: int | None = None) -> AsyncIterator[AsyncIterator[Event | None]]:
        """Subscribe; what the engine still has comes first."""
        await self._answer(self.faults.delay(THE_STREAM))
        send, receive = anyio.create_memory_object_stream[Json | None](math.inf)
        for event in self._ring if after is not None else ():
            if event["timeNano"] > after:
                send.send_nowait(event)
        self._streams.add(send)
        try:
            with send, receive:
                async with aclosing(self._decoded(receive)) as decoded:
                    yield decoded
        finally:
            self._streams.discard(send)

    async def _decoded(self, receive: AsyncIterator[Json | None]) -> AsyncGenerator[Event | None, None]:
        async for data in receive:
            if data is None:
                yield None
            elif (found := events.event(self._identity, data)) is not None:
                yield found

    def created(self, event: Event) -> Container | None:
        """What an event tells of a new container."""
        return containers.created_container(event)

    # Faults.

    def go(self, away: str) -> None:
        """Have the engine go away, or come back."""
        if bool(away) != bool(self.faults.away):
            self.faults.since = anyio.current_time()
            self.forget()
        self.faults.away = away
        if away == "cut":
            self._epoch += 1
            for stream in list(self._streams):
                stream.close()

    def become(self, identity: EngineId) -> None:
        """Have the engine say that it is another one from now on."""
        self.engine.identity = identity
        self.forget()

    def forget(self) -> None:
        """Whatever was read does not count any more: hostwatch reads all of it again."""
        self.answered.clear()
        self.known.clear()

    async def _answer(self, seconds: float = ANSWER_SECONDS) -> None:
        """Take the time that an answer takes; what was asked before a cut is not answered after it."""
        epoch = self._epoch
        await anyio.sleep(_HANG_SECONDS if self.faults.away == "hung" else seconds)
        if self.faults.away or epoch != self._epoch:
            raise EngineError("cut off")

    # Answers. Each is made first and then on its way, so that it may be old when it comes.

    async def ping(self) -> None:
        """The engine answers."""
        await self._answer(self.faults.delay(A_PING))

    async def info(self) -> EngineInfo:
        """Who the engine is."""
        await self._answer(self.faults.delay(THE_ENGINE))
        self._identity = self.engine.identity
        return EngineInfo(self._identity, "28.5.2", "1.51", Path("/simulated"), clock=time.time_ns())

    async def containers(self) -> Sequence[Container]:
        """All containers, as the list tells them."""
        found = [containers.listed_container(self._identity, api.listed(box)) for box in self.engine.boxes.values()]
        await self._answer(self.faults.delay(THE_LIST))
        return found

    async def listed(self, key: ContainerKey) -> Container | None:
        """One container, as the list tells it."""
        box = self.engine.boxes.get(key.id)
        found = containers.listed_container(self._identity, api.listed(box)) if box is not None else None
        await self._answer(self.faults.delay(AN_ENTRY))
        return found

    async def container(self, key: ContainerKey) -> Container:
        """One container, once no start of it is under way."""
        box = self.engine.boxes.get(key.id)
        if box is not None and box.name in self.faults.refused:
            raise EngineError("the engine answered 500")
        if box is not None and box.starting:
            with anyio.move_on_after(_HELD_SECONDS):
                await box.free.wait()
        box = self.engine.boxes.get(key.id)
        if box is None:
            await self._answer()
            raise GoneError(key.id)
        data, addresses = api.inspected(box), box.addresses
        await self._answer(self.faults.delay(box.name))
        if box.name in self.faults.refused:
            raise EngineError("the engine answered 500")
        self.known.add(box.id)
        if box.running and box.addresses == addresses and data["State"]["Running"]:
            self.answered[box.id] = anyio.current_time()
        return containers.inspected_container(self._identity, data)

    async def networks(self) -> Sequence[Network]:
        """All networks."""
        found = [networks.network(self._identity, api.network(name, self.engine.boxes.values())) for name in SUBNETS]
        await self._answer(self.faults.delay(THE_NETWORKS))
        return found

    async def network(self, key: NetworkKey) -> Network:
        """One network."""
        found = networks.network(self._identity, self._network(key))
        await self._answer(self.faults.delay(A_NETWORK))
        return found

    async def endpoint(self, network: NetworkKey, container: ContainerKey) -> Endpoint | None:
        """A container's endpoint on a network."""
        found = networks.network_endpoint(self._network(network), container.id)
        await self._answer(self.faults.delay(A_NETWORK))
        return found

    def _network(self, key: NetworkKey) -> Json:
        return api.network(next(name for name in SUBNETS if network_id(name) == key.id), self.engine.boxes.values())

    # What hostwatch does to containers.

    async def exec(self, key: ContainerKey, command: Sequence[str], user: str = "") -> ExecResult:
        """Commands are not simulated."""
        raise EngineError(f"no {command} in {key} as {user}")

    async def kill(self, key: ContainerKey, signal: str) -> None:
        """A notice."""
        await self._answer(self.faults.delay(A_SIGNAL))
        if signal == "SIGHUP":
            self.signalled(key.id)

    async def restart(self, key: ContainerKey) -> None:
        """Nobody asks for it."""
        raise EngineError(f"no restart of {key}")
