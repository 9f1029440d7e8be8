"""Takes the text of a file apart into its own lines (the block) and foreign lines, and repairs damaged markers.

The text may come from a hostile container, so all of this takes time linear in its size.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hostwatch.core.block.lines import marker_of
from hostwatch.core.block.records import BEGIN, END, LINE_LIMIT, MARKER, WITHHELD, Block, Record

_PORTION = 1 << 14
"""Bytes that are taken apart in one call, during which no other thread runs."""


Known = tuple[Block, ...] | None
"""Earlier and new blocks of a file; `None`: not known."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a text. Lines are without their newlines."""

    foreign: list[bytes]
    """The foreign lines, each alone or several in a portion with newlines between them."""
    inside: list[bytes]
    """The lines in the block; if there are several blocks, of all together."""
    place: int | None
    """The number of entries of `foreign` before the first marker; `None` without a marker."""


class Grammar(Protocol):
    """What a line of one kind of file may be."""

    def record_of(self, line: bytes) -> Record | None:
        """The record that a line is; `None` if it is none."""

    def owns(self, record: Record, known: Known) -> bool:
        """Whether a record next to a marker that stands alone is an own line, going by the known blocks."""


def taken_apart(text: bytes, grammar: Grammar, known: Known = None) -> Parts:
    """The parts of a text.

    All lines from a begin to the next end are the block's. If one of the two is missing, only those lines next to the
    remaining marker are, that are exactly as hostwatch writes them and have only known names: left in the file, they
    would shadow the new records for ever. Any other program may align a line like this, but it hardly writes one of
    these names next to the marker.
    """
    foreign: list[bytes] = []
    inside: list[bytes] = []
    place: int | None = None
    opened: list[bytes] | None = None  # the lines since a begin that has no end yet
    floor = 0  # foreign lines below this one have a marker after them
    for portion in _portions(text):
        if opened is None and MARKER not in portion:
            foreign.append(portion)
            continue
        for line in portion.split(b"\n"):  # (`splitlines` would also split at CR)
            marker = marker_of(line)
            if marker is None:
                (foreign if opened is None else opened).append(line)
                continue
            if marker == END:
                inside += _taken_from_end(foreign, floor, _Own(grammar, known)) if opened is None else opened
            elif opened is not None:
                _settle(opened, foreign, inside, _Own(grammar, known))
            place = len(foreign) if place is None else place
            opened = [] if marker == BEGIN else None
            floor = len(foreign)
    if opened is not None:
        _settle(opened, foreign, inside, _Own(grammar, known))
    return Parts(foreign, inside, place)


def taken_apart_by_content(lines: list[bytes], grammar: Grammar, last: Block) -> Parts:
    """The parts of a text without markers. For each earlier record, the last line that says the same is an own line."""
    places: dict[Record | None, list[int]] = {}
    for place, line in enumerate(lines):
        places.setdefault(grammar.record_of(line), []).append(place)
    ours = {places[record].pop() for record in last.records if places.get(record)}
    foreign = [line for place, line in enumerate(lines) if place not in ours]
    return Parts(foreign, [], min(ours, default=None))


def _portions(text: bytes) -> Iterator[bytes]:
    """The text in portions of several lines, without the last newline of each. The text itself may lack its last one.

    A text of some megabytes has so many lines that a list of them all takes long to make and to free.
    """
    place = 0
    while place < len(text):
        end = text.rfind(b"\n", place, place + _PORTION) + 1 or text.find(b"\n", place) + 1 or len(text)
        yield text[place:end].removesuffix(b"\n")
        place = end


def lines_of(portions: Iterable[bytes]) -> Iterator[bytes]:
    """The single lines of portions."""
    for portion in portions:
        yield from portion.split(b"\n")


class _Own(NamedTuple):
    """Tells own lines from foreign ones next to a marker that stands alone. A CR or blanks behind them do not count."""

    grammar: Grammar
    known: Known

    def is_alike(self, line: bytes) -> bool:
        """Whether a line may be an own one, if those behind it are."""
        record = self._record(line.rstrip(b" \r"))
        return self.has(line) or (record is not None and self.grammar.owns(record, None))

    def has(self, line: bytes) -> bool:
        """Whether a line is an own one."""
        bare = line.rstrip(b" \r")
        if bare.startswith(WITHHELD):
            return len(bare) <= LINE_LIMIT
        record = self._record(bare)
        return record is not None and self.grammar.owns(record, self.known)

    def _record(self, bare: bytes) -> Record | None:
        record = self.grammar.record_of(bare) if len(bare) <= LINE_LIMIT else None
        return record if record is not None and record.text.rstrip(b" \n") == bare else None


def _settle(opened: list[bytes], foreign: list[bytes], inside: list[bytes], own: _Own) -> None:
    """Divide the lines behind a begin without an end: own lines as far as they look so, foreign ones from there on.

    No other program writes comments of withheld lines, and these stand behind the records. So every line before such a
    comment is an own one, too.
    """
    alike = next((index for index, line in enumerate(opened) if not own.is_alike(line)), len(opened))
    ours = next((index for index in range(alike, 0, -1) if opened[index - 1].startswith(WITHHELD)), 0)
    while ours < alike and own.has(opened[ours]):
        ours += 1
    inside += opened[:ours]
    foreign += opened[ours:]


def _taken_from_end(foreign: list[bytes], floor: int, own: _Own) -> list[bytes]:
    """Take the own lines before an end without a begin out of `foreign`, as far as they look so."""
    taken: list[bytes] = []
    while len(foreign) > floor:
        if b"\n" in foreign[-1]:
            foreign[-1:] = foreign[-1].split(b"\n")
        if not own.has(foreign[-1]):
            break
        taken.append(foreign.pop())
    return taken[::-1]
