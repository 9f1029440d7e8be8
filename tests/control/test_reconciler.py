"""The reconciler on real files, without an engine: after any end of a comparison the file can be compared again."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar, cast

import anyio
import anyio.lowlevel
import pytest

from hostwatch.control.delivery import Means
from hostwatch.control.figures import Figures
from hostwatch.control.history import History
from hostwatch.control.journal import ChangeJournal
from hostwatch.control.notify import Notifier
from hostwatch.control.reconcile.queue import WorkQueue
from hostwatch.control.reconcile.reconciler import Reconciler
from hostwatch.control.reconcile.sinks import Sinks
from hostwatch.control.source import Actions
from hostwatch.control.writers import Writers
from hostwatch.core.model import Address, Container, ContainerKey
from hostwatch.core.rules import Match, Rules, SubscriberRule, Subscription, Writer
from hostwatch.core.store.store import Store
from hostwatch.hosts.paths import PathHostsFiles
from tests.core.build import ENGINE, UNKNOWN, box, lines, on, store

BY_EXEC = Subscription(lines=lines("@{db.ip} db"), writer=Writer.EXEC)
T = TypeVar("T")
RULES = Rules(subscribers=(SubscriberRule("exec", Match(name=("exec-*",)), BY_EXEC),))
RIGHT = b"# hostwatch: begin\n10.0.0.5        db\n# hostwatch: end\n"


class Deaf:
    """Takes no early addresses."""

    def starting(self, key: ContainerKey, addresses: Iterable[Address], cause: str) -> None:
        """Nothing."""

    def running(self, key: ContainerKey, addresses: Iterable[Address], cause: str) -> None:
        """Nothing."""


class Hanging(PathHostsFiles):
    """A writer on which each look waits for ever."""

    async def _in_thread(self, container: Container, work: Callable[[Path], T]) -> T:  # noqa: ARG002
        await anyio.sleep_forever()
        raise AssertionError


class Room:
    """Containers with files in a directory, with their reconciler."""

    def __init__(self, directory: Path, *names: str) -> None:
        self.files = PathHostsFiles(ENGINE, directory, Path("hosts"))
        self.hanging = Hanging(ENGINE, directory, Path("hosts"))
        labels = {"hostwatch.hosts": "@{db.ip} db"}
        boxes = [
            box(
                name,
                on("front", f"10.0.1.{number}"),
                labels={} if "exec" in name else labels,
                state=UNKNOWN if "starting" in name else box("any").state,
            )
            for number, name in enumerate(names, 1)
        ]
        self.keys = [each.key for each in boxes]
        self.store: Store = store(box("db", on("front", "10.0.0.5")), *boxes, rules=RULES)
        self.queue = WorkQueue()
        self.figures = Figures()
        for key in self.keys:
            self.path(key).parent.mkdir()
            self.path(key).write_bytes(b"127.0.0.1\tlocalhost\n")

    def path(self, key: ContainerKey) -> Path:
        """The path of a file."""
        return self.files.directory / key.id / "hosts"

    def reconciler(self, tasks: anyio.abc.TaskGroup, execs: PathHostsFiles | None = None) -> Reconciler:
        """One more reconciler on the queue."""
        notifier = Notifier(Means(cast("Actions", None)), self.store, tasks, 1.0, self.figures.notifications)
        journal = ChangeJournal(lambda: self.queue.is_busy, History(), self.figures.of_files)
        writers = Writers(self.files, execs or self.files)
        return Reconciler(self.store, writers, self.queue, Sinks(notifier, journal, self.figures.of_files), lambda: 2.0)

    async def all_right(self) -> None:
        """Have all files compared once more. Every file must be right soon."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.reconciler(tasks).run, Deaf())
            self.queue.add_all(self.keys, "resync")
            with anyio.fail_after(5):
                await self.queue.worked_on(self.keys)
            tasks.cancel_scope.cancel()
        assert [key for key in self.keys if not self.path(key).read_bytes().endswith(RIGHT)] == []


@pytest.fixture
def names() -> list[str]:
    """More files of each kind than are compared at once."""
    return [f"{kind}-{number}" for number in range(6) for kind in ("exec", "web", "starting")]


async def test_a_worker_that_waits_for_a_slot_gives_its_file_back(tmp_path: Path) -> None:
    """Ten files by exec, four of them in work for ever; then another reconciler takes over."""
    room = Room(tmp_path, *(f"exec-{number}" for number in range(10)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.reconciler(tasks, room.hanging).run, Deaf())
        room.queue.add_all(room.keys, "resync")
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    await room.all_right()


async def test_a_file_pays_for_its_work_and_no_other_file_does(tmp_path: Path) -> None:
    """If each piece of work takes a second, a file is put off after some of them, and its neighbour is not."""
    room = Room(tmp_path, "web-1", "web-2")
    room.queue = WorkQueue(partial(next, count(0.0, 1.0)))
    costly, other = room.keys
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.reconciler(tasks).run, Deaf())
        for _ in range(3):
            room.queue.add(costly, "start db")
            await room.queue.worked_on([costly])
        room.queue.add_all([costly, other], "start db")
        await room.queue.worked_on([other])
        await anyio.wait_all_tasks_blocked()
        assert "1 waiting, 0 in work" in repr(room.queue)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("turns", range(24))
async def test_at_whichever_await_it_is_cancelled_no_file_stays_taken(
    tmp_path: Path, names: list[str], turns: int
) -> None:
    """By path and by exec, at a start and at a resync, after so many turns of the event loop."""
    room = Room(tmp_path, *names)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.reconciler(tasks).run, Deaf())
        room.queue.add_all(room.keys, "resync")
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    await room.all_right()
