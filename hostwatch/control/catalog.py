"""A catalog that others fill, as the control loop sees it: which one, what is asked of it, and the answers.

The clients are at the rim (`hostwatch.catalogs`).
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from hostwatch.core.catalog import Entry

Kind = Literal["etcd", "consul", "zookeeper"]
PRODUCTS: dict[Kind, str] = {"etcd": "etcd", "consul": "Consul", "zookeeper": "ZooKeeper"}


class CatalogError(Exception):
    """The catalog cannot be asked. The message says what happened, where, and what to do; it never holds a secret."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the servers want to see, and how they are known. Files are read at each connection."""

    is_tls: bool = False
    """Whether ZooKeeper is asked by TLS. The URLs of others say that."""
    ca: Path | None = None
    """The certificates that the servers' are checked by; `None`: the system's."""
    certificate: Path | None = None
    key: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    token_file: Path | None = None
    """Holds Consul's token."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The servers of a catalog, and what is asked of them. Services with the same one share a connection."""

    kind: Kind
    servers: tuple[str, ...]
    """URLs; of ZooKeeper `HOST:PORT`."""
    query: str
    """The prefix in etcd, the service in Consul, the path in ZooKeeper."""
    tag: str | None = None
    """The tag that each of Consul's instances must have."""
    credentials: Credentials = Credentials()
    grace_seconds: float = 60.0
    """How long an answer without any instance is not believed."""

    def __str__(self) -> str:
        return f"{PRODUCTS[self.kind]} {', '.join(self.servers)}, {self.query}"


class CatalogClient(Protocol):
    """A connection to a catalog."""

    async def entries(self, within: float) -> Iterable[Entry]:
        """The whole list: the first time at once, then as soon as it may have changed, after `within` seconds at most.

        It is always asked for anew. It may be long: the caller gives others their turn. Raises `CatalogError`, while
        the result is read, too.
        """


OpenCatalog = Callable[[Catalog], AbstractAsyncContextManager[CatalogClient]]
"""Connects, and reads the files of the credentials. Raises `CatalogError`."""
