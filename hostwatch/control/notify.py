"""Notifies applications that their records have changed, once for each settled change.

An application knows the records that its file held when it started, or when it was last notified. It is notified once
its records differ from those and have been the same for a while; all that happened in between is one change.
"""

import time
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup
from loguru import logger

from hostwatch.control.clock import loop_time
from hostwatch.control.delivery import Deliveries, Delivery, Means
from hostwatch.control.figures import NotificationResult
from hostwatch.control.restarts import Pauses, Restarts
from hostwatch.core.block.differences import NameChange, name_changes
from hostwatch.core.block.records import Block
from hostwatch.core.model import ContainerKey, FileKind, State
from hostwatch.core.notifications import Restart
from hostwatch.core.store.store import Store
from hostwatch.core.timing import Debounce

_MOST = 10
"""While the records go on changing, a notification is delayed by at most this many times the debounce."""
_REMEMBERED = 16
"""Blocks of a file that are remembered during a start. An engine rebuilds the file up to three times."""
_ECHO_SECONDS = 60.0
"""The consequences of a restart by hostwatch may come for this time, in addition to the debounce."""
_STALE_SECONDS = 0.1
"""Wait for a stale container to be read, which takes some milliseconds after its change."""


@dataclass(slots=True)
class _File:
    """A file, and what the application knows of it."""

    known: Block | None = None
    """The block that the application read when it started, or was last notified of."""
    now: Block | None = None
    """The block in the file; `None` until it differs from what is known."""
    starting: tuple[tuple[float, Block], ...] = ()
    """The blocks during the present start, each with the time since when the file has it."""


class Notifier:
    """Notifies the applications of one engine's containers, each once for all changes of its files."""

    def __init__(
        self,
        means: Means,
        store: Store,
        tasks: TaskGroup,
        debounce_seconds: float,
        results: dict[NotificationResult, int],
    ) -> None:
        """`results` counts how the notifications ended."""
        self._store = store
        self._tasks = tasks
        self.debounce_seconds = debounce_seconds
        self._files: dict[tuple[ContainerKey, FileKind], _File] = {}
        self._pending: dict[ContainerKey, Debounce] = {}
        self._restarts = Restarts(store)
        self._pauses = Pauses()
        self._deliveries = Deliveries(means, store, self._restarts, tasks, results)

    def __repr__(self) -> str:
        return f"<Notifier: {len(self._pending)} pending>"

    def starts_with(self, key: ContainerKey, block: Block, written: float, kind: FileKind = FileKind.HOSTS) -> None:
        """Note that a starting container's file has this block since `written` (seconds since the epoch)."""
        file = self._files.setdefault((key, kind), _File())
        file.starting = (*file.starting, (written, block))[-_REMEMBERED:]

    def published(
        self, key: ContainerKey, before: Block, block: Block, started: float, kind: FileKind = FileKind.HOSTS
    ) -> None:
        """Note that a running container's file has this block. It had `before` when it was first seen.

        `started` is when the application began to run, and so could read the file (seconds since the epoch).
        """
        file = self._files.setdefault((key, kind), _File())
        if file.starting:
            earlier = [known for written, known in file.starting if written <= started]
            file.known = file.now = (earlier or [file.starting[0][1]])[-1]
            file.starting = ()
        if file.known is None:
            file.known = before
        if not name_changes(file.known if file.now is None else file.now, block):
            return
        file.now = block
        if key in self._pending:
            self._pending[key].changed(loop_time())
        else:
            self._pending[key] = self._debounce()
            self._tasks.start_soon(self._settle, key, name=f"notify {key}")

    def forget(self, key: ContainerKey, kind: FileKind) -> None:
        """Forget a container that is gone, or no longer a subscriber."""
        self._files.pop((key, kind), None)

    def _debounce(self) -> Debounce:
        return Debounce(loop_time(), self.debounce_seconds, self.debounce_seconds * _MOST)

    async def _settle(self, key: ContainerKey) -> None:
        """Wait until the records have settled, and notify of the changes."""
        while (wait := self._pending[key].due - loop_time()) > 0 or self._is_stale(key):
            if wait <= 0:
                self._pending[key] = self._debounce()
                wait = _STALE_SECONDS if self.debounce_seconds <= 0 else 0.0
            await anyio.sleep(wait)
        del self._pending[key]
        changes = {kind: found for kind in FileKind if (found := self._changes(key, kind))}
        if changes:
            await self._tell_all(key, changes)

    def _changes(self, key: ContainerKey, kind: FileKind) -> tuple[NameChange, ...]:
        """The changes of a file since the application was last notified. It counts as notified of them now."""
        file = self._files.get((key, kind))
        if file is None or file.known is None or file.now is None:
            return ()
        known, file.known = file.known, file.now
        return name_changes(known, file.known)

    def _is_stale(self, key: ContainerKey) -> bool:
        """Whether the container may be restarting, after which it knows the new records without a notification."""
        container = self._store.container(key)
        return container is not None and container.state is State.UNKNOWN

    async def _tell_all(self, key: ContainerKey, changed: dict[FileKind, tuple[NameChange, ...]]) -> None:
        changes = tuple(change for found in changed.values() for change in found)
        addresses = frozenset(address for change in changes for address in change.addresses)
        is_paced = [*changed] == [FileKind.RESOLV]
        for container, notification in self._store.sharing(key).notifications:
            if container.state is State.STOPPED:  # it will read the present records when it starts
                continue
            lineage = self._restarts.lineage(container.key, addresses)
            if lineage is None:
                logger.info("{}: not notified, as its own restart has changed its records", container.name)
            else:
                echo = _ECHO_SECONDS + self.debounce_seconds * _MOST
                delivery = Delivery(container, notification, changes, lineage, time.time(), echo)
                if is_paced and isinstance(notification, Restart):
                    self._restart_in_turn(delivery)
                else:
                    await self._deliveries.deliver(delivery)

    def _restart_in_turn(self, delivery: Delivery) -> None:
        """Restart a container for its resolv.conf alone, not too often. Whatever changes meanwhile is in the file."""
        container = delivery.container
        if (wait := self._pauses.seconds(container.key, loop_time())) is None:
            return
        if wait > 0:
            logger.info(
                "{}: restarted in {:.0f} s: once a minute at most for its resolv.conf alone", container.name, wait
            )
        self._tasks.start_soon(self._deliveries.deliver_after, wait, delivery, name=f"restart {container.name}")
