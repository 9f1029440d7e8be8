"""Notifications: applications are told that their records have changed, once for each settled change.

An application knows the records that its file held when it started, or when it was last notified. It is notified once
its records differ from those and have been the same for a while; all that happened in between is one change. A restart
may move the container's own address, which changes the records of others, and their restarts in turn its own. So no
application is notified of a change that its own notification has caused.

A notification that fails is tried again for a while: an engine may be busy, and a program may reject a configuration
that a person mends in a minute. It is given up once the container has ended or was started since: then it knows.
"""

import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup
from loguru import logger

from hostwatch.control.journal import NameChange, name_changes
from hostwatch.control.source import Actions, EngineError, ExecResult, GoneError
from hostwatch.core.block.records import Block
from hostwatch.core.model import Address, Container, ContainerKey, State
from hostwatch.core.names import shown
from hostwatch.core.notifications import Exec, HostCommand, Notification, Restart, Signal
from hostwatch.core.store.store import Store
from hostwatch.core.timing import Backoff, Debounce

_MOST = 10
"""How many times the debounce a notification is delayed while the records go on changing."""
_CONCURRENT = 8
_REMEMBERED = 16
"""How many blocks of a file are remembered during a start; an engine rebuilds it up to three times."""
_COMMAND_SECONDS = 60.0
_ECHO_SECONDS = 60.0
"""How long after a restart of ours its consequences may come, in addition to the debounce."""
_STALE_SECONDS = 0.1
"""How long to wait for a stale container to be read; that takes some milliseconds after its change."""
_RETRY_BACKOFF_SECONDS = (1.0, 60.0)
_RETRY_SECONDS = 600.0
"""How long a notification is retried: an engine that is busy or being restarted is back by then."""
_REFUSALS = 3
"""How often a command itself may fail: an error that lasts for more than some seconds needs a person."""
_MOST_OUTPUT = 300
"""How many characters of a command's output are logged."""

