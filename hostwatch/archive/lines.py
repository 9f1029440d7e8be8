"""The form in which lines of blocks, and other texts, are stored."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from hostwatch.core.block.records import LINE_LIMIT, Block, Directive, Record, Withheld
from hostwatch.core.block.resolv import directive_of


class Line(NamedTuple):
    """A line of a block, as it is stored."""

    content: str
    """Of a record its address and names, of a directive its line, of a withheld line that line."""
    reason: str
    """Of a withheld line."""


def line_of(line: Record | Withheld) -> Line:
    """The stored form of a line."""
    if isinstance(line, Directive):
        return Line(line.line, "")
    if isinstance(line, Record):
        return Line(" ".join([str(line.address), *line.names]), "")
    return Line(cut(stored(line.line)), cut(stored(line.reason)))


@lru_cache(maxsize=8192)
def record_of(content: str) -> Record:
    """The record of a stored line. Many files have the same ones. No address is a keyword of a resolv.conf."""
    if (directive := directive_of(content.encode())) is not None:
        return directive
    address, *names = content.split(" ")
    return Record(ipaddress.ip_address(address), tuple(names))


def block_of(rows: Iterable[tuple[int, str, str]]) -> Block:
    """The block of its stored lines: whether each is withheld, its content and its reason."""
    records, withheld = [], []
    for is_withheld, content, reason in rows:
        if is_withheld:
            withheld.append(Withheld(content, reason))
        else:
            records.append(record_of(content))
    return Block(tuple(records), tuple(withheld))


def stored(text: str) -> str:
    """Text as it can be stored: half of a surrogate pair, which JSON may hold, has no form in UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def cut(text: str) -> str:
    """Text as long as the longest line of a hosts file: containers choose it, and it is kept for weeks."""
    return text[:LINE_LIMIT]
