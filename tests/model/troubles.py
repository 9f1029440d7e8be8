"""The steps of a history that are troubles, or that concern hostwatch itself."""

from dataclasses import dataclass

from hostwatch.core.model import EngineId
from tests.model.box import Box
from tests.model.oracle import Configuration
from tests.model.steps import Named, Step
from tests.model.world import World


@dataclass(frozen=True)
class Away(Step):
    """The engine goes away, or comes back."""

    how: str = ""

    def happen(self, world: World) -> None:
        world.source.go(self.how)


@dataclass(frozen=True)
class Refuse(Step):
    """Inspections of a container fail with a 500, and a repeated event has it inspected."""

    name: str

    def happen(self, world: World) -> None:
        world.source.faults.refused.setdefault(self.name, world.now)
        if (box := world.engine.named(self.name)) is not None and box.running:
            world.engine.tell_again(box, self._teller(world))


@dataclass(frozen=True)
class Slow(Step):
    """Inspections of a container, or the answers to another kind of request, take long."""

    name: str
    seconds: float

    def happen(self, world: World) -> None:
        world.source.faults.slow[self.name] = self.seconds
        world.circumstances.slowest = max(world.circumstances.slowest, self.seconds)


@dataclass(frozen=True)
class Stuck(Named):
    """Its hosts file cannot be written."""

    def befall(self, world: World, box: Box) -> None:
        world.source.faults.stuck_files.add(box.id)


@dataclass(frozen=True)
class Full(Step):
    """The disk is full: no hosts file can be written."""

    def happen(self, world: World) -> None:
        world.source.faults.is_disk_full = True


@dataclass(frozen=True)
class Hide(Step):
    """The engine's directory goes out of hostwatch's sight."""

    def happen(self, world: World) -> None:
        world.directory.go()


@dataclass(frozen=True)
class Show(Step):
    """The path of the engine's directory leads to another one, with the same files."""

    def happen(self, world: World) -> None:
        world.circumstances.healed = world.circumstances.seen_again = world.now
        world.directory.come()


@dataclass(frozen=True)
class Occupy(Step):
    """Another hostwatch takes the lock on the engine's directory, unless ours holds it."""

    def happen(self, world: World) -> None:
        if world.hostwatch is None or world.directory.is_gone:
            world.directory.keep_elsewhere()


@dataclass(frozen=True)
class Vacate(Step):
    """The other hostwatch ends."""

    def happen(self, world: World) -> None:
        world.circumstances.healed = world.circumstances.seen_again = world.now
        world.directory.let_go()


@dataclass(frozen=True)
class Overflow(Step):
    """The kernel's queue of file changes overflows: hostwatch loses those of so many seconds, and learns of it then."""

    seconds: float = 0.0

    def happen(self, world: World) -> None:
        world.tasks.start_soon(world.overflow, self.seconds)


@dataclass(frozen=True)
class Become(Step):
    """The engine tells another identity, and has the same containers."""

    identity: str

    def happen(self, world: World) -> None:
        world.circumstances.calm = world.circumstances.informed = False
        world.source.become(EngineId(self.identity))


@dataclass(frozen=True)
class Hup(Step):
    """The configuration changes, and hostwatch is sent SIGHUP."""

    configuration: Configuration

    def happen(self, world: World) -> None:
        world.adopt(self.configuration)


@dataclass(frozen=True)
class Heal(Step):
    """All faults end."""

    def happen(self, world: World) -> None:
        world.heal()


@dataclass(frozen=True)
class Rest(Heal):
    """All faults end, hostwatch runs, and there is time for a resync: after it nothing counts as missed."""

    def happen(self, world: World) -> None:
        super().happen(world)
        world.run_again()


@dataclass(frozen=True)
class Kill(Step):
    """hostwatch is killed."""

    def happen(self, world: World) -> None:
        world.kill()


@dataclass(frozen=True)
class Again(Step):
    """hostwatch is started again, if it does not run."""

    def happen(self, world: World) -> None:
        world.run_again()
