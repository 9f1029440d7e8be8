"""Answers that are split before they are decoded: a long list, and the raw stream of an exec."""

import json
import struct
from collections.abc import Iterator
from typing import Any

_FRAME = struct.Struct(">BxxxL")
_BLANKS = " ,\n\r\t"
_END = "\0"
"""Behind the last part, where JSON has nothing."""


def items(text: str) -> Iterator[Any]:
    """The items of a JSON array, each parsed when it is asked for. Raises `ValueError` for anything else.

    A list of 10,000 containers takes a third of a second to parse and decode: too long for one step.
    """
    cursor = Cursor(text)
    if not cursor.comes("["):
        raise ValueError(f"no list: {text[:40]!r}")
    for _ in cursor.items():
        yield cursor.value()


class Cursor:
    """Goes through JSON part by part. Each part must be taken before the next. Raises `ValueError` if it is no JSON."""

    def __init__(self, text: str) -> None:
        self._text = text + _END
        self._place = 0
        self._decode = json.JSONDecoder().raw_decode
        self._skip()

    def members(self) -> Iterator[str]:
        """The keys of an object; the value of each is to be taken. None if something else comes, which is taken."""
        for _ in self._parts("{", "}"):
            key = self.value()
            if not (isinstance(key, str) and self.comes(":")):
                raise ValueError(f"no member of an object at {self._place}")
            self._place += 1
            self._skip()
            yield key

    def items(self) -> Iterator[None]:
        """The items of a list, each to be taken. None if something else comes, which is taken."""
        yield from self._parts("[", "]")

    def comes(self, sign: str) -> bool:
        """Whether this sign comes next."""
        return self._text[self._place] == sign

    def value(self) -> Any:
        """What comes next."""
        found, self._place = self._decode(self._text, self._place)
        self._skip()
        return found

    def _parts(self, first: str, last: str) -> Iterator[None]:
        if not self.comes(first):
            self.value()
            return
        self._place += 1
        self._skip()
        while not self.comes(last):
            yield
        self._place += 1
        self._skip()

    def _skip(self) -> None:
        """Go on to the next part, over commas and blanks. As a rule there is one comma."""
        while self._text[self._place] in _BLANKS:
            self._place += 1


def output(stream: bytes) -> tuple[bytes, bytes]:
    """Standard output and standard error of a command, from the frames of the engine's raw stream.

    A frame consists of its stream's number (1 output, 2 errors), three zeros, its length in four bytes, its content.
    """
    found: dict[int, list[bytes]] = {1: [], 2: []}
    place = 0
    while place + _FRAME.size <= len(stream):
        number, length = _FRAME.unpack_from(stream, place)
        place += _FRAME.size + length
        found.setdefault(number, []).append(stream[place - length : place])
    return b"".join(found[1]), b"".join(found[2])
