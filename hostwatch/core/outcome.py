"""What one line of a hosts template comes to: records, or why there are none, in a form that time can be applied to."""

from collections.abc import Iterable
from dataclasses import dataclass

from hostwatch.core.model import ContainerKey
from hostwatch.core.records import Record


@dataclass(frozen=True, slots=True)
class Published:
    """The line has these records; `owners` are the containers whose addresses they are, one for each record."""

    line: str
    records: tuple[Record, ...]
    owners: tuple[ContainerKey | None, ...]
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


Owned = tuple[Record, ContainerKey | None]
"""A record and the container whose address it is, `None` where it is nobody's."""


def published(line: str, owned: Iterable[Owned], of_all: bool = False) -> Published:
    records, owners = zip(*owned, strict=True)
    return Published(line, records, owners, of_all)
