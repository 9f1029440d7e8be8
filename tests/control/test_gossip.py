"""Overlay networks of a swarm are asked about while a subscriber needs it, in simulated time."""

import ipaddress
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import pytest
import trio
from trio.testing import MockClock

import hostwatch.control.gossip  # noqa: F401  # simulated time would not wait for the thread that loads it
from hostwatch.control.overlays import Overlays
from hostwatch.control.remotes import Remotes
from hostwatch.control.source import EngineError, GoneError
from hostwatch.core.gossip import Gossip
from hostwatch.core.model import Container, NetworkKey
from hostwatch.core.remote import RemoteEndpoint
from hostwatch.core.store.lister import FileKeys
from tests.core.build import ENGINE, STOPPED, UNKNOWN, box, desired_block, hosts, net, on, store, told
from tests.logged import logged

A, B = "10.250.0.1", "10.250.0.2"
MESH = net("mesh", "10.0.1.0/24", driver="overlay")
BACK, FRONT = net("back", "10.0.2.0/24", driver="overlay"), net("front", "10.0.3.0/24", driver="overlay")
WEB = box("web", on("mesh", "10.0.1.2"), labels=hosts("@{db.ip} db"))
LOCAL = box("db", on("mesh", "10.0.1.3"))
GONE = "Gone db: no running container here, and no other host has it"


def elsewhere(name: str, address: str) -> RemoteEndpoint:
    """A container of another node."""
    found = ipaddress.IPv4Address(address)
    return RemoteEndpoint(name, name, B, (name,), ipv4=found, network=MESH.key.id, network_name="mesh")


def answer(*endpoints: RemoteEndpoint, refused: tuple[str, ...] = (), nodes: tuple[str, ...] = (A, B)) -> Gossip:
    """What the engine tells."""
    found = {endpoint.id: endpoint for endpoint in endpoints}
    return Gossip(True, found, frozenset(nodes), frozenset({A}), refused=dict.fromkeys(refused, "no name"))


DB = elsewhere("db", "10.0.1.9")


class Swarm:
    """The engine, a store, and the loop between them."""

    def __init__(self, *known: Container) -> None:
        self.store = store(MESH, *known)
        self.remotes = Remotes(self.store, self._changed)
        self.overlays = Overlays(self, self.store, self.remotes)
        self.told: Gossip | Exception = answer()
        self.heard: frozenset[str] | None = frozenset({A, B})
        self.is_away = False
        self.has_others = True
        self.asked: list[float] = []
        self.causes: list[str] = []

    async def gossip(self, network: NetworkKey) -> Gossip:
        """Note the question, and answer."""
        if network != MESH.key:
            return answer()
        self.asked.append(anyio.current_time())
        if isinstance(self.told, Exception):
            raise self.told
        return self.told

    async def ping(self) -> None:
        """Whether the engine answers at all."""
        if self.is_away:
            raise EngineError("no engine")

    async def nodes(self) -> frozenset[str] | None:
        """The nodes that are heard."""
        return self.heard

    async def has_other_nodes(self) -> bool:
        """Whether the swarm has other nodes."""
        return self.has_others

    def _changed(self, files: FileKeys, cause: str) -> None:
        self.causes.append(cause)
        self.overlays.look(files)

    def put(self, *containers: Container) -> None:
        """Take in containers of this host, as the informer does."""
        for container in containers:
            self._changed(self.store.put(container), "event")

    def within(self, seconds: float) -> int:
        """The number of questions in the last seconds."""
        return sum(1 for moment in self.asked if moment > anyio.current_time() - seconds)

    @property
    def records(self) -> list[str]:
        """The outcomes in the subscriber's file."""
        return told(self.store, "web")

    @property
    def fault(self) -> str:
        """The fault that is reported."""
        return self.remotes.states["overlay:mesh"].fault


def lived(made: Swarm, *acts: Callable[[Swarm], Awaitable[None]]) -> None:
    """Run the loop for as long as the acts take."""

    async def live() -> None:
        await made.remotes.identified(ENGINE)
        async with anyio.create_task_group() as tasks:
            made.overlays.begin(tasks)
            for act in acts:
                await act(made)
            tasks.cancel_scope.cancel()

    trio.run(live, clock=MockClock(autojump_threshold=0))


