"""The rules that the configuration and the labels give: matches, services, subscriptions."""

import enum
import fnmatch
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from hostwatch.core.images import spellings, with_any_tag
from hostwatch.core.model import ONE_OFF, Address, Container, FileKind, HostAddresses
from hostwatch.core.names import folded
from hostwatch.core.notifications import Notification
from hostwatch.core.patterns import Pattern
from hostwatch.core.references import SELF, Line
from hostwatch.core.remote import CLUSTER, catalog_group, config_group


@dataclass(frozen=True, slots=True)
class Match:
    """A condition that selects containers. Each key that is given must match, by one of its globs."""

    name: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    label_values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Labels that the container must have, each with a value that matches one of its globs."""
    label_keys: tuple[str, ...] = ()
    """The container must have one of these labels, with any value."""

    def holds(self, container: Container) -> bool:
        """Whether the container matches."""
        labels = container.labels
        return (
            _any_glob(self.name, container.name)
            and (not self.image or self._is_image(container.image))
            and _any_glob(self.project, container.project)
            and _any_glob(self.service, container.compose_service)
            and all(key in labels and _any_glob(globs, labels[key]) for key, globs in self.label_values)
            and (not self.label_keys or any(key in labels for key in self.label_keys))
        )

    @property
    def means_one_offs(self) -> bool:
        """Whether it may match containers of `docker compose run`, which otherwise are no service."""
        return any(key == ONE_OFF for key, _ in self.label_values)

    def _is_image(self, image: str) -> bool:
        globs = tuple(spelling for glob in self.image for spelling in with_any_tag(glob))
        return any(_any_glob(globs, spelling) for spelling in spellings(image))


def _any_glob(globs: tuple[str, ...], value: str | None) -> bool:
    if not globs:
        return True
    return value is not None and any(_compiled(glob).match(value) for glob in globs)


@lru_cache(maxsize=1024)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(glob))


_PRIVATE_DOMAINS = frozenset(("corp", "docker", "home", "internal", "intranet", "lan", "local", "private", "test"))
"""Top-level domains of private networks (RFC 6762, appendix G; RFC 6761), and `docker`, which its users choose."""


def _suffixes(name: str) -> Iterator[str]:
    """The suffixes that a name of the configuration allows: the name itself and its domain, unless that is public."""
    _, dot, domain = name.partition(".")
    if dot:
        yield f".{name}"
        if "." in domain or domain in _PRIVATE_DOMAINS:
            yield f".{domain}"


@dataclass(frozen=True, slots=True)
class ServiceRule:
    """A service of the configuration."""

    key: str
    match: Match
    names: tuple[str, ...]
    """The names it is published under; its key if the configuration gives none."""
    network: str | None = None
    health_required: bool = False
    prefers_any: bool = False
    """Whether containers of all hosts are its replicas (`prefer: any`); else this host's come first."""
    is_from_catalog: bool = False
    """Whether a catalog has its addresses (`from`), so that no container stands behind it."""
    network_place: str | None = field(default=None, compare=False, repr=False)
    """Where `network` stands in the configuration, as in `hostwatch.yaml:8`."""

    @property
    def group(self) -> str:
        """The group of its replicas on other hosts."""
        return catalog_group(self.key) if self.is_from_catalog else config_group(self.key)

    @property
    def source(self) -> str:
        """The source of its replicas on other hosts."""
        return catalog_group(self.key) if self.is_from_catalog else CLUSTER


