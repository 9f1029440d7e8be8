"""Reading containers and networks again: one task for each, so that none waits for one that the engine holds up.

A container that is asked for while it is being read is read once more afterwards; what fails is tried again with
backoff, or as soon as it is asked for once more, and leaves what was known as it is. A container that cannot be
inspected for half a minute counts from then on as what the list says of it: its aliases, which nobody knows, would keep
every name on its networks from ever being found gone.

One that changes all the time, as in a crash loop, is damped: it is read some times a second at most, and whom its
changes concern is told in step with that. The newest state is always read in the end.
"""

import random
from collections.abc import Callable, Iterable, Mapping

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup
from loguru import logger

from hostwatch.control.informer.unread import ATTEMPT_SECONDS, Unread
from hostwatch.control.source import EngineError, GoneError, Source
from hostwatch.core.model import Address, Container, ContainerKey, Endpoint, NetworkKey, State
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store
from hostwatch.core.timing import Backoff, RateLimiter

_AGAIN_SECONDS = (0.2, 10.0)
"""How long to wait with what could not be read, unless an event asks for it."""
_DOUBT = (0.5, 5.0)
"""How long a container may be in doubt without an event that has it read again: seconds at first, and at most."""
_FAILURES_TOLD = 5
"""After how many failures in a row, some seconds, it is worth a line that something cannot be read."""
_BULK = 16
"""How many containers are read at once when all are; one that hangs takes one of these places, no more."""
_PATIENCE_SECONDS = 1.0
"""How long reading them all waits for one of them; a slower one is read in the background."""

_AS_LISTED_SECONDS = (1.0, 60.0)
"""How long to wait with the next attempt then, unless an event asks for it."""
_LIST_SECONDS = 2.5
"""How long it takes to be paid back that one is listed then: its labels may take a tenth of a second to parse."""

_READ_SECONDS = 0.25
"""How long one read of a container or network takes to be paid back, where it is read more often than that."""
_CREDIT_SECONDS = 5.0
"""What may be read ahead of that: 20 reads at once, where a start has four and a restart six."""

_CLAIM_PAUSES_SECONDS = (*[0.002] * 10, 0.004, 0.008, 0.016)
"""Before each question for an address that a container's file has. Its network tells of it 2 to 25 ms after the engine
has written the file, which is 1 to 60 ms before the connection is published (engines 20.10 to 28.5)."""
_CLAIM_SECONDS = 2.0
"""How long it takes to be paid back that a claim came to nothing: a container may write into its file what it likes."""

PutEndpoint = Callable[[ContainerKey, Endpoint], FileKeys]
Changed = Callable[[FileKeys, str], None]
"""Told which hosts files may be affected, and by what."""
WasRead = Callable[[ContainerKey], None]
"""Told of each container that was read, or that is gone, as the store knows it by now."""


