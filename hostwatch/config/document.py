"""A YAML document as values with their places in the text.

A place is a character offset. It becomes a line and a column only in a message, for two reasons: YAML has other line
ends than editors, and it gives no place for text inside a block scalar.
"""

import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

SHOWN_LENGTH = 60

Loc = tuple[str | int, ...]
"""The path to a value: keys and list positions, the outermost first. This is pydantic's `loc`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault at a character offset, which is not a line and column yet."""

    index: int
    value: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """Text, a number, a truth value or nothing."""

    index: int
    value: str | bool | int | float | None
    written: str
    """Its text as written, without YAML's interpretation."""
    style: str | None
    """`|`, `>`, `'`, `"`, or `None` for plain."""
    size: int = 1

    def __str__(self) -> str:
        return shown(self.value) if isinstance(self.value, str) else shortened(self.written) or "nothing"


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """A list."""

    index: int
    items: tuple["Node", ...]
    size: int
    """The number of values in it, with every alias written out."""
    value: list[object] = field(repr=False)

    def __str__(self) -> str:
        return "a list" if self.items else "an empty list"


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """A mapping. Each entry has its key with the key's own place."""

    index: int
    entries: dict[str, tuple[Scalar, "Node"]]
    size: int
    """The number of values in it, with every alias written out."""
    value: dict[str, object] = field(repr=False)

    def __str__(self) -> str:
        return "a mapping" if self.entries else "an empty mapping"


Node = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Found:
    """The value that a `Loc` leads to, or the nearest one above it that the file has."""

    key: Scalar | None
    """The last key on the path; `None` for the document itself."""
    node: Node
    absent: Loc
    """The end of the path that the file does not have."""


def shown(text: str) -> str:
    """Text for a message: quoted, without control characters, not too long."""
    return repr(shortened(text))


def shortened(text: str) -> str:
    """The text, cut to a length that fits a message."""
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"


class Document:
    """The text of a file with the tree of its values; `root` is `None` if the file is empty."""

    def __init__(self, text: str, root: Node | None) -> None:
        self.text = text
        self.root = root
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(self, index: int) -> tuple[int, int]:
        """Line and column, both from 1, of a character offset."""
        index = max(0, min(index, len(self.text)))
        line = bisect_right(self._line_starts, index)
        return line, index - self._line_starts[line - 1] + 1

    def found(self, loc: Loc) -> Found:
        """The value that `loc` leads to. Steps that the file does not have are skipped, because pydantic adds some."""
        key: Scalar | None = None
        node = self.root if self.root is not None else Mapping(0, {}, 1, {})
        absent: list[str | int] = []
        for step in loc:
            match node, step:
                case Mapping(entries=entries), str() if step in entries:
                    key, node = entries[step]
                    absent.clear()
                case Sequence(items=items), int() if 0 <= step < len(items):
                    node = items[step]
                    absent.clear()
                case _:
                    absent.append(step)
        return Found(key, node, tuple(absent))

    def inside(self, scalar: Scalar, offsets: list[int]) -> list[int]:
        """The offsets in the file of the characters at these offsets of a scalar's text.

        YAML folds lines and removes indentation, but never changes characters that are not blank. So these are counted.
        An offset of a blank is moved to the next character that is not blank.
        """
        here = [offset for offset, character in enumerate(scalar.written) if character in _BLANK]
        solid = (index for index, blank in _characters(self.text, scalar) if not blank)
        there = list(islice(solid, len(scalar.written) - len(here)))
        if not there:
            return [scalar.index for _ in offsets]
        return [there[min(offset - bisect_left(here, offset), len(there) - 1)] for offset in offsets]


_BLANK = frozenset(" \t\r\n\x85\u2028\u2029")
_ESCAPED_BLANK = frozenset("\\" + letter for letter in "ntrNLP \t\r\n\x85\u2028\u2029")
_QUOTED = {
    '"': re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|.", re.DOTALL),
    "'": re.compile(r"''|.", re.DOTALL),
}
_BLOCK_HEADER = re.compile(r"[^\r\n\x85\u2028\u2029]*")


def _characters(text: str, scalar: Scalar) -> Iterator[tuple[int, bool]]:
    """The offset of each character from a scalar's start to the end of the text, and whether it is blank."""
    if scalar.style in _QUOTED:
        for match in _QUOTED[scalar.style].finditer(text, scalar.index + 1):
            yield match.start(), _is_blank(match[0])
        return
    start = scalar.index
    if scalar.style is not None and (header := _BLOCK_HEADER.match(text, start)):
        start = header.end()
    for index in range(start, len(text)):
        yield index, text[index] in _BLANK


def _is_blank(token: str) -> bool:
    if len(token) > 2 and token[0] == "\\" and token[1] in "xuU":
        digits = token[2:]
        return chr(min(int(digits, base=16), sys.maxunicode)) in _BLANK
    return token in _BLANK or token in _ESCAPED_BLANK
