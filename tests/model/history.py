"""What may happen, one step at a time, and how a random history of it is made."""

import operator
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from hostwatch.core.model import EngineId
from tests.model.daemon import RESYNC_SECONDS
from tests.model.engine import Box, Recipe, Tell
from tests.model.oracle import LINGER_SECONDS, Configuration
from tests.model.source import FATES, REQUESTS
from tests.model.world import World

NAMES = ("db", "web", "api", "tmp")
WANTED = ("db", "cache", "conf")
NETWORKS = ("front", "back", "bridge")
PAUSES = (9.0, 0.0, 0.005, 0.3, 3.0, 9.0, 25.0)
"""Seconds between two steps; 9 are enough for all that is under way, 25 are a good part of a resync."""


@dataclass(frozen=True)
class Step:
    """Something happens, the events of it have their fates, and then some time passes."""

    fates: tuple[str, ...] = field(default=("ok",), kw_only=True)
    pause: float = field(default=0.0, kw_only=True)

    def happen(self, world: World) -> None:
        """Have it happen."""
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
    """Something happens to the container of a name, if there is one and it is not being started."""

    name: str

    def happen(self, world: World) -> None:
        box = world.engine.named(self.name)
        if box is not None and not box.starting:
            self.befall(world, box)

    def befall(self, world: World, box: Box) -> None:
        """Have it happen to this container."""
        raise NotImplementedError


@dataclass(frozen=True)
class Start(Named):
    """It is started, or restarted; perhaps in vain."""

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
    """It is recreated with other labels, as compose does it: under another name first."""

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
    """Two are stopped, and started in the other order: each may get the other's address."""

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
    """It is stopped, and at once another one is started and gets its address; only the first one's events are fated."""

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
        if not box.running:  # nothing is told
            world.calm = world.informed = False
        world.engine.connect(box, self.network, self.alias, self._teller(world))


@dataclass(frozen=True)
class Disconnect(Named):
    """It is disconnected from a network."""

    network: str = "front"

    def befall(self, world: World, box: Box) -> None:
        if not box.running:
            world.calm = world.informed = False
        world.engine.disconnect(box, self.network, self._teller(world))


@dataclass(frozen=True)
class Examine(Named):
    """Its healthcheck says this."""

    health: str = "healthy"

    def befall(self, world: World, box: Box) -> None:
        world.engine.examine(box, self.health, self._teller(world))


@dataclass(frozen=True)
class Edit(Named):
    """Somebody edits its hosts file."""

    how: str = "wipe"

    def befall(self, world: World, box: Box) -> None:
        world.engine.edit(box, self.how)


@dataclass(frozen=True)
class Away(Step):
    """The engine goes away, or comes back."""

    how: str = ""

    def happen(self, world: World) -> None:
        world.source.go(self.how)


@dataclass(frozen=True)
class Refuse(Step):
    """Inspections of a container fail with a 500, and an event of before has it inspected."""

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
        world.slowest = max(world.slowest, self.seconds)


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
    """The path of the engine's directory leads to another one with the same files, be it the first."""

    def happen(self, world: World) -> None:
        world.calm = False  # what is written before it is watched anew is found out a moment later
        world.directory.come()


@dataclass(frozen=True)
class Overflow(Step):
    """The kernel's queue of changes of files runs over: those of so many seconds are lost, which is found out then."""

    seconds: float = 0.0

    def happen(self, world: World) -> None:
        world.tasks.start_soon(world.overflow, self.seconds)


@dataclass(frozen=True)
class Become(Step):
    """The engine says that it is another one, with the same containers."""

    identity: str

    def happen(self, world: World) -> None:
        world.calm = world.informed = False
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
    """All faults end, hostwatch runs, and there is time for a resync: from then on it has missed nothing."""

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


