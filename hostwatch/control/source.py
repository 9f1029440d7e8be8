"""An engine as the control loop needs it: the interface between the loop and Docker's API.

Every answer is a value of the core. Every failure is one of two: the requested thing is gone, or nothing is known.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hostwatch.core.gossip import Gossip
from hostwatch.core.model import Container, ContainerKey, Endpoint, EngineId, FileKind, Network, NetworkKey


class EngineError(Exception):
    """The engine did not answer the request. Nothing is known, and the request may be made again."""


class GoneError(Exception):
    """The engine does not have the requested thing (404)."""


def first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error that a task group wrapped, at any depth."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the engine: it names what to read again."""

    kind: str
    """`container` or `network`."""
    action: str
    """Docker's name of the action, without the part behind a colon: `start`, `health_status`."""
    container: ContainerKey | None
    network: NetworkKey | None
    attributes: Mapping[str, str]
    clock: int | None = None
    """The time of the event, in nanoseconds by the engine's clock."""

    def __str__(self) -> str:
        kind = "" if self.kind == "container" else "network "
        return f"{kind}{self.action} {self.attributes.get('name', '')}".rstrip()


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The identity and properties of an engine."""

    id: EngineId
    version: str
    api: str
    root: Path
    """Its data root, by the engine's own path. With Podman its run root, which has the hosts files."""
    containers: Path = Path("containers")
    """The directory below the root in which each container has a directory with its id as the name."""
    hosts: Path = Path("hosts")
    """The path of a container's hosts file below its directory."""
    resolv: Path = Path("resolv.conf")
    """The same of its resolv.conf."""
    clock: int | None = None
    """The time of this answer, in nanoseconds by the engine's clock."""
    keeps_comments: bool = True
    """Whether comments survive when the engine rewrites a hosts file. Podman drops them, and so our markers."""
    name: str = ""
    """The name of its host."""

    def file(self, kind: FileKind) -> Path:
        """The path of a container's file below its directory."""
        return self.hosts if kind is FileKind.HOSTS else self.resolv

    def directory(self, visible: Path | None) -> Path:
        """The directory of the containers' directories. `visible`: the root as this process sees it, if it differs."""
        return (visible or self.root) / self.containers


@dataclass(frozen=True, slots=True)
class ExecResult:
    """The result of a command in a container."""

    status: int
    """Its exit status; 126 or 127 if it could not be started."""
    output: bytes
    errors: bytes


class Actions(Protocol):
    """The actions of hostwatch on a container. Every call may raise `EngineError` and `GoneError`."""

    async def exec(self, key: ContainerKey, command: Sequence[str], user: str = "") -> ExecResult:
        """Run a command in a running container to its end, as the container's own user or another one."""

    async def kill(self, key: ContainerKey, signal: str) -> None:
        """Send a signal to the container's first process."""

    async def restart(self, key: ContainerKey) -> None:
        """Restart a container; returns when it runs again."""


class Source(Protocol):
    """An engine, as the control loop sees it. Every call may raise `EngineError`."""

    async def ping(self) -> None:
        """Check that the engine answers. Costs the engine no time."""

    async def info(self) -> EngineInfo:
        """The engine's identity and properties. May take long, as an engine looks at its images and storage for it."""

    async def identity(self) -> EngineId:
        """The id of `info` alone, for a check that it is still the same engine. May take as long."""

    def events(self, after: int | None = None) -> AbstractAsyncContextManager[AsyncIterator[Event | None]]:
        """Subscribe; once entered, no event is missed. `None` stands for an event that could not be read.

        The events since `after` (nanoseconds by the engine's clock) come first, as far as the engine still has them.
        """

    async def containers(self) -> Sequence[Container]:
        """All containers, including stopped ones, from the list."""

    async def listed(self, key: ContainerKey) -> Container | None:
        """One container from the list. The answer comes at once, but may have an earlier state."""

    async def container(self, key: ContainerKey, seconds: float) -> Container:
        """One container with all facts. The answer waits while the container is starting. May raise `GoneError`.

        An answer that takes longer than so many seconds is an `EngineError`.
        """

    async def networks(self) -> Sequence[Network]:
        """All networks."""

    async def network(self, key: NetworkKey) -> Network:
        """One network. May raise `GoneError`."""

    async def endpoint(self, network: NetworkKey, container: ContainerKey, name: str) -> Endpoint | None:
        """The endpoint on a network of the container with this name.

        It is known while the container is being started or connected.
        """

    def created(self, event: Event) -> Container | None:
        """The new container that an event describes, if it does."""


class GossipSource(Protocol):
    """An engine that is a node of a swarm. Every call may raise `EngineError`."""

    async def ping(self) -> None:
        """Check that the engine answers."""

    async def gossip(self, network: NetworkKey) -> Gossip:
        """What the swarm's gossip tells of an overlay network. May raise `GoneError`."""

    async def nodes(self) -> frozenset[str] | None:
        """The addresses of all nodes of the swarm that are heard, this one included; `None`: the engine cannot say."""

    async def has_other_nodes(self) -> bool:
        """Whether the swarm has more nodes than this one, heard or not."""
