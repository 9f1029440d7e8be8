"""The outcome of one line of a hosts template: its records, or the reason why there are none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from hostwatch.core.block.records import Record
from hostwatch.core.model import NO_NETWORK, AddressOrWords, ContainerKey, NetworkId
from hostwatch.core.names import folded
from hostwatch.core.remote import RemoteEndpoint
from hostwatch.core.resolve.services import Tier


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a record's address."""

    container: ContainerKey | None = None
    """The container that has the address; `None` for a literal address, or if it is not known."""
    network: NetworkId = NO_NETWORK
    network_name: str = ""
    """The network on which the container has the address, as address ranges may overlap. Empty: none, or not known."""
    service_container: str = field(default="", compare=False)
    """The name of the container behind the service, which may use the network of the one that has the address."""
    remote: RemoteEndpoint | None = field(default=None, compare=False)
    """What another host has; `None` for all that is of this engine."""


class Source(NamedTuple):
    """What a line's name stands for: the service that answered."""

    service: str
    """The key of the configuration, or the name by which the service was found."""
    tier: Tier


@dataclass(frozen=True, slots=True)
class Published:
    """The line has these records."""

    line: str
    records: tuple[Record, ...]
    origins: tuple[Origin, ...]
    """The origin of each record."""
    of_all: bool = False
    """Whether the line comes from `services: "*"` alone, so that it has no outcome when its service is gone."""
    source: Source | None = None
    """The service; `None` for a literal line."""
    is_partial: bool = False
    """Whether other hosts may have more of its replicas, of which nothing has been heard yet."""
    names: frozenset[str] = field(init=False, compare=False, repr=False)
    """The names that the records claim, folded. Computed once, as most lines of a long file stay as they were."""
    is_distinct: bool = field(init=False, compare=False, repr=False)
    """Whether each record has another address, so that no name can have one twice."""

    def __post_init__(self) -> None:
        names = frozenset([folded(name) for record in self.records for name in record.claims])
        is_distinct = len(self.records) < 2 or len({record.address for record in self.records}) == len(self.records)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "is_distinct", is_distinct)


@dataclass(frozen=True, slots=True)
class Gone:
    """No container that the line names runs and can be reached. Its last records may linger."""

    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The line must not be published now. Its last records go at once."""

    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It is not known now whether the line has records. Its last records stay."""

    line: str
    reason: str


Outcome = Published | Gone | Refused | Unknown


Owned = tuple[Record, Origin]
"""A record with its origin."""


def published(line: str, owned: Iterable[Owned], source: Source | None, of_all: bool = False) -> Published:
    """The outcome of a line with these records; there is at least one."""
    records, origins = zip(*owned, strict=True)
    return Published(line, records, origins, of_all, source)


@dataclass(frozen=True, slots=True)
class Last:
    """The last records of a line."""

    records: tuple[Record, ...]
    origins: tuple[Origin, ...]
    """The origin of each record."""
    gone_since: float | None = None
    """The time since which the line is gone (monotonic seconds)."""
    of_all: bool = False
    """Whether the line comes from `services: "*"` alone, so that it has no outcome when its service is gone."""
    lost: tuple[tuple[AddressOrWords, Origin], ...] = ()
    """The addresses of records that are withheld because another container has them now."""
    source: Source | None = None
    """The service that the records are from; `None` for a literal line, or if it is not known."""


Memory = Mapping[str, Published | Last]
"""The last records of each line of one hosts file: those of its outcome, while it is published."""


def by_line(found: Iterable[Outcome]) -> dict[str, Outcome]:
    """One outcome for each line, in the order in which they were first requested.

    The same line from two requests counts once: it is published if one of them is, and unknown until both are known.
    """
    first: dict[str, Outcome] = {}
    for outcome in found:
        known = first.setdefault(outcome.line, outcome)
        if _PRECEDENCE.index(type(outcome)) < _PRECEDENCE.index(type(known)):
            first[outcome.line] = outcome
    return first


_PRECEDENCE = (Published, Unknown, Gone, Refused)
"""Of several outcomes of one line the first in this order counts."""
