"""Requests for one connection or restart, in simulated time: no fact is asked of the engine twice."""

from collections.abc import Awaitable, Callable
from typing import cast

import anyio
import trio
from trio.testing import MockClock

from hostwatch.control.informer.changes import Changes
from hostwatch.control.informer.early import EarlyAddresses
from hostwatch.control.informer.event_handler import EventHandler
from hostwatch.control.informer.read_queue import ReadQueue
from hostwatch.control.informer.reader import Reader
from hostwatch.control.source import Event, Source
from hostwatch.core.model import Container, ContainerKey, Endpoint, NetworkKey
from tests.core.build import box, ip, net, on, store

FRONT = net("front", "10.0.0.0/24")
BEFORE, AFTER = box("db", on("front", "10.0.0.5")), box("db", on("front", "10.0.0.6"))
DB = BEFORE.key
HELD_SECONDS = 0.06
"""How long the engine holds the container's lock, and so its inspection."""


class Engine:
    """Tells the new address at once by the network, and by an inspection a little later."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def endpoint(self, _network: NetworkKey, _container: ContainerKey, _name: str) -> Endpoint:
        self.asked.append("network")
        await anyio.sleep(0.001)
        return AFTER.endpoints[0]

    async def container(self, _key: ContainerKey, _seconds: float) -> Container:
        self.asked.append("container")
        await anyio.sleep(HELD_SECONDS)
        return AFTER


Life = Callable[[EarlyAddresses, Callable[[str], None]], Awaitable[None]]


def asked(life: Life) -> list[str]:
    """The requests for this life of a container: its file's reports, and its events by their actions."""

    async def live() -> list[str]:
        engine, known = Engine(), store(FRONT, BEFORE)
        source, changes = cast("Source", engine), Changes(known, lambda _files, _cause: None)
        early = EarlyAddresses(source, known, changes)
        async with anyio.create_task_group() as tasks:
            reader = Reader(source, known, early.was_read, changes.read)
            reads = ReadQueue(reader, known, changes.read, tasks)
            early.connect(reads)
            events = EventHandler(source, known, reads, early, changes)

            def tell(action: str) -> None:
                network = FRONT.key if action.endswith("connect") else None
                events.handle(Event("network" if network else "container", action, DB, network, {}))

            await life(early, tell)
            await anyio.sleep(60)
            tasks.cancel_scope.cancel()
        assert known.container(DB) == AFTER
        return engine.asked

    return trio.run(live, clock=MockClock(autojump_threshold=0))


def test_a_connection_that_its_network_has_confirmed_costs_two_requests() -> None:
    """The inspection after the claim is newer than the connection, so its event leads to no further one."""

    async def life(early: EarlyAddresses, tell: Callable[[str], None]) -> None:
        tell("disconnect")
        await anyio.sleep(0.01)
        early.running(DB, [ip("10.0.0.6")], "claim")
        await anyio.sleep(0.03)
        tell("connect")

    assert asked(life) == ["network", "container"]


def test_a_later_connection_is_read_again() -> None:
    """A claim counts until the container is inspected."""

    async def life(early: EarlyAddresses, tell: Callable[[str], None]) -> None:
        early.running(DB, [ip("10.0.0.6")], "claim")
        await anyio.sleep(1)
        tell("disconnect")
        await anyio.sleep(1)
        tell("disconnect")
        await anyio.sleep(0.01)
        tell("connect")

    assert asked(life) == ["network", "container", "container", "network", "container"]


def test_a_restart_whose_address_its_file_tells_costs_one_request() -> None:
    """Its death is read a little later, so that the start has it read."""

    async def life(early: EarlyAddresses, tell: Callable[[str], None]) -> None:
        tell("die")
        await anyio.sleep(0.1)
        early.starting(DB, [ip("10.0.0.6")], "start")
        tell("connect")
        await anyio.sleep(0.2)
        tell("start")

    assert asked(life) == ["container"]


def test_a_restart_whose_file_is_out_of_sight_has_its_network_asked() -> None:
    """Its last address may be another one's by now."""

    async def life(_early: EarlyAddresses, tell: Callable[[str], None]) -> None:
        tell("die")
        await anyio.sleep(0.1)
        tell("connect")
        await anyio.sleep(0.1)
        tell("start")

    assert asked(life) == ["network", "container"]
