"""Reading one container or network from the engine into the store.

A container that cannot be inspected for half a minute is given up: from then on the store takes its entry in the list
of containers for it. Otherwise its unknown aliases would keep every name on its networks undecided for ever.
"""

from collections.abc import Callable

import anyio
from loguru import logger

from hostwatch.control.clock import loop_time
from hostwatch.control.informer.unread import ATTEMPT_SECONDS, Unread
from hostwatch.control.source import EngineError, GoneError, Source
from hostwatch.core.model import Container, ContainerKey, NetworkKey
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store
from hostwatch.core.timing import RateLimiter

Key = ContainerKey | NetworkKey

Affected = Callable[[FileKeys, str], None]
"""Called with the hosts files that a change may affect, and with its cause."""
Read = Callable[[ContainerKey], None]
"""Called once the store knows that a container was read, or is gone."""

_LIST_COST_SECONDS = 2.5
"""Price of listing a container that is given up: parsing its labels may take a tenth of a second."""
_LIST_CREDIT_SECONDS = 5.0
"""Two lists at once: events often come in pairs."""


class Reader:
    """Reads containers and networks."""

    def __init__(self, source: Source, store: Store, was_read: Read, affected: Affected) -> None:
        self._source = source
        self._store = store
        self._was_read = was_read
        self._affected = affected
        self._unread = Unread()
        self._lists: RateLimiter[ContainerKey] = RateLimiter(_LIST_CREDIT_SECONDS)

    def name(self, key: Key) -> str:
        """The name for the log: a container's own; the key of a network, or of an unknown container."""
        container = self._store.container(key) if isinstance(key, ContainerKey) else None
        return container.name if container is not None else str(key)

    async def read(self, key: Key, cause: str) -> bool:
        """Read once; returns whether the container or network is there. Raises `EngineError`, also for a timeout."""
        if isinstance(key, NetworkKey):
            return await self._read_network(key, cause)
        if self._unread.is_given_up(key) and await self._is_unlisted(key, cause):
            return False
        return await self._inspect(key, cause)

    def patience(self, key: Key) -> float:
        """Seconds that an inspection may take if it begins now."""
        return self._unread.patience(key, loop_time())

    def is_overdue(self, key: Key) -> bool:
        """Whether inspections of a container have failed for so long that it is given up."""
        return self._unread.is_overdue(key, loop_time())

    def give_up(self, key: Key, fault: str) -> bool:
        """Believe the list of containers from now on; returns whether that is new."""
        is_new = self._unread.give_up(key)
        if is_new:
            logger.warning(
                "{} cannot be inspected ({}): from now on it counts as what the list of containers says of it, without"
                " aliases that are not known; shorten its labels, or see why `docker inspect` does not answer",
                self.name(key),
                fault,
            )
        return is_new

    def take_listed(self, container: Container, asked: int, cause: str) -> None:
        """Believe a container's entry in the list if it is given up; `asked` is the mark from before the list."""
        if self._unread.is_given_up(container.key):
            self._affected(self._store.put_unreadable(container, asked), cause)
            self._was_read(container.key)

    async def _inspect(self, key: ContainerKey, cause: str) -> bool:
        asked = self._store.now()
        try:
            container = await self._source.container(key, self.patience(key))
        except GoneError:
            self._forget(key, cause)
            return False
        if self._unread.end(key):
            logger.info("{} can be inspected again", container.name)
        files = self._store.put(container, asked)
        self._was_read(key)
        self._affected(files, cause)
        return True

    async def _read_network(self, key: NetworkKey, cause: str) -> bool:
        try:
            files = self._store.put_network(await self._source.network(key))
        except GoneError:
            self._affected(self._store.drop_network(key), cause)
            return False
        self._affected(files, cause)
        return True

    async def _is_unlisted(self, key: ContainerKey, cause: str) -> bool:
        """Read a container from the list, unless it was just listed; returns whether it is gone."""
        if self._lists.wait(key, loop_time()) > 0:
            return False
        self._lists.spend(key, loop_time(), _LIST_COST_SECONDS)
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
            self._forget(key, cause)
            return True
        self.take_listed(found, asked, cause)
        return False

    def _forget(self, key: ContainerKey, cause: str) -> None:
        """A container is gone; its file's state is forgotten, too."""
        self._lists.forget(key)
        self._unread.end(key)
        files = self._store.drop(key) | {key}
        self._was_read(key)
        self._affected(files, cause)
