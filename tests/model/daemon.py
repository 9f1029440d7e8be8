"""hostwatch beside the simulated engine: its real parts, put together as `hostwatch.app` does it.

Its files are in memory, and a watch on them sees every write at once.
"""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from hostwatch.control.informer.informer import Informer, Timing
from hostwatch.control.notify import Notifier
from hostwatch.control.reconcile.queue import WorkQueue
from hostwatch.control.reconcile.reconciler import RESYNC, Reconciler
from hostwatch.control.source import EngineInfo
from hostwatch.control.writers import FILE_CHANGED, FileDeniedError, FileFailedError, FileGoneError, FileUpdate, Writers
from hostwatch.core.block.edit import applied
from hostwatch.core.block.hostsfile import OF_CONTAINER, Edited, Limit
from hostwatch.core.model import Container, ContainerId, ContainerKey, State
from hostwatch.core.rules import Match, Rules, ServiceRule
from hostwatch.core.store.store import Store
from tests.model.engine import ENGINE, Box
from tests.model.oracle import CONFIGURED
from tests.model.source import SimulatedSource

RULES = Rules(services=(ServiceRule(CONFIGURED, Match(label_values=(("app", (CONFIGURED,)),)), (CONFIGURED,)),))
LINGER_SECONDS = 2.0
RESYNC_SECONDS = 60.0
DEBOUNCE_SECONDS = 1.0
_DISK_SECONDS = 0.0005


class Judge(Protocol):
    """Told of each write of a hosts file."""

    def wrote(self, box: Box, before: bytes, after: bytes) -> None:
        """hostwatch has changed the file, or found it right."""


class MemoryFiles:
    """The simulated engine's hosts files: an implementation of `hostwatch.control.writers.HostsFiles`."""

    def __init__(self, source: SimulatedSource, judge: Judge) -> None:
        self._source = source
        self._judge = judge

    def path(self, container: Container) -> Path:
        """Where the file would be."""
        return Path("/simulated/containers", container.key.id, "hosts")

    def limit(self, container: Container) -> Limit:  # noqa: ARG002
        """How long a file may be."""
        return OF_CONTAINER

    async def read(self, container: Container, *, at_hand: bool = False) -> bytes:  # noqa: ARG002
        """The file's text."""
        await anyio.sleep(_DISK_SECONDS)
        return self._box(container)[1]

    async def is_writable(self, container: Container) -> bool:
        """Whether the file is there."""
        await anyio.sleep(_DISK_SECONDS)
        return container.key.id in self._source.engine.boxes

    def says(self, container: Container, text: bytes) -> bool:
        """Whether the file says just this."""
        box = self._source.engine.boxes.get(container.key.id)
        return box is not None and box.text == text

    async def update(
        self,
        container: Container,
        change: Callable[[bytes], bytes],
        *,
        at_hand: bool = False,  # noqa: ARG002
    ) -> FileUpdate:
        """Bring the file to what `change` makes of its text."""
        await anyio.sleep(_DISK_SECONDS)
        box, before = self._box(container)
        after = change(before)
        if after != before:
            self._write(box, after)
        self._judge.wrote(box, before, after)
        return FileUpdate(before, after)

    def replace(self, container: Container, text: bytes, edited: Edited) -> bool:
        """Bring the file to another text, if it says just this."""
        if not self.says(container, text) or container.key.id in self._source.faults.stuck_files:
            return False
        box, before = self._box(container)
        self._write(box, reduce(applied, edited.steps, before))
        assert box.text == edited.text
        self._judge.wrote(box, before, edited.text)
        return True

    def _write(self, box: Box, text: bytes) -> None:
        if box.id in self._source.faults.stuck_files:
            raise FileFailedError("no space left on device")
        box.text = text
        self._source.engine.written(box.id)

    def _box(self, container: Container) -> tuple[Box, bytes]:
        box = self._source.engine.boxes.get(container.key.id)
        if box is None or box.text is None:
            raise FileGoneError(f"no hosts file of {container.name}")
        return box, box.text


class NoExecs:
    """No container has a shell."""

    def path(self, _container: Container) -> Path:
        """Where the container sees the file."""
        return Path("/etc/hosts")

    def limit(self, _container: Container) -> Limit:
        """How long a file may be."""
        return OF_CONTAINER

    async def read(self, container: Container, *, at_hand: bool = False) -> bytes:  # noqa: ARG002
        """Refused."""
        raise FileDeniedError(f"{container.name}: no shell")

    def says(self, _container: Container, _text: bytes) -> bool:
        """Nobody can tell."""
        return False

    def replace(self, _container: Container, _text: bytes, _edited: Edited) -> bool:
        """Nothing is done without waiting."""
        return False

    async def update(
        self,
        container: Container,
        _change: Callable[[bytes], bytes],
        *,
        at_hand: bool = False,  # noqa: ARG002
    ) -> FileUpdate:
        """Refused."""
        raise FileDeniedError(f"{container.name}: no shell")


class Hostwatch:
    """One process of hostwatch."""

    def __init__(self, source: SimulatedSource, judge: Judge) -> None:
        self._source = source
        self._judge = judge
        self._scope = anyio.CancelScope()
        self._queue = WorkQueue()
        self._store = Store(RULES)
        timing = Timing(RESYNC_SECONDS, LINGER_SECONDS)
        self._informer = Informer(source, self._store, self._queue.add_all, self._resynced, timing)
        self._reconciler: Reconciler | None = None
        self._swept = anyio.Event()

    @property
    def connected(self) -> bool:
        """Whether it follows the engine."""
        return self._informer.connected

    async def run(self) -> None:
        """Run until it is killed."""
        with self._scope:
            async with anyio.create_task_group() as tasks:
                await self._run(tasks)

    async def _run(self, tasks: TaskGroup) -> None:
        notifier = Notifier(self._source, self._store, tasks, DEBOUNCE_SECONDS)

        async def identified(_engine: EngineInfo) -> None:
            if self._reconciler is None:
                ways = Writers(MemoryFiles(self._source, self._judge), NoExecs())
                self._reconciler = Reconciler(self._store, ways, self._queue, notifier, LINGER_SECONDS)
                tasks.start_soon(self._reconciler.run, self._informer)
                tasks.start_soon(self._sweep, self._reconciler)

        tasks.start_soon(self._queue.run_delayed)
        await self._informer.run(identified, lambda: None)

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self._scope.cancel()

    def written(self, file: ContainerId) -> None:
        """The watch sees that somebody wrote a file."""
        if self._reconciler is not None and not self._scope.cancel_called:
            container = self._store.container(ContainerKey(ENGINE, file))
            starting = container is not None and container.state is not State.RUNNING
            self._queue.add(ContainerKey(ENGINE, file), FILE_CHANGED, urgent=starting)

    def _resynced(self) -> None:
        self._queue.add_all(self._store.subscriber_files, RESYNC, idle=True)
        self._swept.set()

    async def _sweep(self, reconciler: Reconciler) -> None:
        while True:
            await self._swept.wait()
            self._swept = anyio.Event()
            await reconciler.leftovers()
