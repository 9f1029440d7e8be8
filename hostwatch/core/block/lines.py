"""The lines of a hosts file: how ours are written, and what any line says.

Nothing is ever decoded as a whole, so no encoding is wrong.
"""

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache

from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import Address

MARKER = b"# hostwatch: "
BEGIN = MARKER + b"begin"
END = MARKER + b"end"
WITHHELD = b"# withheld: "
_MORE = WITHHELD + b"and "
"""The start of the one comment that stands for many withheld lines. No template line begins so: it begins with an
address."""
LINE_LIMIT = 4096
"""The longest line that is written, in bytes without its newline. The engine's own parser fails beyond 64 KiB."""
_ADDRESS_LIMIT = len("0000:0000:0000:0000:0000:0000:255.255.255.255")
"""The longest text of an address; the parser is not given more."""
NAME = re.compile(r"[A-Za-z0-9._-]{1,253}", re.ASCII)
"""A name in a record. `hostwatch.core.names` checks more; this cheaply keeps a line one line."""


def block_lines(block: Block) -> Iterator[bytes]:
    """The block's lines with its markers; no lines for an empty block."""
    if not block:
        return
    yield BEGIN
    for record in block.records:
        yield from record_lines(record)
    for withheld in block.withheld[: len(block.withheld) - block.unsaid]:
        yield comment(withheld)
    if block.unsaid:
        yield unsaid_comment(block.unsaid)
    yield END


@lru_cache(maxsize=128)
def text_of(block: Block) -> bytes:
    """The block's text with its markers."""
    return b"".join(line + b"\n" for line in block_lines(block))


def record_lines(record: Record) -> Iterator[bytes]:
    """The record's line, or several lines of the same address if one would be too long.

    The names' column is fixed, so that another address moves no other byte. It is never reached by a tab: the engine
    takes a line that ends in TAB and a container's name for its own.
    """
    column = 16 if record.address.version == 4 else 40
    start = f"{record.address}".ljust(column - 1)
    line = start
    for name in record.names:
        if len(line) + 1 + len(name) > LINE_LIMIT:
            yield line.encode("ascii")
            line = start
        line = f"{line} {name}"
    yield line.encode("ascii")


def unsaid_comment(count: int) -> bytes:
    """The one comment for all withheld lines that have no room for a comment of their own."""
    return _MORE + b"%d more lines  (no room to say which; see hostwatch status)" % count


def comment(withheld: Withheld) -> bytes:
    """The comment of a withheld line. Its text comes from labels, so only printable ASCII is kept, up to a limit."""
    text = f"{withheld.line}  ({withheld.reason})"
    printable = "".join(character for character in text[:LINE_LIMIT] if " " <= character <= "~")
    return (WITHHELD + printable.encode("ascii"))[:LINE_LIMIT]


def marker_of(line: bytes) -> bytes | None:
    """The marker that a line is; `None` if it is none. An editor may have left a CR or blanks behind it."""
    if not line.startswith(MARKER):
        return None
    bare = line.rstrip(b" \t\r")
    return bare if bare in (BEGIN, END) else None


def fields_of(line: bytes) -> list[bytes]:
    """The fields of a line as the C library sees them: an address and names, without the comment."""
    return line.partition(b"#")[0].split()


def address_of(field: bytes) -> Address | None:
    """The address that a field is; `None` if it is none. The C library does not take an address with a zone either."""
    if len(field) > _ADDRESS_LIMIT or b"%" in field:
        return None
    try:
        return ipaddress.ip_address(field.decode("ascii"))
    except ValueError:
        return None


def record_of(line: bytes) -> Record | None:
    """The record that a line is; `None` if it is none. Names that are never written by hostwatch are left out."""
    fields = fields_of(line)
    address = address_of(fields[0]) if len(fields) > 1 else None
    names = tuple(name for name in (field.decode("ascii", "replace") for field in fields[1:]) if NAME.fullmatch(name))
    return Record(address, names) if address is not None and names else None


def withheld_of(line: bytes) -> Withheld | None:
    """The withheld line that a comment tells of; `None` if the line is no such comment."""
    if not line.startswith(WITHHELD) or len(line) > LINE_LIMIT:
        return None
    text, separator, reason = line.removeprefix(WITHHELD).partition(b"  (")
    if not separator or line.startswith(_MORE):
        return None
    return Withheld(text.decode("ascii", "replace"), reason.removesuffix(b")").decode("ascii", "replace"))
