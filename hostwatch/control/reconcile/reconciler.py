"""One hosts file, made right: read what is true now, compare it with what the file says, write the difference.

A round for a file takes two steps at most: if anybody subscribes to it, the block is compared and put right; and where
the file was changed, the engine's own line in it may tell of the container's address before any event does. What
happens is the same whatever caused it.

A file is reached by its path, or, where that is out of sight, by commands in its container. These may take long, so
they have tasks of their own, and the workers never wait for one. Nor do they for a file that its container changes, or
that is costly to look at: a container may fill its file with anything, and write it in a loop.
"""

import math
import random
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from loguru import logger

from hostwatch.control.journal import ChangeJournal, Comparison, block_in, log_removed
from hostwatch.control.notify import Notifier
from hostwatch.control.reconcile.queue import Work, WorkQueue
from hostwatch.control.reconcile.rewriting import ORPHANED, OUTLIVED, Rewriting, refusal, reserved_names
from hostwatch.control.writers import (
    FILE_CHANGED,
    FileDeniedError,
    FileFailedError,
    FileGoneError,
    FileKeptError,
    FileRefusedError,
    FileUpdate,
    HostsFiles,
    OutOfSightError,
    Writers,
)
from hostwatch.core.block import hostsfile
from hostwatch.core.block.records import Block
from hostwatch.core.model import Address, Container, ContainerKey, State
from hostwatch.core.resolve import desired
from hostwatch.core.resolve.linger import Memory, memory_of
from hostwatch.core.rules import Writer
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store
from hostwatch.core.timing import Backoff, RateLimiter, Rivalry

RESYNC = "resync"
"""The cause of a comparison that is made now and then, whatever has happened."""
SWEEP = "sweep"
"""The cause of looking at a file that nobody subscribes to, and that has a block."""

_WORKERS = 8
_EXECS = 4
"""How many files are compared by exec at once: a container that answers slowly delays some others of its kind."""
_APART = 2
"""How many files are compared at once that their containers change, or that are costly; by exec, that failed."""
_COSTLY_SECONDS = 0.02
"""The processor time that a look at a file may take, for it not to be kept apart: some thousand lines."""
_LOOK_SECONDS = 0.5
"""How long a look at a file takes to be paid back that is made only because its running container changed it."""
_LOOK_CREDIT_SECONDS = 10.0
"""What may be looked ahead of that: 20 times at once."""
_COST = 10.0
"""How many seconds one of processor time costs besides."""
_LEFT = 1 << 14
"""The longest text that is remembered as it was left, in bytes."""
_QUICK_BACKOFF_SECONDS = (0.1, 30.0)
"""After a failure that may be over in a moment, as while the engine rebuilds the file."""
_SLOW_BACKOFF_SECONDS = (2.0, 300.0)
"""After a command failed, or the kernel denied what it granted before (a file system that became read-only)."""
_KEPT_SECONDS = 0.5
"""How often a file is tried that another hostwatch keeps."""
_TRY_PATH = "trying its path again"
_FAILURES_TOLD = 3
"""After how many failures in a row, some tenths of a second, a file that cannot be written is worth a line."""


@dataclass(slots=True)
class FileState:
    """What is remembered of one hosts file between two rounds."""

    memory: Memory | None = None
    """What was last published for each line; `None` before the first round."""
    block: Block = field(default_factory=Block)
    """What the block says, as far as we know."""
    text: bytes | None = None
    """What the whole file said when it was left, if that is not long."""
    wanted: Block | None = None
    """What it was to say when it was last compared; `None` before."""
    lines: int = 0
    """How many lines were compared last."""
    in_sync: bool = False
    error: str | None = None
    rebuilt: bool = False
    """Whether it was told that the engine rebuilt the file, at the start that is under way."""
    restarting: bool = False
    """Whether its container did not run when it was last looked at, be it before its first start."""
    backoff: Backoff = field(default_factory=lambda: Backoff(*_QUICK_BACKOFF_SECONDS))
    not_before: float = 0.0
    """When it may be tried by exec again (the event loop's seconds)."""
    rivalry: Rivalry[Block] = field(default_factory=Rivalry)
    costly: bool = False
    """Whether it took long to look at, so that others must not wait for it."""


