"""Workers that take hosts files from the queue, and see to it that no file waits for a slow one.

What can be done without waiting is done at once. All else goes its way in the worker, or, where it may take long, in a
task of its own under a limit: by exec, for a file that its running container keeps changing, and for one that is costly
to rewrite.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

import anyio
from anyio.abc import TaskGroup
from loguru import logger

from hostwatch.control.causes import FILE_CHANGED, GARBAGE_COLLECTION, REMOVAL
from hostwatch.control.clock import loop_time
from hostwatch.control.journal import block_in, log_removed
from hostwatch.control.reconcile import record
from hostwatch.control.reconcile.access import FileAccess
from hostwatch.control.reconcile.addresses import Early
from hostwatch.control.reconcile.pipeline import Pipeline
from hostwatch.control.reconcile.plan import STEPS, Moment, Observation, Plan, writer_of
from hostwatch.control.reconcile.queue import Work, WorkQueue
from hostwatch.control.reconcile.rewriting import LOST_NETWORK, refusal
from hostwatch.control.reconcile.sinks import Sinks
from hostwatch.control.standing import Standing
from hostwatch.control.writers import FileFailedError, FileGoneError, FileRefusedError, Writers
from hostwatch.core.model import Container, ContainerKey, FileKind, State
from hostwatch.core.rules import Writer
from hostwatch.core.store.store import Store

_WORKERS = 8
_EXECS = 4
"""How many files are compared by exec at once: a container that answers slowly delays some others of its kind."""
_APART = 2
"""How many files are compared at once that their containers change, or that are costly; by exec, that failed."""
_FILE_ALONE = [FILE_CHANGED]


class Reconciler:
    """Works on files from the queue. The store is read, and told early addresses, but never asked to wait."""

    def __init__(
        self,
        store: Store,
        writers: Writers,
        queue: WorkQueue,
        sinks: Sinks,
        linger_seconds: Callable[[], float],
    ) -> None:
        """`linger_seconds` tells how long a line stays whose service is gone."""
        self._kind = writers.kind
        self._store = store
        self._queue = queue
        self._linger_seconds = linger_seconds
        self._access = FileAccess(writers, queue.cpu_seconds)
        self._journal = sinks.journal
        self._pipeline = Pipeline(store, self._access, queue, sinks)
        self._execs = anyio.CapacityLimiter(_EXECS)
        self._failed_execs = anyio.CapacityLimiter(_APART)
        self._apart = anyio.CapacityLimiter(_APART)

    def __repr__(self) -> str:
        return f"<Reconciler: {len(self._pipeline.keys)} files, {self._access!r}>"

    async def run(self, early: Early) -> None:
        """Work on files from the queue for ever."""
        async with anyio.create_task_group() as tasks:
            if self._kind is FileKind.HOSTS:  # the files of both kinds have one journal
                tasks.start_soon(self._journal.run, name="journal")
            for number in range(_WORKERS):
                tasks.start_soon(self._work, early, tasks, name=f"worker {number}")

    def is_concerned(self, owner: ContainerKey) -> bool:
        """Whether somebody asks for lines in the owner's file, or did when it was last looked at."""
        return bool(self._store.sharing(owner, self._kind).requests) or self._pipeline.keeps(owner)

    def seen_again(self) -> None:
        """The engine's directory is another one: files that were out of sight may be in it."""
        self._access.end_detour()

    def standing(self, container: Container) -> Standing:
        """How the container's file stands, as far as is known."""
        state = self._pipeline.state(container.key)
        sharing = self._store.sharing(container.key, self._kind)
        writer = writer_of(sharing, self._access.detour(container.key))
        error = LOST_NETWORK if self._store.joins.has_lost_network(container) else state.complaint
        memory = state.desired.memory if state.desired is not None else {}
        is_right = (state.in_sync or not sharing.requests) and error is None
        return Standing(container, self._access.path(container, writer), writer, is_right, error, state.block, memory)

    async def _work(self, early: Early, tasks: TaskGroup) -> NoReturn:
        while True:
            work = await self._queue.take()
            now, container = self._queue.now, self._store.container(work.key)
            if container is None:
                self._pipeline.forget(work.key)
                self._queue.done(work.key)
                continue
            is_drift = work.causes == _FILE_ALONE and container.state is State.RUNNING
            if work.causes == _FILE_ALONE and (self._is_echo(container) or (is_drift and self._waits(work.key, now))):
                self._queue.done(work.key)
                continue
            begun = self._queue.cpu_seconds()
            seen, plan = self._pipeline.decided(container, self._moment(now, work.causes))
            is_done = self._pipeline.is_done_at_once(work, early, seen, plan)
            self._queue.spend(work.key, self._queue.cpu_seconds() - begun)
            if is_done:
                self._queue.done(work.key)
            elif (slots := self._slots_for(seen, is_drift)) is not None:
                tasks.start_soon(self._do_apart, work, early, slots, name=f"compare {work.key}")
            else:
                await self._do(work, early, seen, plan)

    def _moment(self, now: float, causes: Sequence[str]) -> Moment:
        return Moment(now, self._linger_seconds(), causes, most_steps=STEPS)

    def _is_echo(self, container: Container) -> bool:
        """Whether a change of the file was our own: it is as we left it."""
        if container.state is not State.RUNNING and not self._pipeline.state(container.key).block:
            return False  # the engine may have written just that
        return self._access.is_as_seen(container)

    def _waits(self, key: ContainerKey, now: float) -> bool:
        """Whether the file changes so often that it is looked at later; that is seen to."""
        if (wait := self._access.look_wait(key, now)) > 0:
            self._queue.add_at(now + wait, key, FILE_CHANGED)
        return wait > 0

    def _slots_for(self, seen: Observation, is_drift: bool) -> anyio.CapacityLimiter | None:
        """The limiter under which a slow file is compared; `None`: the worker itself compares it."""
        if seen.writer is Writer.EXEC:
            fault = seen.state.fault
            return self._failed_execs if fault is not None and fault.failures > 0 else self._execs
        return self._apart if is_drift or self._access.is_costly(seen.key) else None

    async def _do_apart(self, work: Work, early: Early, slots: anyio.CapacityLimiter) -> None:
        try:
            async with slots:
                container = self._store.container(work.key)
                if container is None:
                    self._pipeline.forget(work.key)
                else:
                    moment = self._moment(loop_time(), work.causes)
                    await self._pipeline.go(work, early, *self._pipeline.decided(container, moment))
        finally:
            self._queue.done(work.key)

    async def _do(self, work: Work, early: Early, seen: Observation, plan: Plan) -> None:
        try:
            await self._pipeline.go(work, early, seen, plan)
        finally:
            self._queue.done(work.key)

    async def collect_orphans(self) -> None:
        """Have the blocks removed from the files of running containers without a subscriber.

        Reads them one after the other, beside the workers. A file that is out of sight is left as it is: a command in
        each container of an engine is too much to ask.
        """
        for key in self._store.other_files(self._kind):
            container = self._store.container(key)
            if container is None or refusal(container, self._kind) is not None:
                continue
            with suppress(FileGoneError, FileRefusedError, FileFailedError):
                if await block_in(await self._access.read(container), self._kind) is not None:
                    self._queue.add(key, GARBAGE_COLLECTION, idle=True)

    async def remove_all(self, *, of_host: bool) -> None:
        """Take our block out of every file that is kept; `of_host`: of those on the host, too.

        It is logged of which; where that is cut short, also which are left.
        """
        found = [c for key in self._pipeline.keys if (c := self._store.container(key)) is not None]
        left = {c.key: c.name for c in found if refusal(c, self._kind) is None and (of_host or c.host_file is None)}
        removed: list[str] = []
        try:
            for key, name in list(left.items()):
                if await self._is_removed(key):
                    removed.append(name)
                del left[key]
        finally:
            log_removed(removed, list(left.values()))

    async def _is_removed(self, key: ContainerKey) -> bool:
        """Take our block out of a file; whether there was one."""
        container = self._store.container(key)
        if container is None:
            return False
        now = loop_time()
        try:
            update = await self._pipeline.removed(container, self._moment(now, (REMOVAL,)))
        except FileGoneError:
            return False
        except (FileRefusedError, FileFailedError) as error:
            logger.warning("{}: its block was not removed: {}", container.name, error)
            return False
        if update.changed:
            self._journal.note(record.removed(container, update, loop_time() - now))
        return update.changed
