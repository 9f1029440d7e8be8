"""Cautions about lines of a resolv.conf: those that never count, and nameservers that hide Docker's names."""

from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from hostwatch.config.document import Problem, Scalar, shown
from hostwatch.config.settings import Settings
from hostwatch.config.subscribers import SubscriberSettings
from hostwatch.core.block.resolv import MOST_NAMESERVERS
from hostwatch.core.references import Line
from hostwatch.core.resolv_template import NAMESERVER, SEARCH, ResolvLine, parsed_resolv
from hostwatch.core.resolve.hiding import HIDES, hiding_line

ALL_NAMES = '`services` with "*" puts these names into the hosts file'
_TOO_MANY = f"only the first {MOST_NAMESERVERS} nameservers count, so this one does only while others are withheld"
_OVERRIDDEN = "a later line `search` is asked for, and the last one counts"


class _Entry(NamedTuple):
    """The lines of an entry, with their places."""

    settings: SubscriberSettings
    lines: tuple[Line, ...]
    places: list[int]


def idle(settings: Settings) -> Iterator[Problem]:
    """Lines that other lines of the same entry leave no effect."""
    for entry in _entries(settings):
        found = [(line, place) for line, place in zip(*entry[1:], strict=True) if isinstance(line, ResolvLine)]
        for line, place in [each for each in found if each[0].keyword == NAMESERVER][MOST_NAMESERVERS:]:
            yield Problem(place, shown(line.text), _TOO_MANY)
        for line, place in [each for each in found if each[0].keyword == SEARCH][:-1]:
            yield Problem(place, shown(line.text), _OVERRIDDEN)


def hiding(settings: Settings) -> Iterator[Problem]:
    """Nameservers that hide names, on networks where Docker has a resolver. The file does not show which these are."""
    for entry in _entries(settings):
        index = hiding_line(entry.lines)
        if index is not None and entry.settings.services != "*":
            what = f"on a network of one's own this nameserver {HIDES}; {ALL_NAMES}"
            yield Problem(entry.places[index], shown(entry.lines[index].text), what)


def _entries(settings: Settings) -> Iterator[_Entry]:
    document = settings.origin.document
    for key, entry in settings.subscribers.items():
        scalar, lines = document.found(("subscribers", key, "resolv")).node, parsed_resolv(entry.resolv)[0]
        if lines and isinstance(scalar, Scalar):
            starts = [0, *accumulate(len(row) + 1 for row in entry.resolv.split("\n"))]
            yield _Entry(entry, lines, document.inside(scalar, [starts[line.row] for line in lines]))
