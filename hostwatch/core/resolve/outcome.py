"""What one line of a hosts template comes to: records, or why there are none, in a form that time can be applied to."""

from collections.abc import Iterable
from dataclasses import dataclass

from hostwatch.core.block.records import Record
from hostwatch.core.model import NO_NETWORK, ContainerKey, NetworkId


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record comes from, as far as it is known: a literal address is nobody's, and on no network."""

    container: ContainerKey | None = None
    """The container whose address it is."""
    network: NetworkId = NO_NETWORK
    network_name: str = ""
    """On which network it has that address: another one may have it too, where ranges overlap. Empty: not known."""


@dataclass(frozen=True, slots=True)
class Published:
    """The line has these records; `origins` says of each where it comes from."""

    line: str
    records: tuple[Record, ...]
    origins: tuple[Origin, ...]
    of_all: bool = False
    """Whether nobody asked for this line by name (`services: "*"`): no line tells it when the service is gone."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing that answers to the line runs or can be reached; its last records may linger."""

    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The line must not be published as things are."""

    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Whether the line has records cannot be told now; its last records stay."""

    line: str
    reason: str


Outcome = Published | Gone | Refused | Unknown


Owned = tuple[Record, Origin]
"""A record, and where it comes from."""


def published(line: str, owned: Iterable[Owned], of_all: bool = False) -> Published:
    records, origins = zip(*owned, strict=True)
    return Published(line, records, origins, of_all)
