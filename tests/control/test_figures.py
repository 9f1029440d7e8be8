"""What is counted and measured: every label is there from the start, and says what the log and `status` say."""

import math
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from hostwatch.control.causes import GARBAGE_COLLECTION
from hostwatch.control.comparison import Comparison
from hostwatch.control.figures import BOUNDS_SECONDS, Durations, EventFigures, Figures, FileFigures
from hostwatch.control.gauges import Gauges, measured
from hostwatch.control.informer.connection import Connection
from hostwatch.control.journal import ChangeJournal
from hostwatch.control.reconcile import plan, record
from hostwatch.control.reconcile.state import FileState, Phase
from hostwatch.control.standing import Standing
from hostwatch.control.status import state as status
from hostwatch.control.writers import FileFailedError, FileGoneError, FileRefusedError, FileUpdate
from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import State
from hostwatch.core.remote import RemoteEndpoint, remote_container, remote_key
from hostwatch.core.resolve.linger import Desired
from hostwatch.core.rules import Rules, Writer
from hostwatch.docker.events import _FILTERS as ASKED_FOR
from tests.control.memory import recorder
from tests.control.room import RIGHT as TEXT
from tests.control.room import Deaf, Room
from tests.core.build import ENGINE, RUNNING, STOPPED, UNKNOWN, box, hosts, ip, key, on, service, store

OURS = Block((Record(ip("10.0.0.5"), ("db",)),), (Withheld("@{mq.ip} mq", "mq: no running container"),))
THEIRS = Block((Record(ip("10.9.9.9"), ("db",)),))
RIGHT = FileState(Phase.IN_SYNC, None, Desired(OURS, {}, frozenset(), None), OURS)


def observation(state: FileState, of: State = RUNNING, *causes: str) -> plan.Observation:
    """A subscriber's file in this state."""
    web = box("web", on("front", "10.0.0.6"), labels=hosts("192.0.2.1 fixed"), state=of)
    return plan.observe(store(web), plan.File(web), state, None, plan.Moment(0.0, 0.0, causes))


def test_all_labels_are_there_before_anything_happens() -> None:
    """A rate is known from the first event on. Each action that is asked for has a label of its own."""
    figures = Figures()
    assert set(figures.of_events.events.values()) == {0}
    assert {result.value for result in figures.of_files.writes} == {"written", "failed", "refused"}
    assert {result.value for result in figures.notifications} == {"delivered", "failed", "given_up"}
    told = {"died": "die", "remove": "destroy"}
    of_containers = {action for kind, action in figures.of_events.events if kind == "container"}
    assert of_containers == {told.get(action, action) for action in ASKED_FOR["event"]} | {"other"}


def test_an_action_that_is_not_on_the_list_is_counted_as_another_one() -> None:
    """A container chooses the words of some actions (`exec_create: …`)."""
    figures = EventFigures()
    known = set(figures.events)
    for action in ("start", "start", 'exec_create: "}\n', ""):
        figures.count("container", action)
    figures.count("network", "start")
    assert set(figures.events) == known
    assert {labels: count for labels, count in figures.events.items() if count} == {
        ("container", "start"): 2,
        ("container", "other"): 2,
        ("network", "other"): 1,
    }


def test_a_duration_is_counted_up_to_each_bound_that_is_not_shorter() -> None:
    """A bound itself belongs to its interval, as Prometheus has it."""
    durations = Durations()
    for seconds in (0.0, 0.0005, 0.0006, 29.9, 31.0, math.inf):
        durations.add(seconds)
    assert len(durations.cumulated) == len(BOUNDS_SECONDS) + 1
    assert durations.cumulated[:2] == [2, 3]
    assert durations.cumulated[-2:] == [4, 6]
    assert durations.total_seconds == math.inf