_NAME = st.sampled_from(NAMES)
_ASKING = st.sampled_from(["web", "api"])
_SERVING = st.sampled_from(["db", "db", "tmp"])
_OK: tuple[str, ...] = ("ok",)
_FATES = st.sampled_from([_OK, _OK, _OK]) | st.lists(st.sampled_from(FATES), min_size=1, max_size=3).map(tuple)
_ALIAS = st.sampled_from(["", "", "db", "cache"])
_WANTS = st.lists(st.sampled_from(WANTED), unique=True, min_size=1, max_size=2).map(tuple)
_PLACE = st.tuples(st.sampled_from(NETWORKS), _ALIAS)
_PLACES = st.lists(_PLACE, unique_by=lambda place: place[0], max_size=2).map(tuple)
_AT_FRONT = _ALIAS.map(lambda alias: (("front", alias),))
_PROJECTS = st.sampled_from(["", "", "", "p/db", "p/cache", "q/db"])
_SERVICES = st.builds(
    Recipe,
    networks=_AT_FRONT | _AT_FRONT | _PLACES,
    mode=st.sampled_from([""] * 6 + ["host", *(f"container:{name}" for name in NAMES[:2])]),
    names=st.sampled_from(["", "", "cache", "db"]),
    compose=_PROJECTS,
    label=st.sampled_from(["", "", "conf"]),
    only=st.sampled_from(["", "", "", "", "back"]),
    checked=st.sampled_from([False, False, False, True]),
)
_SUBSCRIBERS = st.builds(
    Recipe,
    networks=_AT_FRONT | _AT_FRONT | _PLACES,
    mode=st.sampled_from([""] * 6 + ["host", "container:db"]),
    wants=st.just(("db", "cache")) | _WANTS,
    compose=_PROJECTS,
    notified=st.booleans(),
    shadows=st.sampled_from([False, False, False, True]),
)
_GAPS = st.sampled_from([0.04, 0.0, 1.0, 8.0])
_CONFIGURATIONS = st.builds(
    Configuration,
    has_service=st.booleans(),
    subscriber=st.sampled_from(["", "api", "web", "db"]),
    lines=_WANTS,
    linger_seconds=st.sampled_from([LINGER_SECONDS, 0.0]),
)
_MORE = {"fates": _FATES, "pause": st.sampled_from(PAUSES)}
_RUNS = st.builds(Run, _ASKING, _SUBSCRIBERS, _GAPS, **_MORE) | st.builds(Run, _SERVING, _SERVICES, _GAPS, **_MORE)
_DB, _WEB = Run("db", Recipe()), Run("web", Recipe(wants=("db", "cache"), notified=True), pause=9.0)
_SCENES = st.sampled_from(
    [
        [_DB, Run("tmp", Recipe(names="cache")), _WEB],
        [_DB, _WEB, Stop("db", pause=9.0)],
        [_WEB],
        [],
    ]
)
"""How a history may begin."""


def _happenings() -> st.SearchStrategy[Step]:
    starts = st.builds(Start, _SERVING | _NAME, _GAPS, st.booleans(), st.booleans(), **_MORE)
    moves = st.builds(Connect, _NAME, st.sampled_from(NETWORKS), _ALIAS, **_MORE)
    return st.one_of(
        _RUNS,
        _RUNS,
        starts,
        starts,
        st.builds(Stop, _NAME, **_MORE),
        st.builds(Remove, _NAME, **_MORE),
        st.builds(Relabel, _NAME, _WANTS, st.sampled_from(["", "cache", "db"]), **_MORE),
        st.builds(Rename, _NAME, _NAME, **_MORE),
        st.builds(Swap, _NAME, _NAME, **_MORE),
        st.builds(Supplant, _SERVING, _NAME, fates=st.just(("lost",)) | _FATES, pause=st.sampled_from(PAUSES)),
        moves,
        st.builds(Disconnect, _NAME, st.sampled_from(NETWORKS), **_MORE),
        st.builds(Examine, _NAME, st.sampled_from(["healthy", "healthy", "unhealthy"]), **_MORE),
        st.builds(Hup, _CONFIGURATIONS, **_MORE),
        st.builds(Edit, _NAME, st.sampled_from(["wipe", "unmark", "lie", "shadow", "forge"]), **_MORE),
    )


def _troubles() -> st.SearchStrategy[Step]:
    return st.one_of(
        st.builds(Away, st.sampled_from(["cut", "hung", "", ""]), **_MORE),
        st.builds(Refuse, _SERVING | _NAME, **_MORE),
        st.builds(Slow, _NAME | st.sampled_from(REQUESTS), st.sampled_from([0.05, 2.0, 20.0]), **_MORE),
        st.builds(Stuck, _NAME, **_MORE),
        st.builds(Full, **_MORE),
        st.builds(Hide, **_MORE),
        st.builds(Show, **_MORE),
        st.builds(Overflow, st.sampled_from([0.0, 0.01, 0.5]), **_MORE),
        st.builds(Become, st.sampled_from(["simulated", "another"]), **_MORE),
        st.builds(Heal, **_MORE),
        st.builds(Rest, pause=st.just(RESYNC_SECONDS + 35.0)),
        st.builds(Rest, pause=st.just(RESYNC_SECONDS + 35.0)),
        st.builds(Kill, **_MORE),
        st.builds(Again, **_MORE),
    )


def histories(steps: int) -> st.SearchStrategy[list[Step]]:
    """Histories of at most so many steps; one in four or so is trouble."""
    usual = _happenings()
    each = st.one_of(usual, usual, usual, _troubles())
    short, long = (st.lists(each, min_size=least, max_size=steps) for least in (1, steps // 2))
    return st.builds(operator.add, _SCENES, short | long | long)
