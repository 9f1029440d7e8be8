"""Answers that are split before they are decoded: a long list, and the raw stream of an exec."""

import json
import re
import struct
from collections.abc import Iterator
from typing import Any

_FRAME = struct.Struct(">BxxxL")
_BETWEEN = re.compile(r"[\s,]*")


def items(text: str) -> Iterator[Any]:
    """The items of a JSON array, each parsed when it is asked for. Raises `ValueError` for anything else.

    A list of 10,000 containers takes a third of a second to parse and decode: too long for one step.
    """
    text = text.lstrip()
    if not text.startswith("["):
        raise ValueError(f"no list: {text[:40]!r}")
    decoder = json.JSONDecoder()
    place = _next_item(text, 1)
    while not text.startswith("]", place):
        item, place = decoder.raw_decode(text, place)
        yield item
        place = _next_item(text, place)


def _next_item(text: str, place: int) -> int:
    """The index of the next item, after commas and blanks."""
    found = _BETWEEN.match(text, place)
    return found.end() if found is not None else place


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
