"""The contents of a block, and how they are written: records, and withheld template lines with their reasons."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from hostwatch.core.model import AddressOrWords

MARKER = b"# hostwatch: "
BEGIN = MARKER + b"begin"
END = MARKER + b"end"
WITHHELD = b"# withheld: "
MORE = WITHHELD + b"and "
"""The start of the one comment that stands for many withheld lines. No template line begins so: it begins with an
address."""
LINE_LIMIT = 4096
"""The longest line that is written, in bytes without its newline. The engine's own parser fails beyond 64 KiB."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a hosts file: an address and its names."""

    address: AddressOrWords
    names: tuple[str, ...]
    _text: bytes = field(init=False, repr=False, compare=False, default=b"")

    @property
    def text(self) -> bytes:
        """Its lines, as they are written. Made once: most records of a long file stay as they were."""
        if not self._text:
            object.__setattr__(self, "_text", b"".join(line + b"\n" for line in self.lines()))
        return self._text

    @property
    def claims(self) -> tuple[str, ...]:
        """The names that no other line of the file may have with other addresses."""
        return self.names

    def lines(self) -> Iterator[bytes]:
        """The record's line, or several lines of the same address if one would be too long.

        The names' column is fixed, so that another address moves no other byte. It is never reached by a tab: the
        engine takes a line that ends in TAB and a container's name for its own.
        """
        column = 16 if isinstance(self.address, IPv4Address) else 40
        start = f"{self.address}".ljust(column - 1)
        line = start
        for name in self.names:
            if len(line) + 1 + len(name) > LINE_LIMIT:
                yield line.encode("ascii")
                line = start
            line = f"{line} {name}"
        yield line.encode("ascii")


@dataclass(frozen=True, slots=True)
class Directive(Record):
    """One line of a resolv.conf: a keyword, which is its only name, and an address or words.

    The keyword may be that of several lines. Blanks behind an address, which every C library skips, keep the lines
    below in place when another address stands there: a reader that reads a file piece by piece would find them torn.
    """

    @property
    def claims(self) -> tuple[str, ...]:
        """None: several lines may have the same keyword."""
        return ()

    @property
    def line(self) -> str:
        """The line without its newline."""
        return f"{self.names[0]} {self.address}"

    def lines(self) -> Iterator[bytes]:
        """The line."""
        width = 0 if isinstance(self.address, str) else 15 if isinstance(self.address, IPv4Address) else 39
        yield f"{self.names[0]} {str(self.address).ljust(width)}".encode("ascii")


@dataclass(frozen=True, slots=True)
class Withheld:
    """A template line that has no valid record now."""

    line: str
    """The template line, its fields separated by single spaces."""
    reason: str
    """Such as `db: no running container`."""


@dataclass(frozen=True, slots=True, eq=False)
class Portion:
    """Some records, one after the other. Blocks of a long file have most portions in common."""

    records: tuple[Record, ...]
    text: bytes
    """Their lines."""
    names: frozenset[bytes]
    """Their names, in lower case."""


def portion_of(records: Iterable[Record]) -> Portion:
    """The portion of these records."""
    everyone = tuple(records)
    names = frozenset([name.lower().encode() for record in everyone for name in record.names])
    return Portion(everyone, b"".join([record.text for record in everyone]), names)


@dataclass(frozen=True, slots=True)
class Block:
    """The contents of a block. An empty one means that the file has no block."""

    records: tuple[Record, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    unsaid: int = 0
    """The number of withheld lines, counted from the last, that have no room for a comment of their own in the file."""
    portions: tuple[Portion, ...] = field(compare=False, repr=False, default=())
    """The records in portions, none of which has a name of another one. Empty: all in one, which is made at need."""
    _hash: int = field(init=False, repr=False, compare=False, default=0)
    """Computed once. Hundreds of files have the same block and use it as a key."""
    _text: bytes = field(init=False, repr=False, compare=False, default=b"")

    def __hash__(self) -> int:
        if self._hash == 0:
            object.__setattr__(self, "_hash", hash((self.records, self.withheld, self.unsaid)))
        return self._hash

    def __bool__(self) -> bool:
        return bool(self.records or self.withheld)

    @property
    def text(self) -> bytes:
        """The block's text with its markers, made once; empty for an empty block."""
        if not self._text and self:
            object.__setattr__(self, "_text", b"".join(_texts(self)))
        return self._text

    @property
    def parts(self) -> tuple[Portion, ...]:
        """The records in portions."""
        return self.portions or (portion_of(self.records),)


def without_common(before: Block, after: Block) -> tuple[list[Record], list[Record]]:
    """The records of both without the portions that they have in common: those whose names may have changed."""
    common = {*map(id, before.portions)} & {*map(id, after.portions)}
    both = (
        [record for portion in block.portions if id(portion) not in common for record in portion.records]
        if common
        else [*block.records]
        for block in (before, after)
    )
    return next(both), next(both)


def _texts(block: Block) -> Iterator[bytes]:
    yield BEGIN + b"\n"
    for part in block.portions or block.records:
        yield part.text
    for withheld in block.withheld[: len(block.withheld) - block.unsaid]:
        yield comment(withheld) + b"\n"
    if block.unsaid:
        yield unsaid_comment(block.unsaid) + b"\n"
    yield END + b"\n"


def unsaid_comment(count: int) -> bytes:
    """The one comment for all withheld lines that have no room for a comment of their own."""
    return MORE + b"%d more lines  (no room to say which; see hostwatch status)" % count


def comment(withheld: Withheld) -> bytes:
    """The comment of a withheld line. Its text comes from labels, so only printable ASCII is kept, up to a limit."""
    text = f"{withheld.line}  ({withheld.reason})"[:LINE_LIMIT]
    if not (text.isascii() and text.isprintable()):
        text = "".join(character for character in text if " " <= character <= "~")
    return (WITHHELD + text.encode("ascii"))[:LINE_LIMIT]
