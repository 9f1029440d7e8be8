"""The meaning of a line of a hosts file.

Nothing is ever decoded as a whole, so no encoding is wrong.
"""

import ipaddress
import re

from hostwatch.core.block.records import BEGIN, END, LINE_LIMIT, MARKER, MORE, WITHHELD, Record, Withheld
from hostwatch.core.model import Address

_ADDRESS_LIMIT = len("0000:0000:0000:0000:0000:0000:255.255.255.255")
"""The longest text of an address; the parser is not given more."""
NAME = re.compile(r"[A-Za-z0-9._-]{1,253}", re.ASCII)
"""A name in a record. `hostwatch.core.names` checks more; this cheaply keeps a line one line."""


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
    if not separator or line.startswith(MORE):
        return None
    return Withheld(text.decode("ascii", "replace"), reason.removesuffix(b")").decode("ascii", "replace"))
