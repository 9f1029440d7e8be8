"""What the control loop needs of an engine: the seam between the loop and Docker's API.

Every answer is a value of the core. Every failure is one of two: the thing is gone, or nothing is known.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hostwatch.core.model import Container, ContainerKey, Endpoint, EngineId, Network, NetworkKey


class EngineError(Exception):
    """The engine did not answer, or not with what was asked for; nothing is known, and it may be asked again."""


class GoneError(Exception):
    """The engine says that there is no such thing (404)."""


def first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group that is none itself: what a task group wrapped."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@dataclass(frozen=True, slots=True)
class Event:
    """What the event stream says to look at again."""

    kind: str
    """`container` or `network`."""
    action: str
    """Docker's word for it, without what follows a colon: `start`, `health_status`."""
    container: ContainerKey | None
    network: NetworkKey | None
    attributes: Mapping[str, str]
    clock: int | None = None
    """When, in nanoseconds by the engine's clock."""

    def __str__(self) -> str:
        kind = "" if self.kind == "container" else "network "
        return f"{kind}{self.action} {self.attributes.get('name', '')}".rstrip()


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Who the engine is."""

    id: EngineId
    version: str
    api: str
    root: Path
    """Its data root, as it sees it; with Podman its run root, where it has its hosts files."""
    containers: Path = Path("containers")
    """Where below its root each container has a directory called by its id."""
    hosts: Path = Path("hosts")
    """Where in its directory a container's hosts file is."""
    clock: int | None = None
    """When it said this, in nanoseconds by its own clock."""
    keeps_comments: bool = True
    """Whether comments survive when the engine rewrites a hosts file; Podman drops them, our markers among them."""

    def directory(self, visible: Path | None) -> Path:
        """The directory of the containers' directories; `visible` is where the root is seen, if not where it says."""
        return (visible or self.root) / self.containers


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What came of a command in a container."""

    status: int
    """Its exit status; 126 or 127 where it could not be started."""
    output: bytes
    errors: bytes


class Actions(Protocol):
    """What hostwatch may do to a container. Every call may raise `EngineError` and `GoneError`."""

    async def exec(self, key: ContainerKey, command: Sequence[str], user: str = "") -> ExecResult:
        """Run a command in a running container, as its own user or another one, to its end."""

    async def kill(self, key: ContainerKey, signal: str) -> None:
        """Send a signal to the container's first process."""

    async def restart(self, key: ContainerKey) -> None:
        """Restart a container; returns when it runs again."""


class Source(Protocol):
    """An engine, as the control loop sees it. Every call may raise `EngineError`."""

    async def ping(self) -> None:
        """Have the engine show that it answers, which takes it no time."""

    async def info(self) -> EngineInfo:
        """Who the engine is. May take its time: an engine looks at its images and its storage for that."""

    def events(self, after: int | None = None) -> AbstractAsyncContextManager[AsyncIterator[Event | None]]:
        """Subscribe; once entered, no event is missed. `None` stands for an event that could not be read.

        The events that came after a time (the engine's nanoseconds) are told first, as far as the engine has them.
        """

    async def containers(self) -> Sequence[Container]:
        """All containers, stopped ones too, as the list tells them."""

    async def listed(self, key: ContainerKey) -> Container | None:
        """One container as the list tells it: at once, but perhaps its state of before."""

    async def container(self, key: ContainerKey) -> Container:
        """One container, whole; held up by the engine while the container is being started. May raise `GoneError`."""

    async def networks(self) -> Sequence[Network]:
        """All networks."""

    async def network(self, key: NetworkKey) -> Network:
        """One network. May raise `GoneError`."""

    async def endpoint(self, network: NetworkKey, container: ContainerKey) -> Endpoint | None:
        """A container's endpoint on a network, known even while the container is being started."""

    def created(self, event: Event) -> Container | None:
        """What an event tells of a new container by itself."""
