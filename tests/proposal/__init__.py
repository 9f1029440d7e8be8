"""Tests of the proposals of `hostwatch init`, and how a reader takes entries of them."""

import re

_HIDDEN = re.compile(r"^  #(?=\S|  )", re.MULTILINE)


def taken(text: str) -> str:
    """The text with every entry taken, as its head says: without the # at the beginning of each line."""
    return _HIDDEN.sub("  ", text)


def each_taken(text: str) -> list[str]:
    """The text with one entry taken, for each of them."""
    found = re.finditer(r"^  #[^ ].*\n(?:  #  .*\n)*", text, re.MULTILINE)
    return [text[: entry.start()] + taken(entry[0]) + text[entry.end() :] for entry in found]