def after(seconds: float) -> Callable[[Swarm], Awaitable[None]]:
    """Some time goes by."""

    async def act(_made: Swarm) -> None:
        await trio.sleep(seconds)

    return act


def test_without_a_subscriber_on_such_a_network_nothing_runs() -> None:
    async def act(made: Swarm) -> None:
        alone = trio.lowlevel.current_statistics().tasks_living
        made.put(box("other", on("mesh", "10.0.1.4")), replace(WEB, endpoints=(on("front", "10.1.0.2"),)))
        await trio.sleep(1000)
        assert (made.asked, trio.lowlevel.current_statistics().tasks_living) == ([], alone)
        made.put(WEB)
        await trio.sleep(1)
        assert made.asked
        made.store.drop(WEB.key)
        made.put(box("web", on("front", "10.1.0.2"), labels=WEB.labels))
        await trio.sleep(1)
        assert (made.remotes.states, trio.lowlevel.current_statistics().tasks_living) == ({}, alone)

    lived(Swarm(), act)


def test_nothing_of_it_is_loaded_before() -> None:
    names = ("control.gossip", "control.hearing", "docker.decode.gossip")
    script = f"import sys, hostwatch.app; print([n for n in {names} if 'hostwatch.' + n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_name_that_only_another_node_answers_is_asked_for_all_the_time() -> None:
    """Before and after it is there: otherwise nobody would see that it moves."""

    async def act(made: Swarm) -> None:
        assert made.records == [GONE]
        for address in ("10.0.1.9", "10.0.1.10"):
            made.told = answer(replace(DB, ipv4=ipaddress.IPv4Address(address)))
            await trio.sleep(0.3)
            assert made.records == [f"{address} db"]
            await trio.sleep(10)
            assert 39 <= made.within(10) <= 41
        made.told = answer()
        await trio.sleep(0.3)
        assert made.records == [GONE]

    lived(Swarm(WEB), after(0.01), act)


def test_a_name_of_this_host_is_not_asked_for() -> None:
    """Until this host has it no more; then it is asked for at once."""

    async def act(made: Swarm) -> None:
        made.told = answer(DB)
        await trio.sleep(299)
        assert len(made.asked) == 1
        for number in range(100):
            made.put(box(f"other{number}", on("mesh", f"10.0.1.{100 + number}")))
            await trio.sleep(0.01)
        assert len(made.asked) <= 2
        await trio.sleep(10)
        asked = len(made.asked)
        made.store.drop(LOCAL.key)
        made.overlays.look()
        await trio.sleep(0.01)
        assert len(made.asked) == asked + 1
        made.store.yield_names(LOCAL.key)
        assert made.records == ["10.0.1.9 db"]
        await trio.sleep(10)
        assert 39 <= made.within(10) <= 41

    lived(Swarm(WEB, LOCAL), after(0.01), act)


def test_names_are_unknown_until_the_first_answer() -> None:
    """A node that is not on the network yet, as no container of its own runs there, has none."""

    async def act(made: Swarm) -> None:
        assert made.records[0].startswith("Unknown")
        await trio.sleep(100)
        assert 90 <= made.within(100) <= 110
        made.told = answer(DB)
        made.put(replace(WEB, hostname="web"))  # any event
        await trio.sleep(0.06)
        assert made.records == ["10.0.1.9 db"]
        await trio.sleep(10)
        assert 39 <= made.within(10) <= 41

    made = Swarm(WEB)
    made.told = replace(answer(), is_joined=False)
    lived(made, after(0.01), act)