@pytest.mark.parametrize(
    ("state", "of", "cause", "update", "heals"),
    [
        (RIGHT, RUNNING, "the file was changed", FileUpdate(b"theirs", b"ours"), True),
        (RIGHT, RUNNING, "resync", FileUpdate(b"theirs", b"ours"), True),
        (RIGHT._replace(phase=Phase.CONTESTED), RUNNING, "the file was changed", FileUpdate(b"theirs", b"ours"), True),
        (RIGHT, RUNNING, "start db", FileUpdate(b"as we left it", b"ours", as_seen=True), False),
        (RIGHT, UNKNOWN, "the file was changed", FileUpdate(b"the engine's", b"ours"), False),
        (RIGHT._replace(phase=Phase.REBUILT), UNKNOWN, "start web", FileUpdate(b"the engine's again", b"ours"), False),
        (RIGHT._replace(block=THEIRS), RUNNING, "start db", FileUpdate(b"old", b"ours"), False),
        (FileState(), RUNNING, "resync", FileUpdate(b"of an earlier run", b"ours"), False),
        (RIGHT.started(), RUNNING, "start web", FileUpdate(b"the engine's", b"ours"), False),
    ],
    ids=[
        "drift",
        "at a resync",
        "contested",
        "a new record",
        "rebuilt",
        "rebuilt again",
        "not as it was",
        "first look",
        "restarted",
    ],
)
def test_drift_is_what_somebody_else_made_of_a_right_file(
    state: FileState, of: State, cause: str, update: FileUpdate, *, heals: bool
) -> None:
    """Neither what hostwatch changes itself, nor what the engine writes at a start."""
    compared = record.recorded(observation(state, of, cause), update, THEIRS, OURS, 0.001).comparison
    assert compared is not None
    assert compared.heals_drift is heals


def test_a_failure_says_what_is_counted() -> None:
    """A file that is gone is no failure: its container has ended."""
    errors = (FileFailedError("busy"), FileRefusedError("a mount"), FileGoneError("no file"))
    found = [record.failed(observation(RIGHT), error, 0.5).failure for error in errors]
    assert [failure.value if failure is not None else None for failure in found] == ["failed", "refused", None]


async def test_writes_are_counted_with_their_time_and_comparisons_are_not() -> None:
    """A comparison that changed only what is known of the file wrote nothing."""
    figures = FileFigures()
    journal = ChangeJournal(lambda: False, recorder(), figures)
    compared = Comparison(key("web"), "web", "start db", b"text", THEIRS, THEIRS, OURS, 0.004)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        journal.note(compared)
        journal.note(compared._replace(cause="drift", heals_drift=True, seconds=0.002))
        journal.note(compared._replace(text=None))
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert [count for count in figures.writes.values() if count] == [2]
    assert figures.updates.cumulated[-1] == 2
    assert figures.updates.total_seconds == pytest.approx(0.006)
    assert figures.drift_healed == 1


def standing(*, in_sync: bool, block: Block = OURS) -> Standing:
    """A subscriber's file."""
    return Standing(box("web"), Path("/nowhere"), Writer.PATH, in_sync, None, block, {})


async def test_services_are_counted_as_status_lists_them() -> None:
    """Of the configuration, even without containers; of compose; a swarm's; single containers; those of other hosts
    among them. Not what is left alone."""
    made = store(
        box("db-1", on("front", "10.0.0.5")),
        box("db-2", on("front", "10.0.0.7")),
        box("shop-mq-1", compose="shop/mq"),
        box("shop-mq-2", compose="shop/mq", number=2),
        box("other-mq-1", compose="other/mq"),
        box("off", labels={"hostwatch.enable": "false"}),
        box("web.3.x", labels={"com.docker.swarm.service.name": "web"}),
        box("ended", state=STOPPED),
        rules=Rules(services=(service("db"), service("none"))),
    )
    for name, group in (("far", ""), ("web.1.x", "swarm:web"), ("web.2.x", "swarm:web"), ("db-3", "config:db")):
        endpoint = RemoteEndpoint(name, name, group=group)
        made.put_remote(place := remote_key(ENGINE, "cluster", name), remote_container(place, endpoint))
    files = [standing(in_sync=True), standing(in_sync=False), standing(in_sync=False, block=THEIRS)]
    found = await measured(made, files, is_engine_up=True)
    listed = (await status(None, made, []))["services"]
    assert len(listed) == 7
    assert [(each["name"], len(each["containers"])) for each in listed if each["name"] in ("db", "web", "mq")] == [
        *(("db", 3), ("mq", 1), ("mq", 2), ("web", 3))
    ]
    assert found == Gauges(is_engine_up=True, in_sync=1, out_of_sync=2, withheld=2, services=len(listed))


