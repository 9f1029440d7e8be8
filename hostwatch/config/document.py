"""A YAML document as values that know where they stand in the text.

Places are kept as character offsets and become line and column only in a message: YAML counts other line ends than
editors do, and what stands inside a block scalar has no mark of its own.
"""

import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

SHOWN_LENGTH = 60

Loc = tuple[str | int, ...]
"""The way to a value: keys and list positions, from the outermost; pydantic's `loc`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault before its offset has become a line of a file."""

    index: int
    value: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """Text, a number, a truth value or nothing."""

    index: int
    value: str | bool | int | float | None
    written: str
    """Its text, whatever YAML takes it for."""
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
    """How many values it holds with every alias written out."""
    value: list[object] = field(repr=False)

    def __str__(self) -> str:
        return "a list" if self.items else "an empty list"


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """A mapping. Each entry has its key with the key's own place."""

    index: int
    entries: dict[str, tuple[Scalar, "Node"]]
    size: int
    """How many values it holds with every alias written out."""
    value: dict[str, object] = field(repr=False)

    def __str__(self) -> str:
        return "a mapping" if self.entries else "an empty mapping"


Node = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Found:
    """Where a `Loc` leads to: as far as the file follows it."""

    key: Scalar | None
    """The last key passed; `None` for the document itself."""
    node: Node
    absent: Loc
    """The end of the way that the file does not have."""


def shown(text: str) -> str:
    """Text for a message: quoted, without control characters, not too long."""
    return repr(shortened(text))


def shortened(text: str) -> str:
    """The text, cut to what a message bears."""
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"


class Document:
    """The text of a file with the tree of its values; `root` is `None` if the file says nothing."""

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
        """The value that `loc` leads to. Steps that the file does not know are skipped: pydantic adds some."""
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
        """Where in the file the characters at these offsets of a scalar's text stand.

        YAML folds and indents, so the way back is to count what it never changes: the characters that are not blank.
        An offset on a blank is moved to the next of these.
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
    """The characters of a scalar as they stand in the text, to the text's end: offset, and whether it is blank."""
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
