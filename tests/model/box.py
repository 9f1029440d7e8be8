"""A simulated container, the recipe that it was created from, and its places on the networks."""

import hashlib
import ipaddress
from dataclasses import dataclass, field

import anyio

from hostwatch.core.model import ContainerId

SUBNETS = {"bridge": "172.17.0.0/28", "back": "10.2.0.0/28", "front": "10.1.0.0/28"}
"""Each subnet has few addresses, so that they are used again."""


PATTERNS = "{name}.docker, {service}.{project}.d"
"""`hostwatch.publish_as` of a container that gets every name."""


@dataclass(frozen=True)
class Recipe:
    """The options that a container is created with."""

    networks: tuple[tuple[str, str], ...] = (("front", ""),)
    """Each network with the container's alias there; empty for none."""
    mode: str = ""
    """The network mode: empty for networks of its own, `host`, or `container:NAME`."""
    wants: tuple[str, ...] = ()
    """The names that it requests lines for. One name makes it a subscriber."""
    names: str = ""
    """`hostwatch.names`."""
    compose: str = ""
    """`PROJECT/SERVICE`."""
    label: str = ""
    """The label `app`; `conf` makes it a member of the service in the configuration."""
    only: str = ""
    """`hostwatch.network`."""
    checked: bool = False
    """Whether it has a healthcheck and `hostwatch.health: required`."""
    notified: bool = False
    """Whether it requests SIGHUP."""
    publishes: bool = False
    """Whether it gets every name in reach, by `PATTERNS`."""
    shadows: bool = False
    """Whether it has an `extra_hosts` line of its own for `db`."""

    @property
    def labels(self) -> dict[str, str]:
        """The container's labels."""
        project, _, service = self.compose.partition("/")
        found = {
            "hostwatch.hosts": "\n".join(f"@{{{name}.ip}} {name}" for name in self.wants),
            "hostwatch.services": "*" if self.publishes else "",
            "hostwatch.publish_as": PATTERNS if self.publishes else "",
            "hostwatch.names": self.names,
            "hostwatch.network": self.only,
            "hostwatch.health": "required" if self.checked else "",
            "hostwatch.notify": "SIGHUP" if self.notified else "",
            "com.docker.compose.project": project,
            "com.docker.compose.service": service,
            "app": self.label,
        }
        return {label: value for label, value in found.items() if value}


@dataclass
class Place:
    """A container's place on a network."""

    alias: str
    address: str = ""
    """Empty while it has none."""


@dataclass(eq=False)
class Box:
    """A container."""

    id: ContainerId
    name: str
    recipe: Recipe
    created: float
    places: dict[str, Place]
    joined: ContainerId | None
    running: bool = False
    starting: bool = False
    started: str = "0001-01-01T00:00:00Z"
    health: str = "starting"
    foreign: list[str] = field(default_factory=list)
    """The lines of its hosts file that belong to the engine or to users."""
    text: bytes | None = None
    """Its hosts file, `None` before the first start."""
    free: anyio.Event = field(default_factory=anyio.Event)
    """Set when no start is under way."""
    begun: float = 0.0
    """The time at which its last start began."""
    changed: float = 0.0
    """The time of its last change."""

    @property
    def has_run(self) -> bool:
        """Whether it was ever started."""
        return not self.started.startswith("0001")

    @property
    def short(self) -> str:
        """Its host name."""
        return self.id[:12]

    @property
    def addresses(self) -> set[str]:
        """Its present addresses."""
        return {place.address for place in self.places.values()} - {""}


def network_id(name: str) -> str:
    """The id of a network."""
    return hashlib.sha256(name.encode()).hexdigest()


def gateway(name: str) -> str:
    """The address of the host on a network."""
    return str(next(ipaddress.ip_network(SUBNETS[name]).hosts()))
