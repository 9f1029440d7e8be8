"""A unified diff with its usual colours. The signs at the beginning of its lines stay."""

from collections.abc import Iterator

from rich.text import Text

from hostwatch.core.names import printable
from hostwatch.terminal.lines import BAD, FAINT, GOOD, HEAD

_COLOURS = (("---", HEAD), ("+++", HEAD), ("-", BAD), ("+", GOOD), ("@@", FAINT), ("\\", FAINT))
"""The first beginning that a line has counts."""


def diff_lines(diff: str) -> Iterator[Text]:
    """The lines of the diff. They are not folded, so that a copy of them is a diff."""
    for text in printable(diff).removesuffix("\n").split("\n") if diff else ():
        colour = next((colour for start, colour in _COLOURS if text.startswith(start)), "")
        yield Text(text, colour, no_wrap=True)
