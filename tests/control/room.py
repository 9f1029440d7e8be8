"""Real hosts files of some containers, with a reconciler, without an engine."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar, cast

import anyio

from hostwatch.control.answers import Answers, Told
from hostwatch.control.blocks import Blocks
from hostwatch.control.delivery import Means
from hostwatch.control.figures import Figures
from hostwatch.control.history import History
from hostwatch.control.informer.connection import Connection
from hostwatch.control.journal import ChangeJournal
from hostwatch.control.news import News
from hostwatch.control.notify import Notifier
from hostwatch.control.past import Past
from hostwatch.control.reconcile.queue import WorkQueue
from hostwatch.control.reconcile.reconciler import Reconciler
from hostwatch.control.reconcile.reconcilers import Reconcilers
from hostwatch.control.reconcile.sinks import Sinks
from hostwatch.control.remotes import SourceState
from hostwatch.control.source import Actions
from hostwatch.control.writers import Writers
from hostwatch.core.model import Address, Container, ContainerKey
from hostwatch.core.rules import Match, Rules, SubscriberRule, Subscription, Writer
from hostwatch.core.store.store import Store
from hostwatch.hosts.keeper import Keeper
from hostwatch.hosts.paths import PathHostsFiles
from tests.control.memory import recorder
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
        self.sources: dict[str, SourceState] = {}
        for key in self.keys:
            self.path(key).parent.mkdir()
            self.path(key).write_bytes(b"127.0.0.1\tlocalhost\n")

    def path(self, key: ContainerKey) -> Path:
        """The path of a file."""
        return self.files.directory / key.id / "hosts"

    def reconciler(self, tasks: anyio.abc.TaskGroup, execs: PathHostsFiles | None = None) -> Reconciler:
        """One more reconciler on the queue."""
        notifier = Notifier(Means(cast("Actions", None)), self.store, tasks, 1.0, self.figures.notifications)
        journal = ChangeJournal(lambda: self.queue.is_busy, recorder(), self.figures.of_files)
        writers = Writers(self.files, execs or self.files)
        sinks = Sinks(notifier, journal, self.figures.of_files, News())
        return Reconciler(self.store, writers, self.queue, sinks, lambda: 2.0)

    def answers(self, connection: Connection) -> Answers:
        """What a daemon with this connection would tell of the files, without a reconciler yet."""
        history = History()
        told = Told(history, Past(history, Blocks(), lambda: None), self.figures, News(), News(), self.sources)
        return Answers(self.store, connection, Keeper(), told, lambda: 2.0)

    def reconcilers(self, tasks: anyio.abc.TaskGroup) -> Reconcilers:
        """The same for both kinds of files. Nobody asks for lines in a resolv.conf."""
        hosts = self.reconciler(tasks)
        return Reconcilers(hosts, hosts)

    async def all_right(self) -> None:
        """Have all files compared once more. Every file must be right soon."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.reconciler(tasks).run, Deaf())
            self.queue.add_all(self.keys, "resync")
            with anyio.fail_after(5):
                await self.queue.worked_on(self.keys)
            tasks.cancel_scope.cancel()
        assert [key for key in self.keys if not self.path(key).read_bytes().endswith(RIGHT)] == []