class ReadQueue:
    """Reads again what events, hints and resyncs ask for, and puts it into the store."""

    def __init__(self, source: Source, store: Store, was_read: WasRead, changed: Changed, tasks: TaskGroup) -> None:
        self._was_read = was_read
        self._source = source
        self._store = store
        self._changed = changed
        self._tasks = tasks
        self._asked: dict[ContainerKey | NetworkKey, str | None] = {}
        self._pauses: dict[ContainerKey | NetworkKey, anyio.Event] = {}
        self._connected: dict[ContainerKey, NetworkKey] = {}
        """On which network the endpoint of a container is to be read before all else."""
        self._claiming: set[ContainerKey] = set()
        """Whose networks are being asked for an address that its file has, until the engine tells of it."""
        self._claims: RateLimiter[ContainerKey] = RateLimiter(_CREDIT_SECONDS)
        self._stale: set[ContainerKey] = set()
        self._pace: RateLimiter[ContainerKey | NetworkKey] = RateLimiter(_CREDIT_SECONDS)
        self._unread = Unread()
        self._lists: RateLimiter[ContainerKey] = RateLimiter(_CREDIT_SECONDS)
        self._owed: dict[ContainerKey | NetworkKey, FileKeys] = {}
        """Whom the changes of a damped container concern that nobody was told of yet."""

    def __repr__(self) -> str:
        return f"<ReadQueue: {len(self._asked)} being read, {len(self._stale)} in doubt>"

    def want(self, key: ContainerKey | NetworkKey, cause: str, *, patience: float = 0.0) -> None:
        """Have a container or network read again in the background: at once, or in so many seconds at the latest."""
        if key not in self._asked:
            self._asked[key] = None
            self._tasks.start_soon(self._until_read, key, cause, patience, name=f"read {key}")
        elif patience <= 0 or key not in self._pauses:
            self._asked[key] = cause
            if key in self._pauses:
                self._pauses[key].set()

    def want_connected(self, network: NetworkKey, key: ContainerKey, cause: str) -> None:
        """Have a running container that was connected to a network read again.

        Where it was just disconnected, its endpoint is read before the rest: its network tells of that without waiting
        for the container's lock, which the engine holds a millisecond more. There are two requests for the two events.
        """
        self._claiming.discard(key)
        if key in self._pauses:
            self._connected[key] = network
        self.want(key, cause)

    def want_claimed(self, key: ContainerKey, networks: Mapping[NetworkKey, frozenset[Address]], cause: str) -> None:
        """Have these networks asked for addresses that a running container claims to have got there."""
        if key not in self._claiming and self._claims.wait(key, anyio.current_time()) <= 0:
            self._claiming.add(key)
            self._tasks.start_soon(self._read_claimed, key, networks, cause, name=f"claim of {key}")

    def undamped(self, key: ContainerKey, files: FileKeys, cause: str) -> FileKeys:
        """Those of the files that a change of the container concerns which are to be compared at once.

        With a container that changes all the time that is its own alone; the others come before it is read next.
        """
        if self._pace.wait(key, anyio.current_time()) <= 0:
            return files
        self._owed[key] = self._owed.get(key, frozenset()) | files
        self.want(key, cause)
        return files & {key}

    def want_listed(self, key: ContainerKey, cause: str) -> None:
        """Have a container that is being started read from the list, which waits for no lock."""
        self._tasks.start_soon(self._read_listed, key, cause, name=f"list {key}")

    def want_endpoint(self, network: NetworkKey, key: ContainerKey, cause: str) -> None:
        """Have the endpoint of a container that is being started read from its network, which waits for no lock."""
        self._tasks.start_soon(self._read_endpoint, network, key, cause, self._store.connecting, name=f"endpoint {key}")

    def confirm(self, key: ContainerKey) -> None:
        """See to it that a container in doubt is read again, if no event asks for that first."""
        if key not in self._stale and self._is_stale(key):
            self._stale.add(key)
            self._tasks.start_soon(self._confirm, key, name=f"confirm {key}")

    def listed(self, container: Container, asked: int, cause: str) -> None:
        """Take in what the list says of a container, if it counts as that."""
        if self._unread.is_given_up(container.key):
            self._changed(self._store.put_unreadable(container, asked), cause)
            self._was_read(container.key)

    async def read_all(self, keys: Iterable[ContainerKey], cause: str) -> None:
        """Read these containers, some at a time; returns when each has been tried once."""
        remaining = iter(tuple(keys))

        async def read_next() -> None:
            for key in remaining:
                if key in self._asked or not await self._read_soon(key, cause):
                    self.want(key, cause)

        async with anyio.create_task_group() as workers:
            for _ in range(_BULK):
                workers.start_soon(read_next)

    async def _read_soon(self, key: ContainerKey, cause: str) -> bool:
        self._asked[key] = None
        read = False
        with anyio.move_on_after(_PATIENCE_SECONDS):
            read = await self._read_once(key, cause) is None
        if not read:
            del self._asked[key]
        return read

    async def _until_read(self, key: ContainerKey | NetworkKey, cause: str, patience: float) -> None:
        if patience > 0:
            await self._pause(key, patience)
        backoff, later = Backoff(*_AGAIN_SECONDS), Backoff(*_AS_LISTED_SECONDS)
        while (fault := await self._read_once(key, cause)) is not None:
            chance = random.random()  # noqa: S311
            if self._is_given_up(key, cause, fault):
                if self._asked[key] is not None or await self._pause(key, later.failed(chance)):
                    later.succeeded()  # what has happened may be listed a little late
            elif self._asked[key] is None:
                left = self._unread.patience(key, anyio.current_time())
                await self._pause(key, min(backoff.failed(chance), left))
                if backoff.failures == _FAILURES_TOLD:
                    logger.warning("{} cannot be read, so what is known of it stays: {}", self._name(key), fault)

    async def _pause(self, key: ContainerKey | NetworkKey, seconds: float) -> bool:
        """Wait until it may be tried again, or is asked for; returns which."""
        self._pauses[key] = asked = anyio.Event()
        with anyio.move_on_after(seconds):
            await asked.wait()
        del self._pauses[key]
        return asked.is_set()

    def _is_given_up(self, key: ContainerKey | NetworkKey, cause: str, fault: str) -> bool:
        """Whether the key is a container that counts as what the list says of it, from now on perhaps."""
        if not isinstance(key, ContainerKey) or not self._unread.is_overdue(key, anyio.current_time()):
            return False
        if self._unread.give_up(key):
            self._asked[key] = cause  # it is listed at once
            logger.warning(
                "{} cannot be inspected ({}): from now on it counts as what the list of containers says of it, without"
                " aliases that are not known; shorten its labels, or see why `docker inspect` does not answer",
                self._name(key),
                fault,
            )
        return True

    async def _list_instead(self, key: ContainerKey, cause: str) -> bool:
        """Read a container that cannot be inspected from the list; returns whether it is gone."""
        if self._lists.wait(key, anyio.current_time()) > 0:
            return False
        self._lists.spend(key, anyio.current_time(), _LIST_SECONDS)
        asked = self._store.now()
        try:
            with anyio.fail_after(ATTEMPT_SECONDS):
                found = await self._source.listed(key)
        except (EngineError, GoneError, TimeoutError) as error:
            logger.debug("{} is not known, as listing it failed: {}", key, error)
            found = self._store.container(key)
            if found is None:
                return False
        if found is None:
            self._changed(self._forget(key), cause)
            return True
        self.listed(found, asked, cause)
        return False

    def _name(self, key: ContainerKey | NetworkKey) -> str:
        container = self._store.container(key) if isinstance(key, ContainerKey) else None
        return container.name if container is not None else str(key)

    async def _read_once(self, key: ContainerKey | NetworkKey, cause: str) -> str | None:
        """Read once, and again for each time that it was asked for meanwhile; returns why that failed, if it did."""
        while True:
            await self._rest(key)
            cause, self._asked[key] = self._asked[key] or cause, None
            if owed := self._owed.pop(key, None):
                self._changed(owed, cause)
            if isinstance(key, ContainerKey) and (network := self._connected.pop(key, None)) is not None:
                await self._read_endpoint(network, key, cause, self._store.connected)
                await anyio.lowlevel.checkpoint()  # whom that concerns comes before the next request
            if isinstance(key, ContainerKey) and self._unread.is_given_up(key) and await self._list_instead(key, cause):
                del self._asked[key]
                return None
            try:
                with anyio.fail_after(self._unread.patience(key, anyio.current_time())):
                    files = await self._read(key, self._store.now())
            except (EngineError, TimeoutError) as error:
                logger.debug("{} is not known, as reading it failed: {}", key, error)
                return str(error) or "no answer"
            self._changed(files, cause)
            if self._asked[key] is None and not self._is_stale(key):  # in doubt: the answer was too old to be taken
                del self._asked[key]
                return None

    async def _rest(self, key: ContainerKey | NetworkKey) -> None:
        """Wait until the key may be read, and note that it is."""
        if (wait := self._pace.wait(key, anyio.current_time())) > 0:
            await anyio.sleep(wait)
        self._pace.spend(key, anyio.current_time(), _READ_SECONDS)

    async def _read(self, key: ContainerKey | NetworkKey, mark: int) -> FileKeys:
        if isinstance(key, NetworkKey):
            return await self._read_network(key)
        try:
            container = await self._source.container(key)
        except GoneError:
            return self._forget(key)
        if self._unread.read(key):
            logger.info("{} can be inspected again", container.name)
        files = self._store.put(container, mark)
        self._was_read(key)
        # The answer may be older than what has been seen since, or give this container an address of another.
        for stale in self._store.newly_stale():
            self.confirm(stale)
        parent = self._store.joins.unread_parent(container)
        if parent is not None and parent not in self._asked:
            self.want(parent, "it is joined")
        return files

    def _forget(self, key: ContainerKey) -> FileKeys:
        """A container is gone; what is remembered of its file goes, too."""
        self._pace.forget(key)
        self._claims.forget(key)
        self._lists.forget(key)
        self._unread.read(key)
        files = self._store.drop(key) | {key}
        self._was_read(key)
        return files

    async def _read_network(self, key: NetworkKey) -> FileKeys:
        try:
            return self._store.put_network(await self._source.network(key))
        except GoneError:
            self._pace.forget(key)
            return self._store.drop_network(key)

    async def _read_listed(self, key: ContainerKey, cause: str) -> None:
        try:
            container = await self._source.listed(key)
        except (EngineError, GoneError) as error:
            logger.debug("{} is not known yet, as listing it failed: {}", key, error)
            return
        if container is not None:
            self._changed(self._store.put_listed(container), cause)

    async def _read_endpoint(self, network: NetworkKey, key: ContainerKey, cause: str, put: PutEndpoint) -> None:
        endpoint = await self._endpoint(network, key)
        if endpoint is not None:
            self._changed(put(key, endpoint), cause)
            self.confirm(key)

    async def _read_claimed(
        self, key: ContainerKey, networks: Mapping[NetworkKey, frozenset[Address]], cause: str
    ) -> None:
        """Ask some times, until a network knows of it, or the event has come."""
        try:
            for pause in _CLAIM_PAUSES_SECONDS:
                await anyio.sleep(pause)
                for network, addresses in networks.items():
                    if key not in self._claiming:
                        return
                    endpoint = await self._endpoint(network, key)
                    if endpoint is not None and not addresses.isdisjoint(endpoint.addresses):
                        self._changed(self._store.connected(key, endpoint), cause)
                        self.want(key, cause)
                        return
            self._claims.spend(key, anyio.current_time(), _CLAIM_SECONDS)
        finally:
            self._claiming.discard(key)

    async def _endpoint(self, network: NetworkKey, key: ContainerKey) -> Endpoint | None:
        """A container's endpoint, as its network tells it; `None` where that is not known yet."""
        try:
            return await self._source.endpoint(network, key)
        except (EngineError, GoneError) as error:
            logger.debug("the endpoint of {} is not known yet: {}", key, error)
            return None

    async def _confirm(self, key: ContainerKey) -> None:
        backoff = Backoff(*_DOUBT)
        while self._is_stale(key):
            await anyio.sleep(backoff.failed(0.0))
            if self._is_stale(key) and key not in self._asked:
                self.want(key, "an early hint was not confirmed")
        self._stale.discard(key)

    def _is_stale(self, key: ContainerKey | NetworkKey) -> bool:
        container = self._store.container(key) if isinstance(key, ContainerKey) else None
        return container is not None and container.state is State.UNKNOWN
