"""A container that cannot be inspected, in simulated time: it delays names for half a minute, then the list counts."""

from collections.abc import Awaitable, Callable, Iterator

import anyio
import pytest
import trio
from loguru import logger
from trio.testing import MockClock

from hostwatch.control.informer.unread import UNREAD_SECONDS
from hostwatch.control.source import EngineError
from hostwatch.core.model import Container, ContainerKey
from tests.model.box import Recipe
from tests.model.oracle import Records, said
from tests.model.steps import Examine, Remove, Run, Start, Stop
from tests.model.world import World

Life = Callable[[World], Awaitable[None]]


@pytest.fixture
def log() -> Iterator[list[str]]:
    """The log lines at INFO and above."""
    told: list[str] = []
    handler = logger.add(lambda line: told.append(str(line)), level="INFO", format="{message}")
    yield told
    logger.remove(handler)


def lived(life: Life) -> None:
    """Run a history, beside a database, another container, and a subscriber to both."""

    async def live() -> None:
        async with anyio.create_task_group() as tasks:
            world = World(tasks)
            Run("db", Recipe()).happen(world)
            Run("tmp", Recipe((("front", "cache"),), checked=True)).happen(world)
            Run("web", Recipe(wants=("db", "tmp", "cache"))).happen(world)
            await anyio.sleep(5)
            Examine("tmp", "healthy").happen(world)
            await life(world)
            tasks.cancel_scope.cancel()

    trio.run(live, clock=MockClock(autojump_threshold=0))


def records(world: World) -> Records:
    """The records in the subscriber's file."""
    box = world.engine.named("web")
    assert box is not None
    return said(box.text or b"").records


def refuse(world: World) -> None:
    """Have each inspection of `tmp` fail."""
    world.source.faults.refused["tmp"] = world.now


def hang(world: World) -> None:
    """Have no inspection of `tmp` end."""
    world.source.faults.slow["tmp"] = 1e6


async def never(_key: ContainerKey, seconds: float) -> Container:
    """An inspection that is never answered."""
    await anyio.sleep(seconds)
    raise EngineError("no answer")


@pytest.mark.parametrize("fault", [refuse, hang])
def test_it_holds_up_undecided_names_for_half_a_minute(fault: Callable[[World], None], log: list[str]) -> None:
    """A name that is gone may be its alias. The log names the container once, and later events do not wait for it."""

    async def life(world: World) -> None:
        fault(world)
        world.run_again()
        await anyio.sleep(9)
        assert records(world).keys() == {"db", "tmp"}
        Remove("db").happen(world)
        await anyio.sleep(UNREAD_SECONDS - 10)
        assert "db" in records(world)
        await anyio.sleep(6)
        assert "db" not in records(world)
        Run("db", Recipe()).happen(world)
        await anyio.sleep(1)
        Remove("db").happen(world)
        await anyio.sleep(3)
        assert records(world).keys() == {"tmp"}

    lived(life)
    assert len([line for line in log if "tmp cannot be inspected" in line]) == 1


@pytest.mark.parametrize("fault", [refuse, hang])
def test_then_the_list_of_containers_is_believed(fault: Callable[[World], None], log: list[str]) -> None:
    """The list tells its stop, its start and its new address. Its alias comes with its first inspection."""

    async def life(world: World) -> None:
        fault(world)
        world.run_again()
        await anyio.sleep(UNREAD_SECONDS + 60)
        assert records(world).keys() == {"db", "tmp"}
        Stop("tmp").happen(world)
        await anyio.sleep(4)
        assert records(world).keys() == {"db"}
        Run("api", Recipe()).happen(world)  # takes its address
        await anyio.sleep(1)
        Start("tmp").happen(world)
        await anyio.sleep(3)
        assert "tmp" not in records(world)  # it is not healthy yet
        Examine("tmp", "healthy").happen(world)
        await anyio.sleep(6)
        box = world.engine.named("tmp")
        assert box is not None
        assert records(world)["tmp"] == tuple(box.addresses)
        world.heal()
        await anyio.sleep(70)
        assert records(world).keys() == {"db", "tmp", "cache"}

    lived(life)
    assert len([line for line in log if "tmp cannot be inspected" in line]) == 1
    assert len([line for line in log if "tmp can be inspected again" in line]) == 1


def test_its_known_aliases_stay(log: list[str]) -> None:
    """The list does not tell whether aliases are gone."""

    async def life(world: World) -> None:
        world.run_again()
        await anyio.sleep(9)
        assert records(world).keys() == {"db", "tmp", "cache"}
        hang(world)
        await anyio.sleep(UNREAD_SECONDS + 90)
        assert any("tmp cannot be inspected" in line for line in log)
        assert records(world).keys() == {"db", "tmp", "cache"}
        Remove("tmp").happen(world)
        await anyio.sleep(9)
        assert records(world).keys() == {"db"}

    lived(life)


def test_a_removed_container_is_forgotten(log: list[str]) -> None:
    """That holds even if only the list shows that it is gone."""

    async def life(world: World) -> None:
        world.run_again()
        await anyio.sleep(9)
        world.source.container = never  # type: ignore[assignment, method-assign]
        Remove("tmp", fates=("lost",)).happen(world)
        await anyio.sleep(UNREAD_SECONDS + 90)
        assert records(world).keys() == {"db"}
        count = len(log)
        await anyio.sleep(300)
        assert log[count:] == []

    lived(life)


def test_a_start_that_takes_some_seconds_is_not_logged(log: list[str]) -> None:
    """The engine holds up the inspection meanwhile."""

    async def life(world: World) -> None:
        world.run_again()
        await anyio.sleep(9)
        Start("tmp", 8.0).happen(world)
        await anyio.sleep(15)
        Examine("tmp", "healthy").happen(world)
        await anyio.sleep(1)
        assert records(world).keys() == {"db", "tmp", "cache"}

    lived(life)
    assert not [line for line in log if "tmp can" in line]
