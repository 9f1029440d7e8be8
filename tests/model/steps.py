"""The steps of a history that concern containers."""

from dataclasses import dataclass, field, replace

from tests.model.box import Box, Recipe
from tests.model.engine import Tell
from tests.model.world import World


@dataclass(frozen=True)
class Step:
    """One step: an operation, the fates of its events, and a pause after it."""

    fates: tuple[str, ...] = field(default=("ok",), kw_only=True)
    pause: float = field(default=0.0, kw_only=True)

    def happen(self, world: World) -> None:
        """Carry out the step."""
        raise NotImplementedError

    def _teller(self, world: World) -> Tell:
        return world.teller(self.fates)


@dataclass(frozen=True)
class Run(Step):
    """A container is created and started."""

    name: str
    recipe: Recipe
    gap: float = 0.0

    def happen(self, world: World) -> None:
        box = world.engine.create(self.name, self.recipe, self._teller(world))
        if box is not None:
            world.start(box, self._teller(world), self.gap)


@dataclass(frozen=True)
class Named(Step):
    """A step for the container of a name, if there is one and it is not being started."""

    name: str

    def happen(self, world: World) -> None:
        box = world.engine.named(self.name)
        if box is not None and not box.starting:
            self.befall(world, box)

    def befall(self, world: World, box: Box) -> None:
        """Carry out the step on this container."""
        raise NotImplementedError


@dataclass(frozen=True)
class Start(Named):
    """It is started or restarted. The start may fail."""

    gap: float = 0.0
    fails: bool = False
    twice: bool = False

    def befall(self, world: World, box: Box) -> None:
        world.engine.stop(box, self._teller(world))
        world.start(box, self._teller(world), self.gap, self.fails, self.twice)


@dataclass(frozen=True)
class Stop(Named):
    """Its process ends."""

    def befall(self, world: World, box: Box) -> None:
        world.engine.stop(box, self._teller(world))


@dataclass(frozen=True)
class Remove(Named):
    """It is removed by force."""

    def befall(self, world: World, box: Box) -> None:
        world.engine.remove(box, self._teller(world))


@dataclass(frozen=True)
class Relabel(Named):
    """It is recreated with other labels, as Compose does: under another name first."""

    wants: tuple[str, ...] = ()
    names: str = ""

    def befall(self, world: World, box: Box) -> None:
        tell = self._teller(world)
        fresh = world.engine.create("recreated", replace(box.recipe, wants=self.wants, names=self.names), tell)
        if fresh is None:
            return
        world.engine.remove(box, tell)
        world.engine.rename(fresh, self.name, tell)
        world.start(fresh, tell, 0.01)


@dataclass(frozen=True)
class Rename(Named):
    """It gets another name."""

    new: str = ""

    def befall(self, world: World, box: Box) -> None:
        world.engine.rename(box, self.new, self._teller(world))


@dataclass(frozen=True)
class Swap(Named):
    """Two containers are stopped, and started in the other order: each may get the other's address."""

    other: str = ""

    def befall(self, world: World, box: Box) -> None:
        other = world.engine.named(self.other)
        if other is None or other.starting or other is box:
            return
        tell = self._teller(world)
        first, second = sorted((box, other), key=lambda each: max(each.addresses, default=""))
        for each in (first, second):
            world.engine.stop(each, tell)
        for each in (second, first):
            world.start(each, tell, 0.01)


@dataclass(frozen=True)
class Supplant(Named):
    """It is stopped. Another one starts at once and gets its address. Only the first one's events have fates."""

    other: str = ""

    def befall(self, world: World, box: Box) -> None:
        other = world.engine.named(self.other)
        if other is None or other.starting or other is box:
            return
        world.engine.stop(other, world.teller(("ok",)))
        world.engine.stop(box, self._teller(world))
        world.start(other, world.teller(("ok",)), 0.04)


@dataclass(frozen=True)
class Connect(Named):
    """It is connected to one more network."""

    network: str = "back"
    alias: str = ""

    def befall(self, world: World, box: Box) -> None:
        if not box.running:  # there is no event
            world.circumstances.calm = world.circumstances.informed = False
        world.engine.connect(box, self.network, self.alias, self._teller(world))


@dataclass(frozen=True)
class Disconnect(Named):
    """It is disconnected from a network."""

    network: str = "front"

    def befall(self, world: World, box: Box) -> None:
        if not box.running:
            world.circumstances.calm = world.circumstances.informed = False
        world.engine.disconnect(box, self.network, self._teller(world))


@dataclass(frozen=True)
class Examine(Named):
    """Its healthcheck has this result."""

    health: str = "healthy"

    def befall(self, world: World, box: Box) -> None:
        world.engine.examine(box, self.health, self._teller(world))


@dataclass(frozen=True)
class Edit(Named):
    """Its hosts file is edited."""

    how: str = "wipe"

    def befall(self, world: World, box: Box) -> None:
        world.engine.edit(box, self.how)
