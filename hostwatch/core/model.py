"""Containers, their endpoints and networks of an engine, as values.

Every fact is present, absent or unknown; `None` means unknown unless a field says otherwise. Nothing here knows
Docker's JSON (that is `hostwatch.docker.decode`) and nothing changes in place: a new fact is a new value.
"""

import enum
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NewType, Protocol

if TYPE_CHECKING:
    from hostwatch.core.remote import RemoteEndpoint

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
AddressOrWords = Address | str
"""What one line of a file gives: an address, or words, as a line `search` of a resolv.conf does."""
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAX_NUMBER_LENGTH = 9
"""A longer container number of compose is ignored: anybody may set the label, and Python refuses 4,301 digits."""

ONE_OFF = "com.docker.compose.oneoff"
"""The label that `docker compose run` sets to `True` on the containers it makes."""

EngineId = NewType("EngineId", str)
"""The engine's own identity (`ID` of `GET /info`). Part of every key, so that two engines never share one."""
ContainerId = NewType("ContainerId", str)
"""The container's 64 hexadecimal digits."""
NetworkId = NewType("NetworkId", str)
"""The network's 64 hexadecimal digits; empty for a container that has not been started yet (engine 20.10)."""
NO_NETWORK = NetworkId("")
"""The id of a network that is not known, or that does not exist."""


@dataclass(frozen=True, slots=True)
class HostAddresses:
    """The host's own addresses to others, one of each family at most; `None`: it has none of that family."""

    ipv4: ipaddress.IPv4Address | None = None
    ipv6: ipaddress.IPv6Address | None = None


class ContainerKey(NamedTuple):
    """Identifies a container of an engine, and the hosts file that this container owns.

    A file on the host has a key with its path in the place of the id. The key is a tuple because it is looked up more
    often than anything else: a tuple's hash takes a fifth of the time of a dataclass's.
    """

    engine: EngineId
    id: ContainerId

    def __str__(self) -> str:
        return self.id[:12]


class FileKind(enum.Enum):
    """A file of a container that is kept."""

    HOSTS = "hosts"
    RESOLV = "resolv"
    """Its resolv.conf."""

    @property
    def path(self) -> Path:
        """Where the container has it."""
        return _PATHS[self]

    @property
    def title(self) -> str:
        """What people call it."""
        return "hosts file" if self is FileKind.HOSTS else "resolv.conf"


_PATHS = {FileKind.HOSTS: Path("/etc/hosts"), FileKind.RESOLV: Path("/etc/resolv.conf")}


@dataclass(frozen=True, slots=True, order=True)
class NetworkKey:
    """Identifies a network of an engine."""

    engine: EngineId
    id: NetworkId


class State(enum.Enum):
    """Whether a container runs."""

    RUNNING = "running"
    """Confirmed by the engine. A paused container counts, because it keeps its address."""
    STOPPED = "stopped"
    """Confirmed by the engine: created, exited, dead, or waiting to be restarted (see `Claim`)."""
    UNKNOWN = "unknown"
    """The container is changing and must be read again. Its addresses are the last known ones, or early ones."""


class Claim(enum.Enum):
    """How strongly a container claims its names."""

    FULL = "full"
    """It runs, is changing, or has just ended."""
    YIELDING = "yielding"
    """It has ended, and did not come back within `linger`: a running container may take a name of it."""
    NONE = "none"
    """It was never started, so it claims no name."""
    DEPARTED = "departed"
    """It was just removed, and may be made anew. Until then only a container of the same tier may take its names."""


class Health(enum.Enum):
    """The state of the container's healthcheck, in Docker's words."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    STARTING = "starting"
    NONE = "none"
    """The container has no healthcheck."""


class NetworkMode(enum.Enum):
    """The network stack that the container uses."""

    OWN = "own"
    """Its own, on any number of networks (none at all with `--network none`)."""
    HOST = "host"
    CONTAINER = "container"
    """Another container's; which one is in `Container.joined`."""


