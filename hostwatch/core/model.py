"""What is known of an engine, as values: containers, their endpoints, networks.

Every fact is present, absent or unknown; `None` means unknown unless a field says otherwise. Nothing here knows
Docker's JSON (that is `hostwatch.docker.decode`) and nothing changes in place: a new fact is a new value.
"""

import enum
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NewType, Protocol

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAX_NUMBER_LENGTH = 9
"""The longest container number of compose that counts: anybody may set the label, and Python refuses 4,301 digits."""

ONE_OFF = "com.docker.compose.oneoff"
"""The label of what `docker compose run` makes; its value is `True` then."""

EngineId = NewType("EngineId", str)
"""The engine's own identity (`ID` of `GET /info`). Part of every key, so that two engines never share one."""
ContainerId = NewType("ContainerId", str)
"""The container's 64 hexadecimal digits."""
NetworkId = NewType("NetworkId", str)
"""The network's 64 hexadecimal digits; empty for a container that has not been started yet (engine 20.10)."""
NO_NETWORK = NetworkId("")
"""Where the network is not known, or there is none."""


class ContainerKey(NamedTuple):
    """Names one container of one engine; a hosts file goes by the key of the container that owns it.

    A file on the host goes by one of its own, with its path in the place of the id. A tuple, as nothing is looked up
    so often: its hash takes a fifth of a dataclass's.
    """

    engine: EngineId
    id: ContainerId

    def __str__(self) -> str:
        return self.id[:12]


@dataclass(frozen=True, slots=True, order=True)
class NetworkKey:
    """Names one network of one engine."""

    engine: EngineId
    id: NetworkId


class State(enum.Enum):
    """Whether a container runs, as far as it is known."""

    RUNNING = "running"
    """Confirmed by the engine; paused counts, as its address is still its own."""
    STOPPED = "stopped"
    """Confirmed by the engine: created, exited, dead, or waiting to be restarted (see `Claim`)."""
    UNKNOWN = "unknown"
    """Between two states, to be read again. Addresses are the last known ones, or early hints."""


class Claim(enum.Enum):
    """How far a container stands for its names."""

    FULL = "full"
    """It runs, is changing, or has ended just now."""
    YIELDING = "yielding"
    """It has ended, and did not come back within `linger`: who runs may have a name of its."""
    NONE = "none"
    """It was never started: its names are nobody's yet."""
    DEPARTED = "departed"
    """It was removed just now, and may be made anew: until then nobody has its names but who has the same right."""


class Health(enum.Enum):
    """The state of the container's healthcheck, in Docker's words."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    STARTING = "starting"
    NONE = "none"
    """The container has no healthcheck."""


class NetworkMode(enum.Enum):
    """Whose network stack the container uses."""

    OWN = "own"
    """Its own, on any number of networks (none at all with `--network none`)."""
    HOST = "host"
    CONTAINER = "container"
    """Another container's; which one is in `Container.joined`."""


class OnNetwork(Protocol):
    """Something on one network."""

    @property
    def network(self) -> NetworkId:
        """The network's id; empty where it is not known yet."""

    @property
    def network_name(self) -> str:
        """The network's name."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's place on one network. Addresses are `None` while it has none there."""

    network: NetworkId
    network_name: str
    ipv4: ipaddress.IPv4Address | None = None
    ipv6: ipaddress.IPv6Address | None = None
    mac: str | None = None
    gateways: tuple[Address, ...] = ()
    """One of each family at most."""
    aliases: frozenset[str] | None = None
    """Names given on this network (`--network-alias`, compose). `None`: not read yet, a list does not tell them."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Its addresses, IPv4 first."""
        return tuple(address for address in (self.ipv4, self.ipv6) if address is not None)

    def same_network(self, other: "OnNetwork") -> bool:
        """Whether both are on one network; by name where an id is not known yet."""
        if self.network and other.network:
            return self.network == other.network
        return self.network_name == other.network_name


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
    """When it was last started, by the engine's clock; seconds since the epoch, 0 for not yet or not known."""
    claim: Claim = Claim.FULL
    health: Health | None = None
    hostname: str | None = None
    network_mode: NetworkMode | None = None
    joined: ContainerId | None = None
    """With `NetworkMode.CONTAINER`, the container whose network stack and hosts file this one uses."""
    endpoints: tuple[Endpoint, ...] = ()
    hosts_mount: Path | None = None
    """What the user mounted on `/etc/hosts`; `None` for nothing."""
    host_file: Path | None = None
    """A file on the host that subscribes: like a container in host mode which always runs and is no service."""

    @property
    def own_hostname(self) -> str:
        """Its host name; what Docker gives it by default while it is not known."""
        return self.hostname or self.key.id[:12]

    @property
    def project(self) -> str | None:
        """The compose project, `None` outside compose."""
        return self.labels.get("com.docker.compose.project")

    @property
    def is_one_off(self) -> bool:
        """Whether `docker compose run` made it: such a container serves nobody."""
        return self.labels.get(ONE_OFF, "").lower() == "true"

    @property
    def compose_service(self) -> str | None:
        """The compose service; `None` outside compose, and for a one-off."""
        return None if self.is_one_off else self.labels.get("com.docker.compose.service")

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
    """The compose project that it belongs to."""
    driver: str = ""
    """Who carries it, in Docker's words, such as `bridge`; empty where that is not told."""
    internal: bool = False
    """Whether it has no way out."""
    auxiliary: frozenset[Address] = frozenset()
    """Addresses that are set aside for others, such as a router that is no host of ours."""
    firsts: tuple[Address, ...] = ()
    """The first address that the engine gives away of each subnet: a bridge's own, where no gateway is told."""
    hostless: frozenset[int] = frozenset()
    """The IP versions of which a bridge has no address."""

    def has(self, address: Address) -> bool:
        """Whether the address is one of its own, of a gateway perhaps."""
        return any(address in subnet for subnet in self.subnets)
