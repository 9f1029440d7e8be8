"""The origin of each record and line of a hosts file: who asked for it, and what answered.

The decision carries all of it along: the places of a subscription, the source of a line, the origin of an address.
"""

from collections import ChainMap
from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import NamedTuple

from hostwatch.core.block.records import Record
from hostwatch.core.model import Address
from hostwatch.core.names import folded
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
        self._found: dict[tuple[Address, str], RecordOrigin] = {}

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


class Asked:
    """Who asks for each line of a hosts file: a place in the configuration, or a container's label."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self._lines: dict[str, str] = {}
        self._services: dict[str, str] = {}
        """By the reference that a service's line begins with, as its names may change. `*`: of every other line."""
        for request in requests:
            self._add(request)

    def _add(self, request: Request) -> None:
        subscription, places = request.query.subscription, request.places
        name = request.subscriber.name
        label = repeat(f"label hostwatch.hosts of {name}")
        for line, place in zip(subscription.lines, places.lines if places is not None else label, strict=False):
            self._lines.setdefault(line.text, place)
        label = repeat(f"label hostwatch.services of {name}")
        requested = ["*"] if subscription.everything else subscription.services
        for service, place in zip(requested, places.services if places is not None else label, strict=False):
            self._services.setdefault("*" if service == "*" else f"@{{{service}.ip}}", place)

    def for_line(self, line: str) -> str | None:
        """Who asks for a line; `None` if nobody does any more."""
        return self._lines.get(line) or self._services.get(line.partition(" ")[0], self._services.get("*"))
