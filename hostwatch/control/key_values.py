"""The shared store of keys and values, as the control loop sees it: what is asked of an etcd, and what it tells.

Addresses (`StoreAddress`) come from the configuration. The client itself is at the rim (`hostwatch.etcd`).
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

VALUE_LIMIT = 64 << 10
"""Bytes of a value. What one service on one host needs is far below; a longer one is somebody else's, or hostile."""
_PORT = 2379
"""etcd's own port for clients."""


class StoreError(Exception):
    """A request failed. The message says what happened, where, and what to do; it never holds a secret."""


class LeaseLostError(StoreError):
    """The lease has run out, so nothing is written; another one is granted soon (`Lease.renewed`)."""


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """The servers of one store, and what they want to see."""

    endpoints: tuple[str, ...]
    """URLs, as `endpoint` returns them."""
    ca: Path | None = None
    """Authorities that may sign the servers' certificates; `None`: the system's."""
    certificate: Path | None = None
    key: Path | None = None
    user: str | None = None
    password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value, or with the change of it."""

    key: str
    """Whole, with the prefix. A byte that is no UTF-8 is a surrogate (`surrogateescape`)."""
    value: bytes | None
    """`None`: it is longer than `VALUE_LIMIT`, so it is not looked at."""
    revision: int
    """Of the key's last change."""
    lease: int = 0
    """The lease that it lives by; 0: none."""


@dataclass(frozen=True, slots=True)
class Listed:
    """All that is there now: at first, and again where single changes are not to be had (a compaction)."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Put:
    """A key has a value now."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Deleted:
    """A key is gone."""

    key: str


@dataclass(frozen=True, slots=True)
class Away:
    """No server of the store answers as it should. It is told again if the reason changes; nothing else comes before
    `Back`."""

    fault: str
    """What happened, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Back:
    """The store answers, at first and after `Away`. What has changed meanwhile follows, as single changes if it can."""


Change: TypeAlias = Listed | Put | Deleted | Away | Back


class Lease(Protocol):
    """A lease that is kept alive in the background, and granted anew after it ran out.

    A *term* is the life of one grant. What was written in an older term is gone, and is to be written again.
    """

    @property
    def id(self) -> int:
        """The number of the present grant; 0: none yet."""

    @property
    def fault(self) -> str:
        """Why it is not kept alive now; empty: it is."""

    async def renewed(self, term: int) -> int:
        """Wait until the present term is another one than this (0: none yet); returns it."""

    async def claim(self, key: str, value: bytes, seen: Entry | None) -> Entry | None:
        """Put a key under this lease if it is still as seen (`None`: not there).

        Returns `None`, or the entry that is there instead. A claim that was made, but whose answer was lost, may find
        its own entry. Raises `StoreError`.
        """

    async def write(self, puts: Mapping[str, bytes], deletes: Collection[str] = ()) -> None:
        """Put keys under this lease, and delete others, at most 128 in one transaction. Raises `StoreError`."""

    async def revoke(self) -> None:
        """Delete all keys under this lease, and grant none again. Raises `StoreError`."""


class KeyValueStore(Protocol):
    """A shared store. It connects when it is asked, waits and moves on to another server by itself."""

    def following(self, prefix: str) -> AbstractAsyncContextManager[AsyncIterator[Change]]:
        """What is below a prefix: `Back`, a whole list, then single changes, each once and in order, without end.

        Nothing is raised. A follower that is slow holds the server up, not this process's memory.
        """

    def leased(self, ttl_seconds: float, known: int = 0) -> AbstractAsyncContextManager[Lease]:
        """A lease; `known`: one of this host that may be alive, and is taken over then.

        When the body ends, the lease is left to run out by itself, and its keys with it.
        """

    async def get(self, key: str) -> Entry | None:
        """The entry of one key. Raises `StoreError`."""

    async def listed(self, prefix: str) -> tuple[Entry, ...]:
        """What is below a prefix now. Raises `StoreError`."""

    async def aclose(self) -> None:
        """Close all connections."""


def endpoint(url: str) -> str:
    """A server's URL as it is asked: scheme, host and port. Raises `ValueError` with the reason."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"it must begin with http:// or https://, as in http://192.0.2.1:{_PORT}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must have no user or password; they have keys of their own (user, password_file)")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"it must end with the port, as in {parts.scheme}://192.0.2.1:{_PORT}")
    host, port = parts.hostname, parts.port
    if not host or any(each.isspace() for each in host):
        raise ValueError(f"it names no host; write it as in {parts.scheme}://192.0.2.1:{_PORT}")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port or _PORT}"