class Writer(enum.Enum):
    """How a container's hosts file is written."""

    AUTO = "auto"
    """By its path if that works, else by exec."""
    PATH = "path"
    EXEC = "exec"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the configuration requests the lines and services of a subscription, as in `hostwatch.yaml:14`."""

    lines: tuple[str, ...]
    services: tuple[str, ...]
    """Of each service, or of the one `*`."""
    publish_as: tuple[str, ...] = ()
    """Of each pattern."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """The lines that one source (an entry of the configuration, or a container's labels) requests in a file."""

    lines: tuple[Line, ...] = ()
    services: tuple[str, ...] = ()
    """Services that get a line each, with the service's own names."""
    everything: bool = False
    """Whether every name in reach gets a line (`services: "*"`)."""
    publish_as: tuple[Pattern, ...] = ()
    """The patterns of the names that `services: "*"` gives; empty: each name as it is."""
    ipv4: bool = True
    ipv6: bool = True
    ipv6_first: bool = False
    any_scope: bool = False
    """Whether addresses without a shared network are published too (`scope: any`)."""
    writer: Writer = Writer.AUTO
    notification: Notification | None = None
    """How the application is notified of a change; `None`: it is not notified."""
    kind: FileKind = FileKind.HOSTS
    """The file in which the lines are requested."""
    places: Places | None = field(default=None, compare=False, repr=False)
    """Where it stands in the configuration; `None` if it is in a container's labels."""
    reads_host: bool = field(init=False, compare=False, repr=False)
    """Whether a line may hold an address of the host that others see."""

    def __post_init__(self) -> None:
        named = any(reference.attribute.is_of_host for line in self.lines for reference in line.references)
        object.__setattr__(self, "reads_host", named or self.any_scope)

    @property
    def is_own(self) -> bool:
        """Whether it names the subscriber itself (`self`), so that each subscriber has an answer of its own."""
        return SELF in map(folded, self.services) or any(line.service == SELF for line in self.lines)


@dataclass(frozen=True, slots=True)
class SubscriberRule:
    """A subscriber of the configuration: containers, or a file on the host."""

    key: str
    target: Match | Path
    subscription: Subscription
    resolv: Subscription | None = None
    """The lines that it requests in the container's resolv.conf."""

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """One for each file in which it requests lines."""
        return (self.subscription,) if self.resolv is None else (self.subscription, self.resolv)

    def holds(self, container: Container) -> bool:
        """Whether the container, or the file on the host, is such a subscriber."""
        if isinstance(self.target, Path):
            return container.host_file == self.target
        return container.host_file is None and self.target.holds(container)


AUTO: Final = "auto"
"""The host's own addresses are those of its default routes (`advertise: auto`)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of the configuration that decide which names each subscriber gets."""

    services: tuple[ServiceRule, ...] = ()
    subscribers: tuple[SubscriberRule, ...] = ()
    labels: bool = True
    """Whether container labels count."""
    advertise: Address | Literal["auto"] | None = None
    """The host's own address to others, for `PublicIp` and `HostIp`; `None`: the configuration does not say it."""
    _owners: dict[str, tuple[ServiceRule, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)
    _suffixes: set[str] = field(init=False, repr=False, compare=False, default_factory=set)

    def __post_init__(self) -> None:
        keyed: dict[str, tuple[ServiceRule, ...]] = {}
        for rule in self.services:
            for name in dict.fromkeys(map(folded, rule.names)):
                self._owners[name] = (*self._owners.get(name, ()), rule)
            keyed[folded(rule.key)] = (*keyed.get(folded(rule.key), ()), rule)
        self._owners.update(keyed)
        self._suffixes.update(suffix for name in self._owners for suffix in _suffixes(name))

    @property
    def host_addresses(self) -> HostAddresses | None:
        """The host's own addresses to others, as the configuration says them; `None`: they are to be found out."""
        match self.advertise:
            case ipaddress.IPv4Address() as ipv4:
                return HostAddresses(ipv4=ipv4)
            case ipaddress.IPv6Address() as ipv6:
                return HostAddresses(ipv6=ipv6)
            case None:
                return HostAddresses()
            case "auto":
                return None

    def behind_group(self, group: str) -> ServiceRule | None:
        """The service whose replicas on other hosts have this group."""
        return next((rule for rule in self.service(group.partition(":")[2]) if rule.group == group), None)

    def has_suffix(self, name: str) -> bool:
        """Whether a folded name is the name of a service, or has a suffix that the services' names allow."""
        return name in self._owners or any(name.endswith(suffix) for suffix in self._suffixes)

    def service(self, name: str) -> tuple[ServiceRule, ...]:
        """The services that own a name: the service with that key, else all that are published under that name."""
        return self._owners.get(folded(name), ())