async def test_both_files_of_a_subscriber_count() -> None:
    """It is one subscriber, which is right if both files are; all withheld lines are counted."""
    right, wrong = standing(in_sync=True), standing(in_sync=False)
    both = [right._replace(resolv=right), right._replace(resolv=wrong), wrong._replace(resolv=right)]
    found = await measured(store(), both, is_engine_up=True)
    assert (found.in_sync, found.out_of_sync, found.withheld) == (1, 2, 6)


async def test_thousands_of_subscribers_are_counted_in_short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have their turn in between."""
    monkeypatch.setattr("hostwatch.control.turns._STEP_SECONDS", 0.0)
    made, turns = store(*(box(f"web-{number}") for number in range(1_000))), 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count_turns)
        found = await measured(made, (standing(in_sync=True) for _ in range(1_000)), is_engine_up=False)
        tasks.cancel_scope.cancel()
    assert (found.in_sync, found.services) == (1_000, 1_000)
    assert turns >= 1_900


async def test_the_figures_of_real_files(tmp_path: Path) -> None:
    """A first write, drift, a file that must not be kept, a block that nobody subscribes to any more."""
    room = Room(tmp_path, "web-1", "web-2")
    figures, (first, second) = room.figures.of_files, room.keys
    connection = Connection()
    async with anyio.create_task_group() as tasks:
        answers = room.answers(connection)
        assert await answers.gauges() == Gauges(
            is_engine_up=False, in_sync=0, out_of_sync=0, withheld=0, services=len([*room.store.containers])
        )
        answers.reconcilers = room.reconcilers(tasks)
        tasks.start_soon(answers.reconcilers.hosts.run, Deaf())

        async def compared(cause: str) -> tuple[list[int], int]:
            room.queue.add_all(room.keys, cause)
            await room.queue.worked_on(room.keys)
            await anyio.sleep(0.05)  # for the journal
            found, state = await answers.gauges(), await answers.state()
            assert found.in_sync == [each["in_sync"] for each in state["subscribers"]].count(True)
            assert found.out_of_sync == [each["in_sync"] for each in state["subscribers"]].count(False)
            assert found.withheld == sum(len(each["withheld"]) for each in state["subscribers"])
            return [*figures.writes.values()], figures.drift_healed

        assert await compared("resync") == ([2, 0, 0], 0)
        assert await compared("resync") == ([2, 0, 0], 0)
        room.path(first).write_bytes(room.path(first).read_bytes().replace(b"10.0.0.5", b"10.9.9.9"))
        assert await compared("resync") == ([3, 0, 0], 1)
        room.store.drop(key("db"))
        assert await compared("linger is over") == ([3, 0, 0], 1)
        room.path(second).unlink()
        room.path(second).mkdir()
        assert await compared("resync") == ([3, 0, 1], 1)
        room.store.put(box("web-1", on("front", "10.0.1.1")))
        assert await compared("start of web-1") == ([4, 0, 2], 1)
        room.path(first).write_bytes(TEXT)
        assert await compared(GARBAGE_COLLECTION) == ([5, 0, 3], 1)
        assert figures.updates.cumulated[-1] == 4
        tasks.cancel_scope.cancel()
