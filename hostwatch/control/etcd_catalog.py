"""A catalog in etcd: the keys below a prefix, each an instance."""

from collections.abc import AsyncIterator, Iterable

import anyio

from hostwatch.control.catalog import CatalogError
from hostwatch.control.key_values import Away, Back, Change, Deleted, Listed, Put
from hostwatch.control.key_values import Entry as StoreEntry
from hostwatch.core.catalog import Entry, etcd_instance

_TOGETHER_SECONDS = 0.01
"""Changes of this time are one: a program that starts writes all of its instances."""


class EtcdCatalog:
    """The keys below a prefix, by the changes that a store tells. The store itself sees to it that none is missed."""

    def __init__(self, changes: AsyncIterator[Change]) -> None:
        self._changes = changes
        self._known: dict[str, StoreEntry | Entry] | None = None
        """By the keys that are there: what the store tells, or what that means once it was judged; `None`: no list has
        come."""

    async def entries(self, within: float) -> Iterable[Entry]:
        """The whole list, as soon as it may have changed (`CatalogClient`)."""
        if self._known is None:
            await self._first()
            return self._entries()
        with anyio.move_on_after(within):
            self._take(await anext(self._changes))
            with anyio.move_on_after(_TOGETHER_SECONDS):
                while True:
                    self._take(await anext(self._changes))
        return self._entries()

    async def _first(self) -> None:
        while self._known is None:
            self._take(await anext(self._changes))

    def _entries(self) -> Iterable[Entry]:
        """All entries. Each change is judged once: another one may come each second, beside thousands."""
        known = self._known or {}
        for key, each in [*known.items()]:
            judged = etcd_instance(key, each.value) if isinstance(each, StoreEntry) else each
            known[key] = judged
            yield judged

    def _take(self, change: Change) -> None:
        match change:
            case Listed(entries=entries):
                self._known = {entry.key: entry for entry in entries}
            case Put(entry=entry) if self._known is not None:
                self._known[entry.key] = entry
            case Deleted(key=key) if self._known is not None:
                self._known.pop(key, None)
            case Away(fault=fault):
                raise CatalogError(fault)
            case Put() | Deleted() | Back():
                pass