def test_they_are_unknown_from_the_moment_of_the_first_subscriber() -> None:
    """Or a file that is decided before the first question would lose its lines: each step here comes before it."""

    async def act(made: Swarm) -> None:
        made.put(WEB)
        assert (made.records, made.asked) == (["Unknown db: what other hosts have is not known yet"], [])
        made.store.put_network(BACK)
        made.put(box("back", on("back", "10.0.2.2"), labels=WEB.labels))
        assert told(made.store, "back") == ["Unknown db: what other hosts have is not known yet"]
        await trio.sleep(1)
        assert made.records == ["10.0.1.9 db"]
        made.store.put_network(FRONT)
        made.put(box("front", on("front", "10.0.3.2"), labels=WEB.labels))
        assert told(made.store, "front") == ["Unknown db: what other hosts have is not known yet"]

    made = Swarm()
    made.told = answer(DB)
    lived(made, act)


def test_a_network_that_vanishes_before_it_is_asked_about_is_not_awaited() -> None:
    async def act(made: Swarm) -> None:
        made.store.drop_network(MESH.key)
        made.overlays.look()
        await trio.sleep(1)
        assert (made.asked, made.store.remotes.are_awaited) == ([], False)
        made.store.put_network(MESH)
        made.overlays.look()
        await trio.sleep(0.01)
        assert made.records == ["10.0.1.9 db"]

    made = Swarm(WEB)
    made.told = answer(DB)
    lived(made, act)


class Watched(Swarm):
    """Notes what the subscriber's file gets at each change."""

    def __init__(self, *known: Container) -> None:
        super().__init__(*known)
        self.seen: set[str] = set()

    def _changed(self, files: FileKeys, cause: str) -> None:
        self.seen.update(self.records)
        super()._changed(files, cause)


def test_what_was_heard_long_ago_is_unknown() -> None:
    """Once nothing of this host is on the network. Lines stay, none is made, and a restart changes nothing."""

    async def act(made: Watched) -> None:
        memory = desired_block(made.store, WEB.key, {}, 0.0, 1.0).memory
        made.told = replace(answer(), is_joined=False)
        made.put(replace(WEB, state=STOPPED))
        made.seen.clear()
        await trio.sleep(10)
        assert (made.records, made.seen) == (["10.0.1.9 db"], set())
        await trio.sleep(3600)
        assert made.records == ["Unknown db: what other hosts have is not known yet"]
        assert made.seen == {"10.0.1.9 db", *made.records}  # never that it is gone
        assert (made.remotes.of("overlay:mesh"), made.remotes.states["overlay:mesh"].endpoints) == ({}, 0)
        made.put(replace(WEB, state=UNKNOWN))
        (line,) = desired_block(made.store, WEB.key, memory, 1e4, 1.0).block.records
        assert str(line.address) == "10.0.1.9"
        made.told = answer(replace(DB, ipv4=ipaddress.IPv4Address("10.0.1.10")))
        made.put(WEB)
        await trio.sleep(0.11)
        assert made.records == ["10.0.1.10 db"]

    made = Watched(WEB)
    made.told = answer(DB)
    lived(made, after(1), lambda _made: act(made))


def test_what_a_node_that_was_cut_off_knew_of_itself_grows_old_too() -> None:
    async def act(made: Swarm) -> None:
        assert made.remotes.of("overlay:mesh").keys() == {"own"}
        made.told = replace(answer(), is_joined=False)
        made.put(replace(WEB, state=STOPPED))
        await trio.sleep(100)
        assert (made.remotes.of("overlay:mesh"), made.fault) == ({}, "")
        assert made.records == ["Unknown db: what other hosts have is not known yet"]

    made = Swarm(WEB)
    made.heard = frozenset({A})
    made.told = answer(replace(elsewhere("own", "10.0.1.4"), host=A), nodes=(A,))
    lived(made, after(1), act)


def test_a_network_on_which_nothing_runs_is_asked_for_at_a_start() -> None:
    """At each change of a subscriber there, and otherwise rarely, whatever happens elsewhere."""

    async def act(made: Swarm) -> None:
        await trio.sleep(3630)
        assert 110 <= made.within(3600) <= 125
        asked = len(made.asked)
        for number in range(100):
            made.put(box("other", on("front", f"10.1.0.{number}")))
            await trio.sleep(0.1)
        assert len(made.asked) <= asked + 1
        asked = len(made.asked)
        made.overlays.look(frozenset({WEB.key}))  # the engine tells that it is connected
        await trio.sleep(0.001)
        assert len(made.asked) == asked + 1
        made.put(replace(WEB, state=UNKNOWN))
        await trio.sleep(0.06)
        assert len(made.asked) == asked + 2
        await trio.sleep(10)
        assert 9 <= made.within(10) <= 12
        made.told = answer(DB)
        made.put(WEB)
        await trio.sleep(0.06)
        assert made.records == ["10.0.1.9 db"]

    made = Swarm(replace(WEB, state=STOPPED))
    made.told = replace(answer(), is_joined=False)
    lived(made, after(0.01), act)


