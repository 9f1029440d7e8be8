"""Telling applications that their records have changed: once for each settled change, never for their own restart.

What an application knows is what its file held when it started, or when it was last told. It is told when its records
differ from that and have been the same for a while; whatever happened in between is one change. A restart may move the
container's own address, and so change the records of others, and theirs in turn its own: nobody is told of a change
that his own notice has brought about.

A notice that fails is tried again for a while: an engine may be busy, and a program may find fault with what somebody
mends in a minute. It is given up where the container has ended or was started since, as it knows the records then.
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
"""How many times the debounce somebody is kept waiting while the records go on changing."""
_CONCURRENT = 8
_REMEMBERED = 16
"""How many texts are remembered that a file had during a start; an engine rebuilds it up to three times."""
_COMMAND_SECONDS = 60.0
_ECHO_SECONDS = 60.0
"""How long after a restart of ours the changes that it brings about may come, beyond what the debounce takes."""
_DOUBT_SECONDS = 0.1
"""How long to wait at least for a doubt to be over; a container is read again some milliseconds after it changed."""
_RETRY_BACKOFF_SECONDS = (1.0, 60.0)
_RETRY_SECONDS = 600.0
"""How long a notice is tried again: an engine that is busy or being restarted is back by then."""
_REFUSALS = 3
"""How often a command itself may fail: what it does not like for longer than some seconds is for a person to mend."""
_MOST_OUTPUT = 300
"""How many characters of a command's output are told."""

RunOnHost = Callable[[tuple[str, ...]], Awaitable[ExecResult]]
"""Runs a command on the host to its end. Raises `OSError`."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a notice failed."""

    text: str
    by_command: bool = False
    """Whether the command was run, and failed itself."""
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class _Telling:
    """A notice that is to be given, and of what."""

    container: Container
    notice: Notification
    changes: tuple[NameChange, ...]
    lineage: frozenset[ContainerKey]
    since: float
    """When it was due (seconds since the epoch)."""


@dataclass(frozen=True, slots=True)
class _Restarted:
    """A container that was restarted by a notice."""

    addresses: frozenset[Address]
    """Its addresses of before."""
    lineage: frozenset[ContainerKey]
    """Itself, and those whose restart led to this one."""
    until: float


