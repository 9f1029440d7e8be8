"""What a file does not have of the records that are meant for it, as its other lines leave no place for them."""

from collections.abc import Collection, Iterable

from hostwatch.core.block.records import Directive, Record, Withheld
from hostwatch.core.names import folded
from hostwatch.core.resolv_template import KEYWORDS, OPTIONS

_Part = tuple[str, str]
"""A part of a record that can be left out: an address with a folded name, or a keyword with what is behind it."""


class LeftOut:
    """The parts of records that a file does not have."""

    def __init__(self, withheld: Iterable[Withheld], known: Collection[str]) -> None:
        """`withheld` has `ADDRESS NAMES`, or a line of a resolv.conf. The `known` ones are lines of the template."""
        self._found = {part: each for each in withheld if each.line not in known for part in _parts_of(each.line)}

    def apart(self, record: Record) -> tuple[Record | None, list[Withheld]]:
        """What the file has of a record, and what it does not have."""
        parts = {_part(record, word): word for word in _words(record)}
        shadows = [self._found[part] for part in parts if part in self._found]
        if not shadows:
            return record, []
        kept = tuple(word for part, word in parts.items() if part not in self._found)
        if not kept:
            return None, shadows
        whole = isinstance(record, Directive)
        return Directive(" ".join(kept), record.names) if whole else Record(record.address, kept), shadows


def _parts_of(line: str) -> Iterable[_Part]:
    first, *words = line.split()
    if first not in KEYWORDS:
        return [(first, folded(word)) for word in words]
    return [(first, word) for word in words] if first == OPTIONS else [(first, " ".join(words))]


def _words(record: Record) -> Iterable[str]:
    if not isinstance(record, Directive):
        return record.names
    return str(record.address).split(" ") if record.names == (OPTIONS,) else [str(record.address)]


def _part(record: Record, word: str) -> _Part:
    return (record.names[0], word) if isinstance(record, Directive) else (str(record.address), folded(word))