class OnNetwork(Protocol):
    """Anything that is on one network."""

    @property
    def network(self) -> NetworkId:
        """The network's id; empty if it is not known yet."""

    @property
    def network_name(self) -> str:
        """The network's name."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's connection to one network. An address is `None` while the container has none there."""

    network: NetworkId
    network_name: str
    ipv4: ipaddress.IPv4Address | None = None
    ipv6: ipaddress.IPv6Address | None = None
    mac: str | None = None
    gateways: tuple[Address, ...] = ()
    """One of each family at most."""
    aliases: frozenset[str] | None = None
    """The container's names on this network (`--network-alias`, compose).

    `None`: not read yet, as the list of containers does not tell them.
    """

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Its addresses, IPv4 first."""
        return tuple(address for address in (self.ipv4, self.ipv6) if address is not None)

    def same_network(self, other: "OnNetwork") -> bool:
        """Whether both are on the same network. Compares the names if an id is not known yet."""
        if self.network and other.network:
            return self.network == other.network
        return self.network_name == other.network_name


Binding = tuple[str, str, bool]
"""A published port: the container's port with its protocol (`53/udp`), the address of the host, both as the engine
writes them, and whether the host's port has the same number. They are parsed only once a line asks for them: a
container may publish thousands."""


@dataclass(frozen=True, slots=True)
class Container:
    """One container, as last read."""

    key: ContainerKey
    name: str
    state: State
    labels: Mapping[str, str]
    image: str = ""
    created: float = 0.0
    """Seconds since the epoch."""
    started: float = 0.0
    """The time of its last start by the engine's clock; seconds since the epoch, 0 for none or not known."""
    claim: Claim = Claim.FULL
    health: Health | None = None
    hostname: str | None = None
    network_mode: NetworkMode | None = None
    joined: ContainerId | None = None
    """With `NetworkMode.CONTAINER`, the container whose network stack and hosts file this one uses."""
    endpoints: tuple[Endpoint, ...] = ()
    hosts_mount: Path | None = None
    """The file that the user mounted on `/etc/hosts`, if there is one."""
    resolv_mount: Path | None = None
    """The same of `/etc/resolv.conf`."""
    bindings: frozenset[Binding] | None = None
    """The ports that the engine publishes on the host; empty for none."""
    host_file: Path | None = None
    """The path of a file on the host that subscribes; `None` for a real container.

    Such a file counts as a container in host mode that always runs and is no service.
    """
    remote: "RemoteEndpoint | None" = None
    """What another host has; `None` for all that is of this engine (`hostwatch.core.remote`)."""
    project: str | None = field(init=False, repr=False, compare=False)
    """The compose project, `None` outside compose."""
    compose_service: str | None = field(init=False, repr=False, compare=False)
    """The compose service; `None` outside compose, and for a one-off."""

    def __post_init__(self) -> None:
        # Each look-up of a name reads them several times.
        labels = self.labels
        object.__setattr__(self, "project", labels.get("com.docker.compose.project"))
        service = None if self.is_one_off else labels.get("com.docker.compose.service")
        object.__setattr__(self, "compose_service", service)

    def mount(self, kind: FileKind) -> Path | None:
        """The file that the user mounted on the container's own, if there is one."""
        return self.hosts_mount if kind is FileKind.HOSTS else self.resolv_mount

    @property
    def own_hostname(self) -> str:
        """Its host name. While that is not known, Docker's default: the short id."""
        return self.hostname or self.key.id[:12]

    @property
    def is_one_off(self) -> bool:
        """Whether `docker compose run` made it. Such a container is no service."""
        return self.labels.get(ONE_OFF, "").lower() == "true"

    @property
    def replica_order(self) -> tuple[int, float, str]:
        """The stable order of replicas: compose container number, creation time, id."""
        number = self.labels.get("com.docker.compose.container-number", "")
        valid = len(number) <= _MAX_NUMBER_LENGTH and number.isascii() and number.isdigit()
        return (int(number) if valid else 0, self.created, self.key.id)


@dataclass(frozen=True, slots=True)
class Network:
    """One network, as last read."""

    key: NetworkKey
    name: str
    subnets: tuple[Subnet, ...] = ()
    gateways: tuple[Address, ...] = ()
    compose_name: str | None = None
    """The network's key in its compose file (`backend` of `shop_backend`); `None` outside compose."""
    compose_project: str | None = None
    """The compose project that it belongs to; `None` outside compose."""
    driver: str = ""
    """Docker's name of the driver, such as `bridge`; empty if the engine does not tell it."""
    internal: bool = False
    """Whether the network has no route to the outside (`--internal`)."""
    auxiliary: frozenset[Address] = frozenset()
    """Addresses reserved for other machines, such as a router (`--aux-address`)."""
    firsts: tuple[Address, ...] = ()
    """The first address that the engine allocates of each subnet: the bridge's own, if the engine tells no gateway."""
    hostless: frozenset[int] = frozenset()
    """The IP versions of which the host has no address on this bridge."""
    secluded: bool = False
    """Whether its containers do not reach each other (`enable_icc=false`, or macvlan's and ipvlan's `private`)."""

    def has(self, address: Address) -> bool:
        """Whether the address is in one of the network's subnets. It may be the gateway's."""
        return any(address in subnet for subnet in self.subnets)
