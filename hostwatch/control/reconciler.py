"""One hosts file, made right: read what is true now, compare it with what the file says, write the difference.

A round for a file takes two steps at most: where its container does not run, the engine's own line in it is an early
hint of the container's address; then, if anybody subscribes to it, the block is compared and put right. What happens
is the same whatever caused it.
"""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from loguru import logger

from hostwatch.control.files import (
    FILE_CHANGED,
    FileFailedError,
    FileGoneError,
    FileRefusedError,
    FileUpdate,
    HostsFiles,
    OutOfSightError,
)
from hostwatch.control.journal import log_change, log_withheld, name_changes
from hostwatch.control.queue import Work, WorkQueue
from hostwatch.core import hostsfile
from hostwatch.core.desired import outcomes
from hostwatch.core.hold import Held, Memory, held, memory_of
from hostwatch.core.inventory import Files, Inventory
from hostwatch.core.model import Address, Container, ContainerKey, State
from hostwatch.core.pacing import Backoff
from hostwatch.core.records import Block

_FAILURES_TOLD = 3
"""After how many failures in a row, some tenths of a second, a file that cannot be written is worth a line."""


@dataclass(slots=True)
class FileState:
    """What is remembered of one hosts file between two rounds."""

    memory: Memory | None = None
    """What was last published for each line; `None` before the first round."""
    block: Block = field(default_factory=Block)
    """What the block says, as far as we know."""
    in_sync: bool = False
    error: str | None = None
    rebuilt: bool = False
    """Whether it was told that the engine rebuilt the file, at the start that is under way."""
    backoff: Backoff = field(default_factory=lambda: Backoff(0.1, 30.0))


