"""Carries out notifications, and retries failed ones for a while.

An engine may be busy, and a program may reject a configuration that a person mends in a minute. A notification is given
up once the container has ended or was started since, because it reads its records at the start.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

import anyio
from anyio.abc import TaskGroup
from loguru import logger

from hostwatch.control.clock import loop_time
from hostwatch.control.figures import NotificationResult
from hostwatch.control.restarts import Restarts
from hostwatch.control.source import Actions, EngineError, ExecResult, GoneError
from hostwatch.core.block.differences import NameChange
from hostwatch.core.model import Container, ContainerKey, State
from hostwatch.core.names import shown
from hostwatch.core.notifications import Exec, HostCommand, Notification, Restart, Signal
from hostwatch.core.store.store import Store
from hostwatch.core.timing import Backoff

_CONCURRENT = 8
_COMMAND_SECONDS = 60.0
_RETRY_BACKOFF_SECONDS = (1.0, 60.0)
_RETRY_SECONDS = 600.0
"""A notification is retried for this time. An engine that is busy or being restarted is back by then."""
_REFUSALS = 3
"""A command that fails this many times is given up: an error that lasts for more than some seconds needs a person."""
_MOST_OUTPUT = 300
"""Characters of a command's output that are logged."""

RunOnHost = Callable[[tuple[str, ...]], Awaitable[ExecResult]]
"""Runs a command on the host to its end. Raises `OSError`."""


class Means(NamedTuple):
    """The means by which an application can be notified."""

    actions: Actions
    run_on_host: RunOnHost | None = None


@dataclass(frozen=True, slots=True)
class _Fault:
    """The reason why a notification failed."""

    text: str
    by_command: bool = False
    """Whether the command ran and failed."""
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notification of a container, with the changes that it is about."""

    container: Container
    notification: Notification
    changes: tuple[NameChange, ...]
    lineage: frozenset[ContainerKey]
    since: float
    """The time at which it became due (seconds since the epoch)."""
    echo_seconds: float
    """Time for which the consequences of a restart may come."""


class Deliveries:
    """Carries out notifications of one engine's containers."""

    def __init__(
        self,
        means: Means,
        store: Store,
        restarts: Restarts,
        tasks: TaskGroup,
        results: dict[NotificationResult, int],
    ) -> None:
        """`results` counts how they ended."""
        self._actions, self._run_on_host = means
        self._store = store
        self._restarts = restarts
        self._tasks = tasks
        self._results = results
        self._retries: dict[tuple[ContainerKey, Notification], anyio.CancelScope] = {}
        """Failed notifications that are retried; a newer one replaces them."""
        self._limiter = anyio.CapacityLimiter(_CONCURRENT)

    def __repr__(self) -> str:
        return f"<Deliveries: {len(self._retries)} retried>"

    async def deliver(self, delivery: Delivery) -> None:
        """Carry out a notification, in the place of an earlier one of the same kind that has failed."""
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
        if fault.is_final:
            self._results[NotificationResult.GIVEN_UP] += 1
        else:
            scope = self._retries[target] = anyio.CancelScope()
            self._tasks.start_soon(self._try_again, delivery, fault, scope, name=f"notify {delivery.container.name}")

    async def deliver_after(self, seconds: float, delivery: Delivery) -> None:
        """Carry out a notification later, unless the container has ended by then, or was started since."""
        await anyio.sleep(seconds)
        if seconds <= 0 or not self._is_over(delivery):
            await self.deliver(delivery)

    async def _try_again(self, delivery: Delivery, fault: _Fault, scope: anyio.CancelScope) -> None:
        with scope:
            await self._retry(delivery, fault)
        target = delivery.container.key, delivery.notification
        if self._retries.get(target) is scope:
            del self._retries[target]

    async def _retry(self, delivery: Delivery, fault: _Fault) -> None:
        """Try again until the notification works, is given up, or is not needed any more. Logs the outcome once."""
        backoff, until, refusals = Backoff(*_RETRY_BACKOFF_SECONDS), loop_time() + _RETRY_SECONDS, 0
        while True:
            refusals += fault.by_command
            if fault.is_final or refusals >= _REFUSALS or loop_time() > until:
                logger.warning(
                    "{}: not notified by {}, and given up: {}",
                    delivery.container.name,
                    delivery.notification,
                    fault.text,
                )
                self._results[NotificationResult.GIVEN_UP] += 1
                return
            await anyio.sleep(backoff.failed(random.random()))  # noqa: S311
            if self._is_over(delivery):
                return
            if (found := await self._fault(delivery)) is None:
                return
            fault = found

    def _is_over(self, delivery: Delivery) -> bool:
        """Whether the container has ended, or has read the present records at a start. That is logged."""
        now = self._store.container(delivery.container.key)
        if now is None or now.state is State.STOPPED:
            reason = "it has ended"
        elif now.started > delivery.since:
            reason = "it was started since"
        else:
            return False
        logger.info("{}: no longer to be notified by {}: {}", delivery.container.name, delivery.notification, reason)
        return True

    async def _fault(self, delivery: Delivery) -> _Fault | None:
        """Deliver a notification, count the result, and log a success; returns the reason of a failure."""
        container, notification = delivery.container, delivery.notification
        if isinstance(notification, Restart):
            self._restarts.expect(container, delivery.lineage, delivery.echo_seconds)
        async with self._limiter:
            fault = await self._fault_of(container.key, notification)
        if fault is None:
            logger.info("{}: notified by {} ({})", container.name, notification, "; ".join(map(str, delivery.changes)))
        self._results[NotificationResult.DELIVERED if fault is None else NotificationResult.FAILED] += 1
        return fault

    async def _fault_of(self, key: ContainerKey, notification: Notification) -> _Fault | None:
        try:
            return await self._carried_out(key, notification)
        except GoneError as error:
            return _Fault(str(error), is_final=True)
        except EngineError as error:
            return _Fault(str(error))

    async def _carried_out(self, key: ContainerKey, notification: Notification) -> _Fault | None:
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
    output = shown((result.errors + result.output).decode("utf-8", "replace").strip(), _MOST_OUTPUT)
    return _Fault(f"exit status {result.status}: {output or 'no output'}", by_command=True)
