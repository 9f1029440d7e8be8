"""Pages that people write, with places for what the code knows.

A place is `<!-- NAME -->` on a line of its own.
"""

import re
from collections.abc import Mapping
from pathlib import Path

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_PLACE = re.compile(r"^<!-- ([a-z_.]+) -->$", re.MULTILINE)
_NOTE = "\n<!-- Made by `make reference` from the code and from manual/templates/{name}: change it there. -->\n"


def filled(name: str, parts: Mapping[str, str]) -> str:
    """The page of this name. Raises `ValueError` if it has not just the places that there are parts for."""
    text = (_TEMPLATES / name).read_text()
    if (places := sorted(_PLACE.findall(text))) != sorted(parts):
        raise ValueError(f"manual/templates/{name} has the places {places}, and there are parts for {sorted(parts)}")
    title, line_end, rest = text.partition("\n")  # MkDocs takes the title of the first line alone
    return title + line_end + _NOTE.format(name=name) + _PLACE.sub(lambda match: parts[match[1]], rest)