def test_an_engine_that_does_not_answer_changes_nothing() -> None:
    async def act(made: Swarm) -> None:
        for error in (EngineError("the engine answered 500"), GoneError("network mesh not found")):
            made.told = error
            await trio.sleep(100)
            assert (made.records, made.remotes.states["overlay:mesh"].is_up) == (["10.0.1.9 db"], False)
            assert str(error) in made.fault
            assert 2 <= made.within(100) <= 20
            made.told = answer(DB)
            made.put(box(str(error), on("front", "10.1.0.3")))  # the engine is back
            await trio.sleep(0.3)
            assert (made.remotes.states["overlay:mesh"].is_up, made.fault) == (True, "")

    made = Swarm(WEB)
    made.told = answer(DB)
    with logged() as lines:
        lived(made, after(1), act)
    assert sum("the engine does not tell" in line for line in lines) == 2
    assert sum("known again" in line for line in lines) == 2


def test_an_engine_that_is_away_is_told_by_others() -> None:
    """The log has one line for a lost engine."""

    async def act(made: Swarm) -> None:
        made.told, made.is_away = EngineError("no engine"), True
        await trio.sleep(10)
        assert (made.records, made.remotes.states["overlay:mesh"].is_up) == (["10.0.1.9 db"], False)
        made.told, made.is_away = answer(DB), False
        await trio.sleep(60)
        assert made.remotes.states["overlay:mesh"].is_up

    made = Swarm(WEB)
    made.told = answer(DB)
    with logged() as lines:
        lived(made, after(1), act)
    assert lines == []


def test_a_task_of_this_host_that_ends_on_its_only_node_is_gone() -> None:
    """This node is heard, whoever else is."""

    async def act(made: Swarm) -> None:
        made.told = answer(nodes=(A,))
        await trio.sleep(0.3)
        assert (made.records, made.fault) == ([GONE], "")

    made = Swarm(WEB)
    made.heard, made.has_others = frozenset({A}), False
    made.told = answer(replace(DB, host=A), nodes=(A,))
    lived(made, after(1), act)


def test_a_node_that_is_cut_off_from_the_beginning_knows_nothing_of_others() -> None:
    """So names in the files stay, until another node is heard. What this node has itself is known."""

    async def act(made: Swarm) -> None:
        await trio.sleep(100)
        assert made.records == ["Unknown db: what other hosts have is not known yet"]
        assert not made.remotes.states["overlay:mesh"].is_up
        assert "no other node of the swarm has been heard yet" in made.fault
        assert made.remotes.of("overlay:mesh").keys() == {"own"}
        made.told, made.heard = answer(), frozenset({A, B})
        await trio.sleep(1)
        assert (made.records, made.fault) == ([GONE], "")

    made = Swarm(WEB)
    made.heard = frozenset({A})
    made.told = answer(replace(elsewhere("own", "10.0.1.4"), host=A), nodes=(A,))
    with logged() as lines:
        lived(made, after(1), act)
    assert len([line for line in lines if "overlay network mesh" in line]) == 2