RunOnHost = Callable[[tuple[str, ...]], Awaitable[ExecResult]]
"""Runs a command on the host to its end. Raises `OSError`."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a notification failed."""

    text: str
    by_command: bool = False
    """Whether the command ran and failed."""
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A notification of a container, with the changes that it is about."""

    container: Container
    notification: Notification
    changes: tuple[NameChange, ...]
    lineage: frozenset[ContainerKey]
    since: float
    """When it became due (seconds since the epoch)."""


@dataclass(frozen=True, slots=True)
class _Restarted:
    """A container that was restarted by a notification."""

    addresses: frozenset[Address]
    """Its addresses before the restart."""
    lineage: frozenset[ContainerKey]
    """Itself, and the containers whose restarts led to this one."""
    until: float


class Notifier:
    """Notifies the applications of one engine's containers. A hosts file's key is its owner's."""

    def __init__(
        self,
        actions: Actions,
        store: Store,
        tasks: TaskGroup,
        debounce_seconds: float,
        run_on_host: RunOnHost | None = None,
    ) -> None:
        self._actions = actions
        self._run_on_host = run_on_host
        self._store = store
        self._tasks = tasks
        self.debounce_seconds = debounce_seconds
        self._known: dict[ContainerKey, Block] = {}
        self._now: dict[ContainerKey, Block] = {}
        self._starting: dict[ContainerKey, deque[tuple[float, Block]]] = {}
        self._pending: dict[ContainerKey, Debounce] = {}
        self._restarted: dict[ContainerKey, _Restarted] = {}
        self._retries: dict[tuple[ContainerKey, Notification], anyio.CancelScope] = {}
        """Failed notifications that are retried; a newer one replaces them."""
        self._limiter = anyio.CapacityLimiter(_CONCURRENT)

    def __repr__(self) -> str:
        return f"<Notifier: {len(self._pending)} pending>"

    def starts_with(self, file: ContainerKey, block: Block, written: float) -> None:
        """The file of a starting container has this block since `written` (seconds since the epoch)."""
        self._starting.setdefault(file, deque(maxlen=_REMEMBERED)).append((written, block))

    def published(self, file: ContainerKey, before: Block, block: Block, started: float) -> None:
        """The file of a running container has this block; it had `before` when it was first seen.

        `started` is when the application began to run, and so could read the file (seconds since the epoch).
        """
        if starting := self._starting.pop(file, None):
            earlier = [known for written, known in starting if written <= started]
            self._known[file] = self._now[file] = (earlier or [starting[0][1]])[-1]
        known = self._known.setdefault(file, before)
        if not name_changes(self._now.get(file, known), block):
            return
        self._now[file] = block
        if file in self._pending:
            self._pending[file].changed(anyio.current_time())
        else:
            self._pending[file] = self._debounce()
            self._tasks.start_soon(self._settle, file, name=f"notify {file}")

    def forget(self, file: ContainerKey) -> None:
        """The container is gone, or no longer a subscriber."""
        self._known.pop(file, None)
        self._now.pop(file, None)
        self._starting.pop(file, None)

    def _debounce(self) -> Debounce:
        return Debounce(anyio.current_time(), self.debounce_seconds, self.debounce_seconds * _MOST)

    async def _settle(self, file: ContainerKey) -> None:
        """Wait until the records have settled, and notify of the changes."""
        while (wait := self._pending[file].due - anyio.current_time()) > 0 or self._is_stale(file):
            if wait <= 0:
                self._pending[file] = self._debounce()
                wait = _STALE_SECONDS if self.debounce_seconds <= 0 else 0.0
            await anyio.sleep(wait)
        del self._pending[file]
        known, now = self._known.get(file), self._now.get(file)
        if known is None or now is None:
            return
        self._known[file] = now
        if changes := name_changes(known, now):
            await self._tell_all(file, changes)

    def _is_stale(self, file: ContainerKey) -> bool:
        """Whether the container may be restarting, after which it knows the records anyway."""
        container = self._store.container(file)
        return container is not None and container.state is State.UNKNOWN

    async def _tell_all(self, file: ContainerKey, changes: tuple[NameChange, ...]) -> None:
        addresses = frozenset(address for change in changes for address in change.addresses)
        for container, notification in self._store.sharing(file).notifications:
            if container.state is State.STOPPED:  # it will start with the records as they are
                continue
            lineage = self._lineage(container.key, addresses)
            if lineage is None:
                logger.info("{}: not notified, as its own restart has changed its records", container.name)
            else:
                await self._tell(_Delivery(container, notification, changes, lineage, time.time()))

    def _lineage(self, target: ContainerKey, addresses: Iterable[Address]) -> frozenset[ContainerKey] | None:
        """The restarts that led to this change, and the target's own; `None` if its own has already led to it."""
        self._forget_restarts()
        lineages = [self._lineage_of(address, target) for address in addresses]
        if lineages and all(target in lineage for lineage in lineages):
            return None
        return frozenset({target}).union(*lineages)

    def _lineage_of(self, address: Address, target: ContainerKey) -> frozenset[ContainerKey]:
        holders = self._store.holders(target.engine, address)
        found = {holder for holder in holders if holder == target}
        for key, restarted in self._restarted.items():
            if key in holders or address in restarted.addresses:
                found |= restarted.lineage
        return frozenset(found)

    def _forget_restarts(self) -> None:
        now = anyio.current_time()
        self._restarted = {key: restarted for key, restarted in self._restarted.items() if restarted.until > now}

    # Delivery.

    async def _tell(self, delivery: _Delivery) -> None:
        target = delivery.container.key, delivery.notification
        if (older := self._retries.pop(target, None)) is not None:
            older.cancel()
        fault = await self._fault(delivery)
        if fault is None:
            return
        again = "" if fault.is_final else "; it will be tried again"
        logger.warning(
            "{}: could not be notified by {}: {}{}", delivery.container.name, delivery.notification, fault.text, again
        )
        if not fault.is_final:
            scope = self._retries[target] = anyio.CancelScope()
            self._tasks.start_soon(self._try_again, delivery, fault, scope, name=f"notify {delivery.container.name}")

    async def _try_again(self, delivery: _Delivery, fault: _Fault, scope: anyio.CancelScope) -> None:
        with scope:
            await self._retry(delivery, fault)
        target = delivery.container.key, delivery.notification
        if self._retries.get(target) is scope:
            del self._retries[target]

    async def _retry(self, delivery: _Delivery, fault: _Fault) -> None:
        """Try again until it works, is given up, or is not needed any more; logs the outcome once."""
        backoff, until, refusals = Backoff(*_RETRY_BACKOFF_SECONDS), anyio.current_time() + _RETRY_SECONDS, 0
        while True:
            refusals += fault.by_command
            if fault.is_final or refusals >= _REFUSALS or anyio.current_time() > until:
                logger.warning(
                    "{}: not notified by {}, and given up: {}",
                    delivery.container.name,
                    delivery.notification,
                    fault.text,
                )
                return
            await anyio.sleep(backoff.failed(random.random()))  # noqa: S311
            now = self._store.container(delivery.container.key)
            if now is None or now.state is State.STOPPED or now.started > delivery.since:
                reason = "it has ended" if now is None or now.state is State.STOPPED else "it was started since"
                logger.info(
                    "{}: no longer to be notified by {}: {}", delivery.container.name, delivery.notification, reason
                )
                return
            if (found := await self._fault(delivery)) is None:
                return
            fault = found

    async def _fault(self, delivery: _Delivery) -> _Fault | None:
        """Deliver a notification, and log a success; returns the reason of a failure."""
        container, notification = delivery.container, delivery.notification
        if isinstance(notification, Restart):
            self._expect_restart(container, delivery.lineage)
        try:
            async with self._limiter:
                fault = await self._fault_of(container.key, notification)
        except GoneError as error:
            return _Fault(str(error), is_final=True)
        except EngineError as error:
            return _Fault(str(error))
        if fault is None:
            logger.info("{}: notified by {} ({})", container.name, notification, "; ".join(map(str, delivery.changes)))
        return fault

    def _expect_restart(self, container: Container, lineage: frozenset[ContainerKey]) -> None:
        addresses = frozenset(address for endpoint in container.endpoints for address in endpoint.addresses)
        until = anyio.current_time() + _ECHO_SECONDS + self.debounce_seconds * _MOST
        self._restarted[container.key] = _Restarted(addresses, lineage, until)

    async def _fault_of(self, key: ContainerKey, notification: Notification) -> _Fault | None:
        """Carry out a notification; returns the failure of its command, if any."""
        match notification:
            case Signal(name):
                await self._actions.kill(key, name)
            case Restart():
                await self._actions.restart(key)
            case Exec(command):
                return await self._exec_fault(key, command)
            case HostCommand(command):
                return await self._host_fault(command)
        return None

    async def _exec_fault(self, key: ContainerKey, command: tuple[str, ...]) -> _Fault | None:
        try:
            with anyio.fail_after(_COMMAND_SECONDS):
                return _said(await self._actions.exec(key, command))
        except TimeoutError:
            return _Fault(f"it did not end within {_COMMAND_SECONDS:g} s", by_command=True)

    async def _host_fault(self, command: tuple[str, ...]) -> _Fault | None:
        if self._run_on_host is None:
            return _Fault("no command is run on the host here", is_final=True)
        try:
            return _said(await self._run_on_host(command))
        except OSError as error:
            return _Fault(str(error), by_command=isinstance(error, TimeoutError))


def _said(result: ExecResult) -> _Fault | None:
    """The failure that a command's result shows; `None` for a success."""
    if result.status == 0:
        return None
    told = shown((result.errors + result.output).decode("utf-8", "replace").strip(), _MOST_OUTPUT)
    return _Fault(f"exit status {result.status}: {told or 'no output'}", by_command=True)
