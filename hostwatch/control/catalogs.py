"""Follows the catalogs of the configuration: one loop for each, whatever the number of services that it has."""

from collections.abc import Mapping
from typing import NoReturn

import anyio
from anyio.abc import TaskGroup

from hostwatch.control.catalog import Catalog, OpenCatalog
from hostwatch.control.catalog_follower import CatalogFollower
from hostwatch.control.remotes import Remotes
from hostwatch.core.remote import catalog_group

_Shared = tuple[Catalog, tuple[str, ...]]
"""A catalog with its services."""


class CatalogLoop:
    """Keeps a follower for each catalog. There is none, and nothing is opened, where no service has one."""

    def __init__(self, catalogs: Mapping[str, Catalog], remotes: Remotes, open_catalog: OpenCatalog) -> None:
        """`catalogs`: the catalog of each service that has one."""
        self._catalogs = catalogs
        self._remotes = remotes
        self._open = open_catalog
        self._running: dict[_Shared, anyio.CancelScope] = {}
        self._adopted = anyio.Event()

    def __repr__(self) -> str:
        return f"<CatalogLoop: {len(self._running)} catalogs, {len(self._catalogs)} services>"

    async def adopt(self, catalogs: Mapping[str, Catalog]) -> None:
        """Follow these from now on. A service that keeps its key keeps its addresses until its catalog answers."""
        for shared in self._running.keys() - _shared(catalogs):
            self._running.pop(shared).cancel()
        before, self._catalogs = self._catalogs, catalogs
        for service in catalogs.keys() - before.keys():
            self._remotes.awaited(catalog_group(service))
        self._adopted.set()
        for service in before.keys() - catalogs.keys():
            await self._remotes.removed(catalog_group(service))

    async def run(self) -> NoReturn:
        """Follow them for ever."""
        for service in self._catalogs:
            self._remotes.awaited(catalog_group(service))
        async with anyio.create_task_group() as tasks:
            while True:
                self._adopted = anyio.Event()
                self._arrange(tasks)
                await self._adopted.wait()
        raise AssertionError("it follows for ever")

    def _arrange(self, tasks: TaskGroup) -> None:
        for shared in _shared(self._catalogs) - self._running.keys():
            self._running[shared] = scope = anyio.CancelScope()
            tasks.start_soon(self._follow, shared, scope, name=f"follow {shared[0].kind}")

    async def _follow(self, shared: _Shared, scope: anyio.CancelScope) -> None:
        with scope:
            await CatalogFollower(*shared, self._remotes, self._open).run()


def _shared(catalogs: Mapping[str, Catalog]) -> set[_Shared]:
    services: dict[Catalog, list[str]] = {}
    for service, catalog in sorted(catalogs.items()):
        services.setdefault(catalog, []).append(service)
    return {(catalog, tuple(named)) for catalog, named in services.items()}