def test_a_node_that_is_cut_off_keeps_what_it_knew() -> None:
    """Although an answer may lack some endpoints of a node, and still have the node itself."""

    async def act(made: Swarm) -> None:
        made.told, made.heard = answer(), frozenset({A})
        await trio.sleep(0.3)
        assert made.records == ["10.0.1.9 db"]
        made.told, made.heard = answer(nodes=(A,)), frozenset({A})
        await trio.sleep(1000)
        assert (made.records, made.remotes.states["overlay:mesh"].is_up) == (["10.0.1.9 db"], False)
        assert B in made.fault
        assert all(endpoint.is_kept for endpoint in made.remotes.of("overlay:mesh").values())
        made.told, made.heard = answer(), frozenset({A, B})
        await trio.sleep(1)
        assert made.records == ["10.0.1.9 db"]
        await trio.sleep(15)
        assert (made.records, made.fault) == ([GONE], "")

    made = Swarm(WEB)
    made.told = answer(DB)
    lived(made, after(1), act)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_node_that_is_removed_from_the_swarm_takes_its_names_along(is_known: bool) -> None:
    """By an operator, as it is gone for good. Else a node that hears no other one would keep them without end."""

    async def act(made: Swarm) -> None:
        made.told, made.heard = answer(nodes=(A,)), frozenset({A})
        await trio.sleep(100)
        assert made.records == (["10.0.1.9 db"] if is_known else ["Unknown db: what other hosts have is not known yet"])
        assert "docker node rm" in made.fault
        made.has_others = False
        await trio.sleep(45)
        assert (made.records, made.fault) == ([GONE], "")
        assert made.remotes.states["overlay:mesh"].is_up

    made = Swarm(WEB)
    made.told = answer(DB) if is_known else answer(nodes=(A,))
    made.heard = frozenset({A, B} if is_known else {A})
    with logged() as lines:
        lived(made, after(1), act)
    assert len([line for line in lines if "overlay network mesh" in line]) == 2


def test_a_node_that_leaves_the_network_in_order_leaves_nothing() -> None:
    """It is heard, but not on this network any more. Where the engine cannot say, its names stay a little."""

    async def act(made: Swarm) -> None:
        made.told = answer(nodes=(A,))
        await trio.sleep(0.3)
        assert made.records == [GONE]
        made.told = answer(DB)
        await trio.sleep(0.3)
        made.told, made.heard = answer(nodes=(A,)), None
        await trio.sleep(20)
        assert made.records == ["10.0.1.9 db"]
        await trio.sleep(20)
        assert (made.records, made.fault) == ([GONE], "")

    made = Swarm(WEB)
    made.told = answer(DB)
    lived(made, after(1), act)


def test_a_network_that_vanishes_takes_its_names_along() -> None:
    async def act(made: Swarm) -> None:
        made.store.drop_network(MESH.key)
        made.overlays.look()
        await trio.sleep(1)
        assert (made.remotes.of("overlay:mesh"), made.remotes.states) == ({}, {})
        asked = len(made.asked)
        await trio.sleep(1000)
        assert len(made.asked) == asked
        made.store.put_network(MESH)
        made.overlays.look()
        await trio.sleep(0.01)
        assert made.records == ["10.0.1.9 db"]

    made = Swarm(WEB)
    made.told = answer(DB)
    lived(made, after(1), act)


def test_what_is_refused_is_told_once() -> None:
    async def act(made: Swarm) -> None:
        made.told = answer(refused=("container a b", "container c d"))
        await trio.sleep(1)

    made = Swarm(WEB)
    made.told = answer(refused=("container a b",))
    with logged() as lines:
        lived(made, after(1), act)
    assert [sum(word in line for line in lines) for word in ("a b", "c d")] == [1, 1]


def test_thousands_that_are_refused_are_counted() -> None:
    """To tell of each would take the host's own files their turn, and fill the log."""
    made = Swarm(WEB)
    made.told = answer(refused=tuple(f"container no {number}" for number in range(5_000)))
    with logged() as lines:
        lived(made, after(1))
    told_of = [line for line in lines if "refused" in line or "container no" in line]
    assert len(told_of) == 21
    assert "overlay network mesh: 4980 more entries are refused" in told_of[-1]


def test_a_large_network_is_asked_more_slowly() -> None:
    async def act(made: Swarm) -> None:
        assert 9 <= made.within(10) <= 11

    made = Swarm(WEB)
    made.told = answer(*(replace(DB, id=f"e{number}") for number in range(800)))
    lived(made, after(20), act)
