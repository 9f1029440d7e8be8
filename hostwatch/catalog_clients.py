"""Opens the catalogs of the configuration. What asks one is imported for it alone, in a thread, as that takes 0.1 s."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import anyio
import anyio.to_thread

from hostwatch.control.catalog import Catalog, CatalogClient
from hostwatch.control.etcd_catalog import EtcdCatalog
from hostwatch.control.key_values import KeyValueStore, StoreAddress

_MODULES = {
    "etcd": "hostwatch.etcd.store",
    "consul": "hostwatch.catalogs.consul",
    "zookeeper": "hostwatch.catalogs.zookeeper",
}
_END_SECONDS = 1.0
"""Time for the end of the connections to an etcd."""


@asynccontextmanager
async def open_catalog(catalog: Catalog) -> AsyncIterator[CatalogClient]:
    """Connect to a catalog. Raises `CatalogError`."""
    module: Any = await anyio.to_thread.run_sync(import_module, _MODULES[catalog.kind])
    if catalog.kind != "etcd":
        async with module.opened(catalog) as client:
            yield client
        return
    store: KeyValueStore = module.EtcdStore(_store_address(catalog))
    try:
        async with store.following(catalog.query) as changes:
            yield EtcdCatalog(changes)
    finally:
        with anyio.move_on_after(_END_SECONDS, shield=True):
            await store.aclose()


def _store_address(catalog: Catalog) -> StoreAddress:
    known = catalog.credentials
    return StoreAddress(catalog.servers, known.ca, known.certificate, known.key, known.user, known.password_file)