@dataclass(slots=True)
class _Detour:
    """A file that is written by exec, as its path did not do."""

    is_timed: bool
    """Whether the path is looked at again even if nothing else is to be done."""
    backoff: Backoff = field(default_factory=lambda: Backoff(*_SLOW_BACKOFF_SECONDS))
    not_before: float = 0.0
    """When the path is worth another look (the event loop's seconds)."""


_NEW = FileState()
_FILE_ALONE = [FILE_CHANGED]


class Hints(Protocol):
    """Who is told what a container's file says of its own address, before the engine publishes it."""

    def hinted(self, key: ContainerKey, files: FileKeys, cause: str) -> None:
        """A container that is being started is about to have an address, which concerns these files."""

    def claimed(self, key: ContainerKey, addresses: Iterable[Address], cause: str) -> None:
        """The file of a running container says that it has these addresses, which may be its own word."""


class Reconciler:
    """Workers that make hosts files right. The store is read, and told early hints, but never asked to wait."""

    def __init__(
        self,
        store: Store,
        ways: Writers,
        queue: WorkQueue,
        notifier: Notifier,
        linger_seconds: float,
    ) -> None:
        self._store = store
        self._paths = ways.paths
        self._execs = ways.execs
        self._keeps_comments = ways.keeps_comments
        self._queue = queue
        self._notifier = notifier
        self.linger_seconds = linger_seconds
        self._states: dict[ContainerKey, FileState] = {}
        self._unseen: dict[ContainerKey, _Detour] = {}
        """The files of running containers that turned out to be out of sight."""
        self._orphans: set[ContainerKey] = set()
        """The subscribers of which it was said that their network is gone."""
        self._slots = anyio.CapacityLimiter(_EXECS)
        self._failed_slots = anyio.CapacityLimiter(_APART)
        self._apart = anyio.CapacityLimiter(_APART)
        self._looks: RateLimiter[ContainerKey] = RateLimiter(_LOOK_CREDIT_SECONDS)
        self._journal = ChangeJournal(lambda: queue.is_busy)

    def __repr__(self) -> str:
        return f"<Reconciler of {len(self._states)} files>"

    async def run(self, hints: Hints) -> None:
        """Work on files from the queue for ever."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._journal.run, name="journal")
            for number in range(_WORKERS):
                tasks.start_soon(self._work, hints, tasks, name=f"worker {number}")

    async def _work(self, hints: Hints, tasks: TaskGroup) -> NoReturn:
        while True:
            work = await self._queue.take()
            now = self._queue.now
            is_drift = False
            if work.causes == _FILE_ALONE:
                is_drift = self._runs(work.key)
                if self._is_as_left(work.key) or (is_drift and self._is_to_wait(work.key, now)):
                    self._queue.done(work.key)
                    continue
            if self._is_done_at_once(work, now):
                self._queue.done(work.key, self._states[work.key].lines)
            elif (slots := self._slots_for(work.key, is_drift)) is not None:
                tasks.start_soon(self._do_apart, work, hints, slots, name=f"compare {work.key}")
            else:
                await self._do(work, now, hints)

    def _slots_for(self, key: ContainerKey, is_drift: bool) -> anyio.CapacityLimiter | None:
        """Where a file is compared that may keep others waiting; `None`: by the worker itself.

        It is drift where nothing asks for a comparison but a change of the file, by a running container perhaps.
        """
        state = self._states.get(key, _NEW)
        if self._is_by_exec(key):
            return self._failed_slots if state.backoff.failures > 0 else self._slots
        return self._apart if state.costly or is_drift else None

    def _runs(self, key: ContainerKey) -> bool:
        container = self._store.container(key)
        return container is not None and container.state is State.RUNNING

    def _is_as_left(self, key: ContainerKey) -> bool:
        """Whether a change of the file was our own: it is as we left it.

        By its path, however it is written: a look by exec opens the file for writing, and would be the next change.
        """
        state, container = self._states.get(key, _NEW), self._store.container(key)
        if not state.in_sync or state.text is None or container is None:
            return False
        if container.state is not State.RUNNING and not state.block:
            return False  # the engine may have written just that
        return self._paths.says(container, state.text)

    def _is_to_wait(self, key: ContainerKey, now: float) -> bool:
        """Whether the file changes so often that it is looked at later; that is seen to."""
        if (wait := self._looks.wait(key, now)) > 0:
            self._queue.add_at(now + wait, key, FILE_CHANGED)
            return True
        self._looks.spend(key, now, _LOOK_SECONDS)
        return False

    async def _do_apart(self, work: Work, hints: Hints, slots: anyio.CapacityLimiter) -> None:
        try:
            async with slots:
                await self._compare(work, anyio.current_time(), hints)
        finally:
            self._give_back(work.key)

    async def _do(self, work: Work, now: float, hints: Hints) -> None:
        try:
            await self._compare(work, now, hints)
        finally:
            self._give_back(work.key)

    def _give_back(self, key: ContainerKey) -> None:
        """Let the queue have a file again, however the comparison ended: it may be another one's turn by now."""
        state = self._states.get(key)
        self._queue.done(key, state.lines if state is not None else 0)

    async def _compare(self, work: Work, now: float, hints: Hints) -> None:
        container = self._store.container(work.key)
        if container is not None:
            await self._look_at(work, container, now, hints)
        else:
            self._forget(work.key)

    async def _look_at(self, work: Work, container: Container, now: float, hints: Hints) -> None:
        key, is_changed, starting = work.key, FILE_CHANGED in work.causes, container.state is not State.RUNNING
        if starting:
            self._unseen.pop(key, None)
            if self._store.sharing(key).requests:
                self._states.setdefault(key, FileState()).restarting = True
        if not starting:
            self._mind_orphans(key)
        try:
            if starting and is_changed:
                container = await self._started(container, hints)
            if self._is_ours(key):
                text = await self._reconcile(work, container, now)
            elif SWEEP in work.causes:
                text = await self._sweep(container)
            elif is_changed and not starting:
                text = await self._glance(container)
                self._note_leftover(key, text)
            else:
                text = b""
        except (FileGoneError, FileRefusedError, FileFailedError) as error:
            self._kept_from(work, container, error)
            text = b""
        if is_changed and not starting:
            hints.claimed(key, _own_addresses(container, text), f"connection of {container.name}")

    async def _started(self, container: Container, hints: Hints) -> Container:
        """Tell what the file of a container that is being started says of its address; returns what is known then.

        The others come before its own file, for which that counts, too: it is compared next in any case. Raises
        `FileGoneError` where there is no file: it is not being started then, or not yet.
        """
        key, text = container.key, await self._glance(container)
        stirred = self._store.stir(key)
        addresses = _own_addresses(container, text)
        hints.hinted(key, (stirred | self._store.hint(key, addresses)) - {key}, f"start of {container.name}")
        self._note_leftover(key, text)
        return self._store.container(key) or container

    def _mind_orphans(self, key: ContainerKey) -> None:
        """Say once of each subscriber that its network is gone: nothing that its file could say would help it."""
        for source in self._store.sharing(key).requests:
            subscriber = source.subscriber
            if not source.query.context.has_lost_network:
                self._orphans.discard(subscriber.key)
            elif subscriber.key not in self._orphans:
                self._orphans = {known for known in self._orphans if self._store.container(known) is not None}
                self._orphans.add(subscriber.key)
                why = OUTLIVED if self._store.joins.has_outlived(subscriber) else ORPHANED
                logger.error("{}: {}", subscriber.name, why)

    def _note_leftover(self, key: ContainerKey, text: bytes) -> None:
        """Have a block removed that has appeared in a file nobody subscribes to.

        A container in host mode, or any of Podman's, begins with a copy of the host's own file, our block included.
        """
        if hostsfile.may_hold_block(text) and not self._is_ours(key) and self._store.roles(key).enabled:
            self._queue.add(key, SWEEP, idle=True)

    def _is_ours(self, key: ContainerKey) -> bool:
        container = self._store.container(key)
        if container is None or container.state is State.STOPPED:
            return False
        return key in self._states or bool(self._store.sharing(key).requests)

    def _forget(self, key: ContainerKey) -> None:
        self._states.pop(key, None)
        self._unseen.pop(key, None)
        self._orphans.discard(key)
        self._looks.forget(key)
        self._store.keep(key, frozenset())
        self._notifier.forget(key)

    # Making a file right.

    def _is_done_at_once(self, work: Work, now: float) -> bool:
        """Make the file of a running container right that is known to be as it was left; whether that could be done.

        This is what happens when a service moves, to each of its subscribers.
        """
        key = work.key
        state, container = self._states.get(key), self._store.container(key)
        if state is None or container is None or state.memory is None or state.text is None:
            return False
        sharing = self._store.sharing(key)
        is_as_left = state.in_sync and container.state is State.RUNNING and FILE_CHANGED not in work.causes
        if not is_as_left or not sharing.requests or self._is_by_exec(key):
            return False
        state.rebuilt = False
        self._mind_orphans(key)
        wanted = self._wanted(key, state, state.memory, now)
        if wanted == state.wanted:
            is_told = not (sharing.notices and state.restarting)
            return is_told and not _is_to_be_read(work)
        change = hostsfile.replacement(state.block, wanted) if refusal(container) is None else None
        edited = change.edited(state.text, reserved_names(container)) if change is not None else None
        if edited is None or not self._paths.replace(container, state.text, edited):
            return False
        state.wanted = wanted
        self._updated(work, container, FileUpdate(state.text, edited.text), state.block, wanted)
        return True

    def _wanted(self, key: ContainerKey, state: FileState, memory: Memory, now: float) -> Block:
        """What the file is to say, and when that is to be asked again."""
        wanted = desired.desired_block(self._store, key, memory, now, self.linger_seconds)
        state.memory = wanted.memory
        state.lines = len(wanted.block.records) + len(wanted.block.withheld)
        self._store.keep(key, wanted.kept)
        if wanted.again_at is not None:
            self._queue.add_at(wanted.again_at, key, "linger is over")
        return wanted.block

    async def _reconcile(self, work: Work, container: Container, now: float) -> bytes:
        """Make the file right; returns its text of before."""
        if (reason := refusal(container)) is not None:
            raise FileRefusedError(reason)
        key = work.key
        if (state := self._states.get(key)) is None:
            state = self._states[key] = FileState()
        if (detour := self._unseen.get(key)) is not None:
            await self._look_for_path(work, container, detour)
        by_exec, starting = self._is_by_exec(key), container.state is not State.RUNNING
        if by_exec and not self._may_exec(work, container, state):
            return b""
        files = self._way_to(key)
        state.rebuilt &= starting
        if state.memory is None:
            # A file that was just rebuilt holds nothing to remember; reading it would only cost time.
            state.memory = {} if starting else await self._remembered(files, container)
        wanted = self._wanted(key, state, state.memory, now)
        if by_exec and state.in_sync and state.wanted == wanted and not _is_to_be_read(work):
            return b""
        if state.wanted == wanted and state.rivalry.until > now:
            state.in_sync = False
            self._queue.add_at(state.rivalry.until, key, FILE_CHANGED)
            return b""
        state.wanted = wanted
        limit, keeps = files.limit(container), self._keeps_comments
        rewriting = Rewriting(wanted, container, state.block, keeps_comments=keeps, limit=limit)
        at_hand = (state.in_sync or starting) and not state.costly
        update = await files.update(container, rewriting, at_hand=at_hand)
        self._looks.spend(key, now, rewriting.cpu_seconds * _COST)
        state.costly = rewriting.cpu_seconds > _COSTLY_SECONDS
        before = state.block or None if update.before == state.text else None
        if before is None and (self._store.sharing(key).notices or (starting and update.changed)):
            before = await block_in(update.before)
        if update.changed and not starting and state.block == rewriting.standing:
            await self._look_for_rival(container, state, update.before, now)
        self._updated(work, container, update, before, rewriting.standing)
        return update.before

    async def _look_for_rival(self, container: Container, state: FileState, text: bytes, now: float) -> None:
        """See whether somebody else has put a block of his own in the place of ours, as he did before."""
        theirs = await block_in(text)
        if theirs is not None and theirs != state.block and state.rivalry.returned(theirs, now):
            logger.warning(
                "{}: somebody else puts another block into its hosts file again and again, perhaps a second hostwatch"
                " that sees nothing of this one: ours is put back more and more slowly; stop one of the two",
                container.name,
            )

    def _updated(
        self, work: Work, container: Container, update: FileUpdate, before: Block | None, block: Block
    ) -> None:
        """Note and tell what has become of the file.

        In which the block said `before`, if that is known, and says `block` now.
        """
        state = self._states[work.key]
        sharing, changed = self._store.sharing(work.key), update.changed
        starting = container.state is not State.RUNNING
        rebuilt = starting and changed and before is None
        if changed or state.block.withheld != block.withheld:
            same = state.in_sync and state.block == block
            cause = ", ".join(work.causes)
            if changed and cause == FILE_CHANGED:
                cause = "the engine rebuilt the file" if rebuilt else "drift" if same else cause
            # An engine rebuilds the file up to three times at one start; that is one change.
            quiet = rebuilt and same and state.rebuilt
            text, seconds = update.before if changed else None, time.monotonic() - work.since
            self._journal.note(Comparison(container.name, cause, text, before, state.block, block, seconds, quiet))
        if changed:
            state.rebuilt = rebuilt
        state.block, state.in_sync, state.error = block, True, None
        state.text = update.after if len(update.after) <= _LEFT else None
        state.backoff.succeeded()
        if sharing.notices:
            self._tell(container, before or Block(), block, state)
        if not sharing.requests:
            del self._states[work.key]
            self._notifier.forget(work.key)

    def _tell(self, container: Container, before: Block, block: Block, state: FileState) -> None:
        """Have the application told, if it runs and knows other records."""
        key, running = container.key, container.state is State.RUNNING
        if not running:
            self._notifier.starts_with(key, block, time.time())
        elif state.restarting and self._is_by_exec(key):
            self._notifier.starts_with(key, block, 0.0)  # whatever it read at its start: a notice would come too early
        if running:
            self._notifier.published(key, before, block, container.started)
        state.restarting = not running

    async def _remembered(self, files: HostsFiles, container: Container) -> Memory:
        text = await files.read(container)
        block = await block_in(text)
        return memory_of(desired.outcomes(self._store, container.key), block) if block is not None else {}

    async def _glance(self, container: Container) -> bytes:
        """What a file says that nobody may subscribe to; nothing where it cannot be read. Raises `FileGoneError`."""
        with suppress(FileRefusedError, FileFailedError):
            return await self._paths.read(container, at_hand=True)
        return b""

    async def _sweep(self, container: Container) -> bytes:
        """Take a block out of a file that nobody subscribes to; returns the file's text of before."""
        if refusal(container) is not None:
            return b""
        update = await self._paths.update(container, Rewriting(Block(), container))
        if update.changed:
            logger.info("{}: block removed, as nobody subscribes to it", container.name)
        return update.before

    def seen_again(self) -> None:
        """The engine's directory is another one: files that were out of sight may be in it."""
        self._unseen.clear()

    async def leftovers(self) -> None:
        """Have the blocks removed from files that nobody subscribes to any more.

        Reads them one after the other, beside the workers. What is out of sight is left as it is: a command in each
        container of an engine is too much to ask.
        """
        for key in self._store.other_files:
            container = self._store.container(key)
            if container is None or refusal(container) is not None:
                continue
            with suppress(FileGoneError, FileRefusedError, FileFailedError):
                if await block_in(await self._paths.read(container)) is not None:
                    self._queue.add(key, SWEEP, idle=True)

    async def remove_all(self, *, of_host: bool) -> None:
        """Take our block out of every file that is kept; `of_host`: of those on the host, too.

        It is said of which; where that is cut short, also which are left.
        """
        found = [c for key in self._states if (c := self._store.container(key)) is not None]
        left = {c.key: c.name for c in found if refusal(c) is None and (of_host or c.host_file is None)}
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
        rewriting = Rewriting(Block(), container, self._states.get(key, _NEW).block)
        try:
            return (await self._way_to(key).update(container, rewriting)).changed
        except FileGoneError:
            return False
        except (FileRefusedError, FileFailedError) as error:
            logger.warning("{}: its block was not removed: {}", container.name, error)
            return False

    # By exec.

    def _way_to(self, key: ContainerKey) -> HostsFiles:
        return self._execs if self._is_by_exec(key) else self._paths

    def _is_by_exec(self, key: ContainerKey) -> bool:
        return key in self._unseen or self._store.sharing(key).writer is Writer.EXEC

    def _found_out_of_sight(self, work: Work, container: Container, error: Exception) -> bool:
        """Go on by exec with a file that its path does not reach, if that is allowed and can be."""
        key = work.key
        allowed = self._store.sharing(key).writer is Writer.AUTO and container.host_file is None
        if not allowed or key in self._unseen or container.state is not State.RUNNING or not self._is_ours(key):
            return False
        # A file that is not there may be that of a container which is just being removed.
        level = "DEBUG" if isinstance(error, OutOfSightError | FileGoneError) else "INFO"
        logger.log(level, "{}: its hosts file is written by exec, as its path does not do: {}", container.name, error)
        # Where no file is seen, a look at each of them by itself, whatever happens or not, would be too much.
        self._unseen[key] = _Detour(is_timed=not isinstance(error, OutOfSightError))
        for cause in work.causes:
            self._queue.add(key, cause, work.since)
        return True

    async def _look_for_path(self, work: Work, container: Container, detour: _Detour) -> None:
        """See now and then whether the path does again what it did not do: it is quicker, and in time at a start."""
        if anyio.current_time() >= detour.not_before or RESYNC in work.causes:
            if await self._paths.is_writable(container):
                self._unseen.pop(work.key, None)
                logger.info("{}: its hosts file is written by its path again", container.name)
                return
            detour.not_before = anyio.current_time() + detour.backoff.failed(random.random())  # noqa: S311
        if detour.is_timed:
            self._queue.add_at(detour.not_before, work.key, _TRY_PATH)

    def _may_exec(self, work: Work, container: Container, state: FileState) -> bool:
        """Whether it is time to run a command in the container: it runs, and has not just failed to."""
        if container.state is not State.RUNNING:
            state.restarting, state.in_sync, state.not_before = True, False, 0.0
            return False
        if anyio.current_time() < state.not_before and RESYNC not in work.causes:
            self._queue.add_at(state.not_before, work.key, "trying again")
            return False
        return True

    # When that is not possible.

    def _kept_from(self, work: Work, container: Container, error: Exception) -> None:
        if work.key in self._states:
            self._states[work.key].in_sync = False  # it may be back as it was left, when something else is wanted
        if isinstance(error, FileGoneError | FileDeniedError) and self._found_out_of_sight(work, container, error):
            return
        if isinstance(error, FileKeptError):
            self._kept_by_another(work.key, container, error)
        elif isinstance(error, FileRefusedError):
            self._refused(work.key, container, error)
        elif isinstance(error, FileFailedError):
            self._failed(work.key, container, str(error))
        else:
            logger.debug("{}: {}", container.name, error)

    def _kept_by_another(self, key: ContainerKey, container: Container, error: FileKeptError) -> None:
        if not self._store.sharing(key).requests:  # what is in there is not ours
            self._forget(key)
            return
        self._refused(key, container, error)
        self._queue.add_at(anyio.current_time() + _KEPT_SECONDS, key, "trying again")

    def _refused(self, key: ContainerKey, container: Container, error: FileRefusedError) -> None:
        state = self._states.setdefault(key, FileState())
        if state.error != str(error):
            level = "DEBUG" if isinstance(error, OutOfSightError) else "ERROR"
            logger.log(level, "{}: refused: {}", container.name, error)
        state.error = str(error)
        if self._is_by_exec(key):  # until it is restarted, or everything is compared
            state.not_before = math.inf
        elif isinstance(error, FileDeniedError) and not isinstance(error, OutOfSightError):
            self._try_again(key, state, _SLOW_BACKOFF_SECONDS)

    def _failed(self, key: ContainerKey, container: Container, error: str) -> None:
        state, by_exec = self._states.setdefault(key, FileState()), self._is_by_exec(key)
        if by_exec and state.not_before == 0.0:  # the first time since it was started
            state.backoff.succeeded()
        self._try_again(key, state, _SLOW_BACKOFF_SECONDS if by_exec else _QUICK_BACKOFF_SECONDS)
        # The engine may just be rebuilding the file: what is over by the next round is nobody's business.
        logger.log("WARNING" if state.backoff.failures == _FAILURES_TOLD else "DEBUG", "{}: {}", container.name, error)
        state.error = error

    def _try_again(self, key: ContainerKey, state: FileState, seconds: tuple[float, float]) -> None:
        """Have the file compared once more after a while, from the first to the last of these."""
        state.backoff.first, state.backoff.most = seconds
        state.not_before = anyio.current_time() + state.backoff.failed(random.random())  # noqa: S311
        self._queue.add_at(state.not_before, key, "trying again")


def _own_addresses(container: Container, text: bytes) -> tuple[Address, ...]:
    """The addresses that a container has by the engine's line in its file."""
    return hostsfile.own_addresses(text, container.own_hostname)


def _is_to_be_read(work: Work) -> bool:
    """Whether the file may have been changed: the engine rewrites it where a network comes or goes."""
    return any(cause in (RESYNC, FILE_CHANGED) or cause.startswith("network ") for cause in work.causes)
