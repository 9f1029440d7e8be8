"""One file's way: observe, decide, apply, record. A file is handed on in this order.

`plan.observe` takes one snapshot of a file, and `plan.decide` makes a plan of it. If more must be known first, the file
is prepared, and observed and decided again. `FileAccess` applies the plan, at once if nothing has to be waited for. The
result goes through `record`. Its consequences are carried out here: the next state, a log line, a notification.
"""

import random
import time

import anyio
import anyio.lowlevel
from loguru import logger

from hostwatch.control.causes import GARBAGE_COLLECTION, LINGER_OVER, TRYING_AGAIN, TRYING_PATH
from hostwatch.control.clock import loop_time
from hostwatch.control.figures import WriteResult
from hostwatch.control.journal import block_in
from hostwatch.control.reconcile import record
from hostwatch.control.reconcile.access import FileAccess
from hostwatch.control.reconcile.addresses import Early, tell_running, tell_starting
from hostwatch.control.reconcile.lost_networks import LostNetworks
from hostwatch.control.reconcile.plan import (
    Collect,
    Compute,
    File,
    Keep,
    Look,
    LookEarly,
    Moment,
    Observation,
    Plan,
    Preparation,
    Recall,
    Refuse,
    Rewrite,
    TryPath,
    Wait,
    decide,
    observe,
)
from hostwatch.control.reconcile.queue import Work, WorkQueue
from hostwatch.control.reconcile.recalling import recalled
from hostwatch.control.reconcile.sinks import Sinks
from hostwatch.control.reconcile.state import FileState
from hostwatch.control.writers import (
    FileDeniedError,
    FileFailedError,
    FileGoneError,
    FileKeptError,
    FileRefusedError,
    FileUpdate,
)
from hostwatch.core.block import hostsfile
from hostwatch.core.block.records import Block
from hostwatch.core.model import Container, ContainerKey, FileKind, State
from hostwatch.core.rules import Writer
from hostwatch.core.store.store import Store


