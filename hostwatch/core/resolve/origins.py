"""The origin of each record and line of a hosts file: who asked for it, and what answered.

The decision carries all of it along: the places of a subscription, the source of a line, the origin of an address.
"""

from collections import ChainMap
from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import NamedTuple

from hostwatch.core.block.records import Record
from hostwatch.core.model import AddressOrWords
from hostwatch.core.names import folded
from hostwatch.core.references import Line
from hostwatch.core.resolve.outcome import Last, Memory, Origin, Published, Source
from hostwatch.core.store.sharing import Request


class RecordOrigin(NamedTuple):
    """The origin of one record."""

    line: str
    """The line that it is of."""
    origin: Origin
    source: Source | None


class RecordOrigins:
    """The origins of the records in a block, by their addresses and names. The first line with both is the one."""

    def __init__(self) -> None:
        self._found: dict[tuple[AddressOrWords, str], RecordOrigin] = {}

    def take_in(self, lines: Mapping[str, Published | Last]) -> None:
        """Take in the records of more lines."""
        for line, last in lines.items():
            for record, origin in zip(last.records, last.origins, strict=True):
                found = RecordOrigin(line, origin, last.source)
                for name in record.names:
                    self._found.setdefault((record.address, folded(name)), found)

    def of(self, record: Record) -> RecordOrigin | None:
        """The origin of a record; `None` if no line has it, as of one that an earlier run wrote."""
        return self._found.get((record.address, folded(record.names[0])))


def stretches(memory: Memory) -> Iterable[Mapping[str, Published | Last]]:
    """The lines of a memory in the order of the file. A long memory comes in several parts."""
    return memory.maps if isinstance(memory, ChainMap) else (memory,)


class Asked(NamedTuple):
    """A request for one line."""

    request: Request
    place: str
    """Where it stands: a place in the configuration, or a container's label."""
    line: Line | None
    """The line of the template; `None`: a service is asked for."""

    def place_of(self, pattern: int) -> str:
        """Where a pattern of `publish_as` stands."""
        places = self.request.places
        return places.publish_as[pattern] if places is not None else _label("publish_as", self.request)


def _label(label: str, request: Request) -> str:
    return f"label hostwatch.{label} of {request.subscriber.name}"


class Requests:
    """Who asks for each line of a hosts file."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self._asked: dict[str, list[Asked]] = {}
        """By the text of a template's line, by the reference that a service's line begins with (its names may change),
        or `*`."""
        for request in requests:
            self._add(request)

    def _add(self, request: Request) -> None:
        subscription, places = request.query.subscription, request.places
        label = repeat(_label(subscription.kind.value, request))
        for line, place in zip(subscription.lines, places.lines if places is not None else label, strict=False):
            self._asked.setdefault(line.text, []).append(Asked(request, place, line))
        label = repeat(_label("services", request))
        requested = ["*"] if subscription.everything else subscription.services
        for service, place in zip(requested, places.services if places is not None else label, strict=False):
            reference = "*" if service == "*" else f"@{{{service}.ip}}"
            self._asked.setdefault(reference, []).append(Asked(request, place, None))

    def of(self, line: str) -> list[Asked]:
        """All requests for a line, the first one first; empty if nobody asks for it any more."""
        for key in (line, line.partition(" ")[0], "*"):
            if key in self._asked:
                return self._asked[key]
        return []

    def place(self, line: str) -> str | None:
        """Where a line is asked for first."""
        return next((asked.place for asked in self.of(line)), None)
