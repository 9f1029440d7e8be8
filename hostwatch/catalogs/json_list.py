"""A list in JSON that comes in parts, taken apart item by item: a long one as a whole would hold the event loop up."""

import codecs
import json
import re
from collections.abc import Iterator

from hostwatch.control.catalog import CatalogError

_BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()
_NO_LIST = "its answer is no list of instances; is a Consul there?"
_NO_JSON = "its answer is no valid JSON; is a Consul there?"
_NULL = "null"
"""Go's word for an empty list."""


class Items:
    """The items of one list. Raises `CatalogError` if it is none."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        """What has come, without the items that were whole."""
        self._is_begun = self._is_ended = False
        self._enough = 0
        """Characters of the rest from which on its first item is tried again. They double: parts may be short."""

    def take(self, part: bytes) -> Iterator[object]:
        """The items that are whole with this part. Take them all."""
        if self._is_ended:
            return
        self._rest += self._decode(part)
        if not self._is_begun:
            self._begin()
        if len(self._rest) >= self._enough:
            yield from self._whole()

    def end(self) -> Iterator[object]:
        """The last items. Nothing more comes."""
        yield from self._whole()
        if self._is_begun and not self._is_ended:
            raise CatalogError(_NO_JSON)
        if not self._is_begun and self._rest.strip() != _NULL:
            raise CatalogError(_NO_LIST)

    def _begin(self) -> None:
        start = self._rest.strip()
        self._is_begun = start.startswith("[")
        if self._is_begun:
            self._rest = self._rest.lstrip()[1:]
        elif not _NULL.startswith(start):
            raise CatalogError(_NO_LIST)

    def _whole(self) -> Iterator[object]:
        place = 0
        while self._is_begun and not self._is_ended:
            place = _after_blanks(self._rest, place)
            if self._rest[place : place + 1] == "]":
                self._is_ended = True
                break
            try:
                item, place = _DECODER.raw_decode(self._rest, place)
            except RecursionError:
                raise CatalogError(_NO_JSON) from None
            except ValueError:  # it goes on in the next part
                break
            yield item
        self._rest = self._rest[place:]
        self._enough = 2 * len(self._rest)


def _after_blanks(text: str, place: int) -> int:
    found = _BETWEEN.match(text, place)
    return place if found is None else found.end()
