"""Telling applications that their records have changed: once for each settled change, never for their own restart.

What an application knows is what its file held when it started, or when it was last told. It is told when its records
differ from that and have been the same for a while; whatever happened in between is one change. A restart may move the
container's own address, and so change the records of others, and theirs in turn its own: nobody is told of a change
that his own notice has brought about.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup
from loguru import logger

from hostwatch.control.journal import NameChange, name_changes
from hostwatch.control.source import Actions, EngineError, GoneError
from hostwatch.core.inventory import Inventory
from hostwatch.core.model import Address, Container, ContainerKey, State
from hostwatch.core.names import shown
from hostwatch.core.notices import Exec, Notice, Restart, Signal
from hostwatch.core.pacing import Debounce
from hostwatch.core.records import Block

_MOST = 10
"""How many times the debounce somebody is kept waiting while the records go on changing."""
_CONCURRENT = 8
_REMEMBERED = 16
"""How many texts are remembered that a file had during a start; an engine rebuilds it up to three times."""
_COMMAND_SECONDS = 60.0
_ECHO_SECONDS = 60.0
"""How long after a restart of ours the changes that it brings about may come, beyond what the debounce takes."""


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

    def __init__(self, actions: Actions, inventory: Inventory, tasks: TaskGroup, debounce_seconds: float) -> None:
        self._actions = actions
        self._inventory = inventory
        self._tasks = tasks
        self.debounce_seconds = debounce_seconds
        self._known: dict[ContainerKey, Block] = {}
        self._now: dict[ContainerKey, Block] = {}
        self._starting: dict[ContainerKey, deque[tuple[float, Block]]] = {}
        self._pending: dict[ContainerKey, Debounce] = {}
        self._restarted: dict[ContainerKey, _Restarted] = {}
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
        while (wait := self._pending[file].due - anyio.current_time()) > 0 or self._is_in_doubt(file):
            if wait <= 0:
                self._pending[file] = self._debounce()
            await anyio.sleep(max(wait, 0.0))
        del self._pending[file]
        known, now = self._known.get(file), self._now.get(file)
        if known is None or now is None:
            return
        self._known[file] = now
        if changes := name_changes(known, now):
            await self._tell_all(file, changes)

    def _is_in_doubt(self, file: ContainerKey) -> bool:
        """Whether the container is perhaps being restarted, and so to know the records without being told."""
        container = self._inventory.container(file)
        return container is not None and container.state is State.UNKNOWN

    async def _tell_all(self, file: ContainerKey, changes: tuple[NameChange, ...]) -> None:
        addresses = frozenset(address for change in changes for address in change.addresses)
        for container, notice in self._inventory.sharing(file).notices:
            if container.state is State.STOPPED:  # it will start with the records as they are
                continue
            lineage = self._lineage(container.key, addresses)
            if lineage is None:
                logger.info("{}: not notified, as its own restart has changed its records", container.name)
            else:
                await self._tell(container, notice, changes, lineage)

    def _lineage(self, target: ContainerKey, addresses: Iterable[Address]) -> frozenset[ContainerKey] | None:
        """The restarts that led to this change, with the target's own; `None` where that was among them already."""
        self._forget_restarts()
        lineages = [self._lineage_of(address, target) for address in addresses]
        if all(target in lineage for lineage in lineages):
            return None
        return frozenset({target}).union(*lineages)

    def _lineage_of(self, address: Address, target: ContainerKey) -> frozenset[ContainerKey]:
        holders = self._inventory.holders(target.engine, address)
        found = {holder for holder in holders if holder == target}
        for key, restarted in self._restarted.items():
            if key in holders or address in restarted.addresses:
                found |= restarted.lineage
        return frozenset(found)

    def _forget_restarts(self) -> None:
        now = anyio.current_time()
        self._restarted = {key: restarted for key, restarted in self._restarted.items() if restarted.until > now}

    # The notices themselves.

    async def _tell(
        self, container: Container, notice: Notice, changes: Iterable[NameChange], lineage: frozenset[ContainerKey]
    ) -> None:
        if isinstance(notice, Restart):
            self._expect_restart(container, lineage)
        try:
            async with self._limiter:
                fault = await self._fault_of(container.key, notice)
        except (EngineError, GoneError) as error:
            fault = str(error)
        if fault is None:
            logger.info("{}: notified by {} ({})", container.name, notice, "; ".join(map(str, changes)))
        else:
            logger.warning("{}: could not be notified by {}: {}", container.name, notice, fault)

    def _expect_restart(self, container: Container, lineage: frozenset[ContainerKey]) -> None:
        addresses = frozenset(address for endpoint in container.endpoints for address in endpoint.addresses)
        until = anyio.current_time() + _ECHO_SECONDS + self.debounce_seconds * _MOST
        self._restarted[container.key] = _Restarted(addresses, lineage, until)

    async def _fault_of(self, key: ContainerKey, notice: Notice) -> str | None:
        """Carry out a notice; returns why it failed, as far as the container says that."""
        match notice:
            case Signal(name):
                await self._actions.kill(key, name)
            case Restart():
                await self._actions.restart(key)
            case Exec(command):
                return await self._exec_fault(key, command)
        return None

    async def _exec_fault(self, key: ContainerKey, command: tuple[str, ...]) -> str | None:
        try:
            with anyio.fail_after(_COMMAND_SECONDS):
                result = await self._actions.exec(key, command)
        except TimeoutError:
            return f"it did not end within {_COMMAND_SECONDS:g} s"
        if result.status == 0:
            return None
        told = shown((result.errors + result.output).decode("utf-8", "replace").strip())
        return f"exit status {result.status}: {told or 'no output'}"
