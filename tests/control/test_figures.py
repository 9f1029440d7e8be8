"""What is counted and measured: every label is there from the start, and says what the log and `status` say."""

import math

import anyio
import pytest

from hostwatch.control.figures import BOUNDS_SECONDS, Durations, EventFigures, Figures, FileFigures
from hostwatch.control.gauges import Gauges, measured
from hostwatch.control.history import History
from hostwatch.control.journal import ChangeJournal, Comparison
from hostwatch.control.reconcile import plan, record
from hostwatch.control.reconcile.state import FileState, Phase
from hostwatch.control.status import state as status
from hostwatch.control.writers import FileFailedError, FileGoneError, FileRefusedError, FileUpdate
from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import ContainerKey, State
from hostwatch.core.resolve.linger import Desired
from hostwatch.core.rules import Rules
from hostwatch.docker.events import _FILTERS as ASKED_FOR
from tests.core.build import RUNNING, STOPPED, UNKNOWN, box, hosts, ip, key, on, service, store

OURS = Block((Record(ip("10.0.0.5"), ("db",)),), (Withheld("@{mq.ip} mq", "mq: no running container"),))
THEIRS = Block((Record(ip("10.9.9.9"), ("db",)),))
RIGHT = FileState(Phase.IN_SYNC, None, Desired(OURS, {}, frozenset(), None), OURS)


def observation(state: FileState, of: State = RUNNING, *causes: str) -> plan.Observation:
    """A subscriber's file in this state."""
    web = box("web", on("front", "10.0.0.6"), labels=hosts("192.0.2.1 fixed"), state=of)
    return plan.observe(store(web), web, state, None, plan.Moment(0.0, 0.0, causes))


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
        (RIGHT._replace(block=THEIRS), RUNNING, "start db", FileUpdate(b"old", b"ours"), False),
        (FileState(), RUNNING, "resync", FileUpdate(b"of an earlier run", b"ours"), False),
        (RIGHT.started(), RUNNING, "start web", FileUpdate(b"the engine's", b"ours"), False),
    ],
    ids=["drift", "at a resync", "contested", "a new record", "rebuilt", "not as it was", "first look", "restarted"],
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
    journal = ChangeJournal(lambda: False, History(), figures)
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


async def test_what_is_measured_is_what_status_lists() -> None:
    """Services of each kind, with several containers; subscribers that are right, wrong, stopped, without a network."""
    wants = hosts("@{db.ip} db")
    made = store(
        box("db-1", on("front", "10.0.0.5")),
        box("db-2", on("front", "10.0.0.7")),
        box("shop-mq-1", compose="shop/mq"),
        box("shop-mq-2", compose="shop/mq", number=2),
        box("other-mq-1", compose="other/mq"),
        box("off", labels={"hostwatch.enable": "false"}),
        box("web", labels=wants),
        box("app", labels=wants),
        box("ended", labels=wants, state=STOPPED),
        box("apart", labels=wants, join="gone"),
        rules=Rules(services=(service("db"), service("none"))),
    )
    made.drop(key("gone"))
    states = {key("web"): RIGHT, key("ended"): RIGHT, key("app"): FileState(Phase.RETRYING, block=OURS)}

    def state_of(file: ContainerKey) -> FileState:
        return states.get(file, FileState())

    found = await measured(made, state_of, is_engine_up=True)
    listed = (await status(None, made, []))["services"]
    assert len(listed) == 8
    assert found == Gauges(is_engine_up=True, in_sync=1, out_of_sync=2, withheld=2, services=len(listed))


async def test_thousands_of_subscribers_are_counted_in_short_steps() -> None:
    """Others have their turn in between."""
    wants = hosts("@{db.ip} db")
    made = store(*(box(f"web-{number}", labels=wants) for number in range(2_000)), rules=Rules())
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count_turns)
        found = await measured(made, lambda _: RIGHT, is_engine_up=False)
        tasks.cancel_scope.cancel()
    assert (found.in_sync, found.services) == (2_000, 2_000)
    assert turns >= 6