class Reconciler:
    """Workers that make hosts files right. The inventory is read, and told early hints, but never asked to wait."""

    def __init__(self, inventory: Inventory, files: HostsFiles, queue: WorkQueue, linger_seconds: float) -> None:
        self._inventory = inventory
        self._files = files
        self._queue = queue
        self._linger = linger_seconds
        self._states: dict[ContainerKey, FileState] = {}

    def __repr__(self) -> str:
        return f"<Reconciler of {len(self._states)} files>"

    async def run(self, hinted: Callable[[Files, ContainerKey], None]) -> NoReturn:
        """Work on files from the queue for ever; `hinted` is told of the files that an early hint concerns."""
        while True:
            work = await self._queue.take()
            try:
                await self._round(work, hinted)
            finally:
                self._queue.done(work.key)

    async def _round(self, work: Work, hinted: Callable[[Files, ContainerKey], None]) -> None:
        container = self._inventory.container(work.key)
        if container is None:
            self._states.pop(work.key, None)
            self._inventory.keep(work.key, frozenset())
            return
        starting = container.state is not State.RUNNING and FILE_CHANGED in work.causes
        try:
            if starting:
                hinted(self._inventory.stir(work.key), work.key)
            if self._is_ours(work.key):
                text = await self._reconcile(work, container)
            else:
                text = await self._files.read(work.key) if starting else b""
            if starting:
                hinted(self._hint(container, text), work.key)
        except FileGoneError:
            logger.debug("{}: no hosts file, as the container is gone or was never started", container.name)
        except FileRefusedError as error:
            self._refused(work.key, container, error)
        except FileFailedError as error:
            self._failed(work.key, container, str(error))

    def _hint(self, container: Container, text: bytes) -> Files:
        """Learn the address that a container is about to have from the line that the engine wrote for it."""
        return self._inventory.hint(container.key, hostsfile.own_addresses(text, container.own_hostname))

    def _is_ours(self, key: ContainerKey) -> bool:
        container = self._inventory.container(key)
        if container is None or container.state is State.STOPPED:
            return False
        return self._inventory.subscribed(key) or key in self._states

    # Making a file right.

    async def _reconcile(self, work: Work, container: Container) -> bytes:
        """Make the file right; returns its text of before."""
        if (reason := refusal(container)) is not None:
            raise FileRefusedError(reason)
        key = work.key
        state = self._states.setdefault(key, FileState())
        state.rebuilt &= container.state is not State.RUNNING
        if state.memory is None:
            # A file that was just rebuilt holds nothing to remember; reading it would only cost time.
            state.memory = await self._remembered(key) if container.state is State.RUNNING else {}
        wanted = self._wanted(key, state.memory)
        state.memory = wanted.memory
        self._inventory.keep(key, wanted.kept)
        if wanted.again_at is not None:
            self._queue.add_at(wanted.again_at, key, "linger is over")
        rewriting = Rewriting(wanted.block, container)
        update = await self._files.update(key, rewriting)
        if update.changed:
            self._log(container, update, rewriting.standing, work, state)
        log_withheld(container.name, state.block, rewriting.standing)
        state.block, state.in_sync, state.error = rewriting.standing, True, None
        state.backoff.succeeded()
        if not self._inventory.subscribed(key):
            del self._states[key]
        return update.before

    async def _remembered(self, key: ContainerKey) -> Memory:
        text = await self._files.read(key)
        return memory_of(outcomes(self._inventory, key), hostsfile.found(text) or Block())

    def _wanted(self, key: ContainerKey, memory: Memory) -> Held:
        def holders(address: Address) -> frozenset[ContainerKey]:
            return self._inventory.holders(key, address)

        return held(outcomes(self._inventory, key), memory, time.monotonic(), self._linger, holders)

    def _log(self, container: Container, update: FileUpdate, after: Block, work: Work, state: FileState) -> None:
        before = hostsfile.found(update.before) or Block()
        cause, same = ", ".join(work.causes), state.in_sync and state.block == after
        rebuilt = container.state is not State.RUNNING and hostsfile.found(update.before) is None
        # An engine rebuilds the file up to three times at one start; that is one change.
        quiet, state.rebuilt = rebuilt and same and state.rebuilt, rebuilt
        if cause == FILE_CHANGED:
            cause = "the engine rebuilt the file" if rebuilt else "drift" if same else cause
        log_change(container.name, cause, name_changes(before, after), time.monotonic() - work.since, quiet=quiet)

    async def remove_all(self) -> None:
        """Take our block out of every file that is kept."""
        for key in list(self._states):
            container = self._inventory.container(key)
            if container is not None and refusal(container) is None:
                with suppress(FileGoneError, FileRefusedError, FileFailedError):
                    await self._files.update(key, Rewriting(Block(), container))

    # When that is not possible.

    def _refused(self, key: ContainerKey, container: Container, error: FileRefusedError) -> None:
        state = self._states.setdefault(key, FileState())
        if state.error != str(error):
            level = "DEBUG" if isinstance(error, OutOfSightError) else "ERROR"
            logger.log(level, "{}: refused: {}", container.name, error)
        state.in_sync, state.error = False, str(error)

    def _failed(self, key: ContainerKey, container: Container, error: str) -> None:
        state = self._states.setdefault(key, FileState())
        wait = state.backoff.failed(random.random())  # noqa: S311
        # The engine may just be rebuilding the file: what is over by the next round is nobody's business.
        logger.log("WARNING" if state.backoff.failures == _FAILURES_TOLD else "DEBUG", "{}: {}", container.name, error)
        state.in_sync, state.error = False, error
        self._queue.add_at(time.monotonic() + wait, key, "trying again")


def refusal(container: Container) -> str | None:
    """Why the container's hosts file must be left alone, `None` if it need not."""
    if container.hosts_mount is None:
        return None
    return (
        f"{container.hosts_mount} is mounted on its /etc/hosts: that file is not the engine's, so it is left alone;"
        " remove the mount to have it kept"
    )


class Rewriting:
    """The change that a worker thread makes to a file's text; it may be called again when somebody else wrote."""

    def __init__(self, block: Block, container: Container) -> None:
        self._block = block
        self._reserved = frozenset({container.key.id[:12], container.own_hostname.lower()})
        self.standing = Block()
        """The block as it really stands in the text that was made last."""

    def __call__(self, text: bytes) -> bytes:
        result = hostsfile.rewritten(text, self._block, self._reserved)
        self.standing = result.block
        return result.text