class Notifier:
    """Tells the applications of one engine's containers. Hosts files go by the container that owns them."""

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
        """The notices that failed and are to be tried again; a newer one takes their place."""
        self._limiter = anyio.CapacityLimiter(_CONCURRENT)

    def __repr__(self) -> str:
        return f"<Notifier: {len(self._pending)} pending>"

    def starts_with(self, file: ContainerKey, block: Block, written: float) -> None:
        """The file of a container that is being started says this since `written` (seconds since the epoch)."""
        self._starting.setdefault(file, deque(maxlen=_REMEMBERED)).append((written, block))

    def published(self, file: ContainerKey, before: Block, block: Block, started: float) -> None:
        """The file of a running container says `block`; it said `before` when it was first seen.

        `started` is when the application began to run, and so to know what the file said (seconds since the epoch).
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
        """The container is gone, or subscribes no more."""
        self._known.pop(file, None)
        self._now.pop(file, None)
        self._starting.pop(file, None)

    def _debounce(self) -> Debounce:
        return Debounce(anyio.current_time(), self.debounce_seconds, self.debounce_seconds * _MOST)

    async def _settle(self, file: ContainerKey) -> None:
        """Wait until the records have settled, and tell of what has changed."""
        while (wait := self._pending[file].due - anyio.current_time()) > 0 or self._is_stale(file):
            if wait <= 0:
                self._pending[file] = self._debounce()
                wait = _DOUBT_SECONDS if self.debounce_seconds <= 0 else 0.0
            await anyio.sleep(wait)
        del self._pending[file]
        known, now = self._known.get(file), self._now.get(file)
        if known is None or now is None:
            return
        self._known[file] = now
        if changes := name_changes(known, now):
            await self._tell_all(file, changes)

    def _is_stale(self, file: ContainerKey) -> bool:
        """Whether the container is perhaps being restarted, and so to know the records without being told."""
        container = self._store.container(file)
        return container is not None and container.state is State.UNKNOWN

    async def _tell_all(self, file: ContainerKey, changes: tuple[NameChange, ...]) -> None:
        addresses = frozenset(address for change in changes for address in change.addresses)
        for container, notice in self._store.sharing(file).notices:
            if container.state is State.STOPPED:  # it will start with the records as they are
                continue
            lineage = self._lineage(container.key, addresses)
            if lineage is None:
                logger.info("{}: not notified, as its own restart has changed its records", container.name)
            else:
                await self._tell(_Telling(container, notice, changes, lineage, time.time()))

    def _lineage(self, target: ContainerKey, addresses: Iterable[Address]) -> frozenset[ContainerKey] | None:
        """The restarts that led to this change, with the target's own; `None` where that was among them already."""
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

    # The notices themselves.

    async def _tell(self, telling: _Telling) -> None:
        target = telling.container.key, telling.notice
        if (older := self._retries.pop(target, None)) is not None:
            older.cancel()
        fault = await self._fault(telling)
        if fault is None:
            return
        again = "" if fault.is_final else "; it will be tried again"
        logger.warning(
            "{}: could not be notified by {}: {}{}", telling.container.name, telling.notice, fault.text, again
        )
        if not fault.is_final:
            scope = self._retries[target] = anyio.CancelScope()
            self._tasks.start_soon(self._try_again, telling, fault, scope, name=f"notify {telling.container.name}")

    async def _try_again(self, telling: _Telling, fault: _Fault, scope: anyio.CancelScope) -> None:
        with scope:
            await self._retry(telling, fault)
        target = telling.container.key, telling.notice
        if self._retries.get(target) is scope:
            del self._retries[target]

    async def _retry(self, telling: _Telling, fault: _Fault) -> None:
        """Try again until it works, or is no more to be done; what came of it is told once."""
        backoff, until, refusals = Backoff(*_RETRY_BACKOFF_SECONDS), anyio.current_time() + _RETRY_SECONDS, 0
        while True:
            refusals += fault.by_command
            if fault.is_final or refusals >= _REFUSALS or anyio.current_time() > until:
                logger.warning(
                    "{}: not notified by {}, and given up: {}", telling.container.name, telling.notice, fault.text
                )
                return
            await anyio.sleep(backoff.failed(random.random()))  # noqa: S311
            now = self._store.container(telling.container.key)
            if now is None or now.state is State.STOPPED or now.started > telling.since:
                reason = "it has ended" if now is None or now.state is State.STOPPED else "it was started since"
                logger.info("{}: no longer to be notified by {}: {}", telling.container.name, telling.notice, reason)
                return
            if (found := await self._fault(telling)) is None:
                return
            fault = found

    async def _fault(self, telling: _Telling) -> _Fault | None:
        """Give a notice, and tell where that worked; else returns why it did not."""
        container, notice = telling.container, telling.notice
        if isinstance(notice, Restart):
            self._expect_restart(container, telling.lineage)
        try:
            async with self._limiter:
                fault = await self._fault_of(container.key, notice)
        except GoneError as error:
            return _Fault(str(error), is_final=True)
        except EngineError as error:
            return _Fault(str(error))
        if fault is None:
            logger.info("{}: notified by {} ({})", container.name, notice, "; ".join(map(str, telling.changes)))
        return fault

    def _expect_restart(self, container: Container, lineage: frozenset[ContainerKey]) -> None:
        addresses = frozenset(address for endpoint in container.endpoints for address in endpoint.addresses)
        until = anyio.current_time() + _ECHO_SECONDS + self.debounce_seconds * _MOST
        self._restarted[container.key] = _Restarted(addresses, lineage, until)

    async def _fault_of(self, key: ContainerKey, notice: Notification) -> _Fault | None:
        """Carry out a notice; returns why it failed, as far as the command says that."""
        match notice:
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
    """What a command says that it failed by, if it did."""
    if result.status == 0:
        return None
    told = shown((result.errors + result.output).decode("utf-8", "replace").strip(), _MOST_OUTPUT)
    return _Fault(f"exit status {result.status}: {told or 'no output'}", by_command=True)
