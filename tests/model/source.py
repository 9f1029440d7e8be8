"""The simulated engine as hostwatch sees it: its events and answers, each of which may be lost, late or wrong."""

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
from hostwatch.core.gossip import Gossip
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
"""The possible fates of an event: `late` delays it by seconds, `swapped` puts it behind the next one."""
_LATE_SECONDS = 3.0
_RING = 256
"""The engine remembers this many events."""
_HANG_SECONDS = 60.0
_HELD_SECONDS = 60.0


class SimulatedSource:
    """The simulated engine as hostwatch sees it: an implementation of `hostwatch.control.source.Source`."""

    def __init__(self, engine: Engine, tasks: TaskGroup) -> None:
        self.engine = engine
        self.faults = Faults()
        self.answered: dict[ContainerId, float] = {}
        """The time at which a running container was last inspected, if it still has the same addresses."""
        self.known: set[ContainerId] = set()
        """The containers that were ever inspected, so that their aliases are known."""
        self.signalled: Callable[[ContainerId], None] = lambda _id: None
        self._tasks = tasks
        self._streams: set[MemoryObjectSendStream[Json | None]] = set()
        self._ring: deque[Json] = deque(maxlen=_RING)
        self._kept_back: list[Json] = []
        self._epoch = 0
        self._identity = engine.identity
        """The last id that the engine has told; all answers and events carry it."""

    # Events.

    def teller(self, fates: Sequence[str]) -> Callable[[Json], None]:
        """A function that delivers the events of one operation. The n-th event has the n-th fate, in a cycle."""
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
        """Subscribe; the events that the engine still remembers come first."""
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
        """A new container, from its event."""
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
        """Have the engine tell another identity from now on."""
        self.engine.identity = identity
        self.forget()

    def forget(self) -> None:
        """Earlier answers do not count any more: hostwatch reads everything again."""
        self.answered.clear()
        self.known.clear()

    async def _answer(self, seconds: float = ANSWER_SECONDS) -> None:
        """Wait as long as an answer takes. A request from before a cut gets no answer after it."""
        epoch = self._epoch
        await anyio.sleep(_HANG_SECONDS if self.faults.away == "hung" else seconds)
        if self.faults.away or epoch != self._epoch:
            raise EngineError("cut off")

    # Answers. Each is made first and then under way, so it may be old when it arrives.

    async def ping(self) -> None:
        """The engine answers."""
        await self._answer(self.faults.delay(A_PING))

    async def info(self) -> EngineInfo:
        """The engine's identity."""
        await self._answer(self.faults.delay(THE_ENGINE))
        self._identity = self.engine.identity
        return EngineInfo(self._identity, "28.5.2", "1.51", Path("/simulated"), clock=time.time_ns())

    async def identity(self) -> EngineId:
        """The engine's id alone."""
        await self._answer(self.faults.delay(THE_ENGINE))
        return self.engine.identity

    async def containers(self) -> Sequence[Container]:
        """All containers, from the list."""
        found = [containers.listed_container(self._identity, api.listed(box)) for box in self.engine.boxes.values()]
        await self._answer(self.faults.delay(THE_LIST))
        return found

    async def listed(self, key: ContainerKey) -> Container | None:
        """One container, from the list."""
        box = self.engine.boxes.get(key.id)
        found = containers.listed_container(self._identity, api.listed(box)) if box is not None else None
        await self._answer(self.faults.delay(AN_ENTRY))
        return found

    async def container(self, key: ContainerKey, seconds: float) -> Container:
        """One container's inspection, if it takes no longer than that."""
        try:
            with anyio.fail_after(seconds):
                return await self._inspected(key)
        except TimeoutError:
            raise EngineError("no answer") from None

    async def _inspected(self, key: ContainerKey) -> Container:
        """The inspection, which waits for the end of its start."""
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

    async def endpoint(self, network: NetworkKey, container: ContainerKey, name: str) -> Endpoint | None:
        """A container's endpoint on a network."""
        found = networks.network_endpoint(self._network(network), container.id, name)
        await self._answer(self.faults.delay(A_NETWORK))
        return found

    async def gossip(self, network: NetworkKey) -> Gossip:
        """Always fails: swarms are not simulated."""
        raise EngineError(f"no swarm with {network}")

    async def nodes(self) -> frozenset[str] | None:
        """Always fails likewise."""
        raise EngineError("no swarm")

    async def has_other_nodes(self) -> bool:
        """There is no swarm."""
        return False

    def _network(self, key: NetworkKey) -> Json:
        return api.network(next(name for name in SUBNETS if network_id(name) == key.id), self.engine.boxes.values())

    # Actions of hostwatch on containers.

    async def exec(self, key: ContainerKey, command: Sequence[str], user: str = "") -> ExecResult:
        """Always fails: commands are not simulated."""
        raise EngineError(f"no {command} in {key} as {user}")

    async def kill(self, key: ContainerKey, signal: str) -> None:
        """Send a signal, which is a notification."""
        await self._answer(self.faults.delay(A_SIGNAL))
        if signal == "SIGHUP":
            self.signalled(key.id)

    async def restart(self, key: ContainerKey) -> None:
        """Never called: no `notify` requests a restart."""
        raise EngineError(f"no restart of {key}")