class Pipeline:
    """The files of one kind of one engine, each with its state."""

    def __init__(self, store: Store, access: FileAccess, queue: WorkQueue, sinks: Sinks) -> None:
        self._store = store
        self._access = access
        self._kind = access.kind
        self._queue = queue
        self._notifier, self._journal, self._figures, self._changes = sinks
        self._lost_networks = LostNetworks(store)
        self._states: dict[ContainerKey, FileState] = {}

    @property
    def keys(self) -> frozenset[ContainerKey]:
        """The files that are kept."""
        return frozenset(self._states)

    def keeps(self, key: ContainerKey) -> bool:
        """Whether a file is kept."""
        return key in self._states

    def state(self, key: ContainerKey) -> FileState:
        """The state of a file."""
        return self._states.get(key) or FileState()

    def forget(self, key: ContainerKey) -> None:
        """The container is gone, and its file with it."""
        if key in self._states:
            self._journal.note_end(key, self._kind)
        self._states.pop(key, None)
        self._access.forget(key)
        self._lost_networks.forget(key)
        self._store.unconfirmed.note(key, frozenset(), self._kind)
        self._queue.forget(key)
        self._notifier.forget(key, self._kind)

    # Observe and decide.

    def decided(self, container: Container, moment: Moment) -> tuple[Observation, Plan]:
        """A snapshot of the file, and the plan that it leads to."""
        key = container.key
        if container.state is not State.RUNNING:
            self._access.end_detour(key)
        detour = self._access.detour(key)
        seen = observe(self._store, File(container, self._kind), self._states.get(key), detour, moment)
        if (desired := seen.desired) is not None:
            self._store.unconfirmed.note(key, desired.kept, self._kind)
            if desired.again_at is not None:
                self._queue.add_at(desired.again_at, key, LINGER_OVER)
        if detour is not None and detour.is_timed and detour.not_before > moment.now:
            self._queue.add_at(detour.not_before, key, TRYING_PATH)
        if seen.is_running and self._kind is FileKind.HOSTS:
            self._lost_networks.look_at(seen.sharing)
        plan = decide(seen)
        if not isinstance(plan, Rewrite):
            self._remember(seen)
        return seen, plan

    def _remember(self, seen: Observation) -> None:
        if seen.sharing.requests or seen.key in self._states:
            self._states[seen.key] = seen.remembered

    # Apply.

    def is_done_at_once(self, work: Work, early: Early, seen: Observation, plan: Plan) -> bool:
        """Whether the plan could be carried out without waiting: what happens to each subscriber of a moved service."""
        if isinstance(plan, Look):
            return self._is_looked_at(early, seen)
        if seen.is_changed and not isinstance(plan, Keep | Wait):
            return False  # the file is to be read in any case
        if not isinstance(plan, Rewrite):
            return self._is_left(seen, plan)
        if not seen.is_running:
            return False
        last = seen.state.block
        update = self._access.update_now(seen.container, seen.writer, last, plan.block)
        if update is None:
            return False
        self._record(work, seen, update, last, plan.block)
        return True

    def _is_looked_at(self, early: Early, seen: Observation) -> bool:
        """Whether a file that is not ours could be read without waiting: what happens to each container that moves."""
        try:
            text = self._access.read_now(seen.container)
        except FileGoneError:
            return False
        if text is not None:
            self._note_orphan(seen.key, text)
            tell_running(early, seen, text)
        return text is not None

    def _is_left(self, seen: Observation, plan: Plan) -> bool:
        """Whether nothing is to be done now; it is seen to that the file is looked at again."""
        if isinstance(plan, Wait):
            self._queue.add_at(plan.until, seen.key, TRYING_AGAIN)
        return isinstance(plan, Keep | Wait)

    async def go(self, work: Work, early: Early, seen: Observation, plan: Plan) -> None:
        """Take a file the rest of its way."""
        try:
            while isinstance(plan, LookEarly | TryPath | Compute | Recall):
                moment = await self._prepared(seen, plan, early)
                begun = self._queue.cpu_seconds()
                seen, plan = self.decided(self._store.container(seen.key) or seen.container, moment)
                self._queue.spend(seen.key, self._queue.cpu_seconds() - begun)
            text = await self._applied(work, seen, plan)
        except (FileGoneError, FileRefusedError, FileFailedError) as error:
            self._record_failure(work, seen, error)
            return
        tell_running(early, seen, text)

    async def _prepared(self, seen: Observation, plan: Preparation, early: Early) -> Moment:
        """Make more known of a file, before it is decided again.

        Raises `FileGoneError` if a starting container has no file: it is not being started then, or not yet.
        """
        container, moment = seen.container, seen.moment
        match plan:
            case LookEarly():
                # Other files come before its own one, which is compared next in any case.
                text = await self._access.glance(container)
                tell_starting(early, seen, text)
                self._note_orphan(seen.key, text)
                return moment._replace(is_looked_at=True, now=loop_time())
            case TryPath():
                await self._access.try_path(container)
                return moment._replace(is_path_tried=True)
            case Compute():
                await anyio.lowlevel.checkpoint()
                return moment._replace(now=loop_time())
            case Recall():
                text = await self._access.read(container, seen.writer)
                memory = await recalled(self._store, seen.sharing.requests, text, self._kind)
                self._states[seen.key] = seen.state.recalled(memory)
                return moment

    async def _applied(self, work: Work, seen: Observation, plan: Plan) -> bytes:
        """Carry out a plan; returns the file's text of before, where it was read."""
        match plan:
            case Refuse(reason):
                raise FileRefusedError(reason)
            case Rewrite(block):
                return await self._rewritten(work, seen, block)
            case Collect(last):
                update = await self._collected(seen, last)
                if update.changed:
                    self._figures.writes[WriteResult.WRITTEN] += 1
                    place = "" if self._kind is FileKind.HOSTS else f" from its {self._kind.title}"
                    logger.info("{}: block removed{}, as nobody subscribes to it", seen.container.name, place)
                return update.before
            case Look():
                text = await self._access.glance(seen.container)
                self._note_orphan(seen.key, text)
                return text
            case _:
                self._is_left(seen, plan)
        return b""

    async def removed(self, container: Container, moment: Moment) -> FileUpdate:
        """Take our block out of a file, for good. Raises one of the three errors of `hostwatch.control.writers`."""
        seen, plan = self.decided(container, moment)
        if isinstance(plan, Refuse):
            raise FileRefusedError(plan.reason)
        return await self._collected(seen, plan.last) if isinstance(plan, Collect) else FileUpdate(b"", b"")

    async def _collected(self, seen: Observation, last: Block) -> FileUpdate:
        rewriting = self._access.rewriting(seen, Block(), last)
        update = await self._access.update(seen.container, seen.writer, rewriting)
        self._access.forget_text(seen.key)
        return update

    async def _rewritten(self, work: Work, seen: Observation, block: Block) -> bytes:
        self._remember(seen)  # until it is applied
        rewriting = self._access.rewriting(seen, block, seen.state.block)
        update = await self._access.update(seen.container, seen.writer, rewriting)
        self._queue.spend(seen.key, rewriting.cpu_seconds)
        before = (seen.state.block or None) if update.as_seen else None
        if not update.as_seen and (update.changed or seen.sharing.notifications):
            before = await block_in(update.before, self._kind)
        self._record(work, seen, update, before, rewriting.standing)
        return update.before

    # Record.

    def _record(self, work: Work, seen: Observation, update: FileUpdate, before: Block | None, block: Block) -> None:
        key, following = seen.key, record.recorded(seen, update, before, block, time.monotonic() - work.since)
        if following.comparison is not None:
            self._journal.note(following.comparison)
        if seen.sharing.notifications:
            self._notify(seen, before or Block(), block)
        self._follow(seen, following)
        if not seen.sharing.requests:
            del self._states[key]
            self._access.forget_text(key)
            self._notifier.forget(key, self._kind)

    def _notify(self, seen: Observation, before: Block, block: Block) -> None:
        """Have the application notified, if it runs and knows other records."""
        key, kind = seen.key, seen.kind
        if not seen.is_running:
            self._notifier.starts_with(key, block, time.time(), kind)
            return
        if seen.state.since_start and seen.writer is Writer.EXEC:
            # It read its file before: a notification would come too early.
            self._notifier.starts_with(key, block, 0.0, kind)
        self._notifier.published(key, before, block, seen.container.started, kind)

    def _record_failure(self, work: Work, seen: Observation, error: Exception) -> None:
        self._access.forget_text(seen.key)
        is_unreached = seen.is_kept and isinstance(error, FileGoneError | FileDeniedError)
        if is_unreached and self._access.take_detour(seen.container, seen.sharing.writer, error):
            self._follow(seen, record.Recorded(seen.remembered.unreached()))
            for cause in work.causes:
                self._queue.add(seen.key, cause, work.since)
        elif isinstance(error, FileKeptError) and not seen.sharing.requests:
            self.forget(seen.key)  # the block in there is another one's
        else:
            self._follow(seen, record.failed(seen, error, random.random()))  # noqa: S311

    def _follow(self, seen: Observation, following: record.Recorded) -> None:
        """Carry out what follows from a result."""
        if seen.is_kept or seen.key in self._states:
            self._states[seen.key] = following.state
        if following.failure is not None:
            self._figures.writes[following.failure] += 1
            self._changes.tell()
        if following.message is not None:
            logger.log(following.level, "{}: {}", seen.container.name, following.message)
        if following.again_at is not None:
            self._queue.add_at(following.again_at, seen.key, TRYING_AGAIN)

    def _note_orphan(self, key: ContainerKey, text: bytes) -> None:
        """Have a block removed from a file without a subscriber.

        A container in host mode, and any of Podman's, begins with a copy of the host's own file, our block included.
        """
        if not hostsfile.may_hold_block(text) or key in self._states or not self._store.roles(key).enabled:
            return
        if not self._store.sharing(key, self._kind).requests:
            self._queue.add(key, GARBAGE_COLLECTION, idle=True)
