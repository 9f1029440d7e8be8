"""Lines with colours for people: made safe, folded between words, and printed.

Colours go to a terminal only, and not with `NO_COLOR` or `TERM=dumb`. A colour never says what no word says.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

from rich.console import Console
from rich.text import Text

from hostwatch.core.names import printable
from hostwatch.terminal.width import INDENT, broken, width_of

GOOD = "green"
CHANGING = "yellow"
BAD = "red"
HEAD = "bold"
FAINT = "dim"
"""Colours by their meaning, as rich names them."""

Part = str | tuple[str, str]
"""Text, or text with a colour. It may hold anything, as containers choose names, labels and reasons."""


def line(*parts: Part) -> Text:
    """A line of these parts. Characters that would act on a terminal become visible, newlines and tabs blanks."""
    found = Text()
    for part in parts:
        text, colour = part if isinstance(part, tuple) else (part, "")
        found.append(printable(text).replace("\n", " ").replace("\t", " "), colour)
    return found


def folded(text: Text, width: int | None, indent: str = INDENT) -> Iterator[Text]:
    """The line, broken between words where it is wider than the terminal, unless it is not to be wrapped at all.

    Later lines are indented, beyond the line's own indentation.
    """
    if width is None or text.no_wrap or len(text) <= width:
        yield text
        return
    own = " " * (len(text) - len(text.plain.lstrip(" ")))
    end = 0
    for piece in broken(text.plain, width, own + indent):
        words = piece.strip(" ")
        start = text.plain.index(words, end)
        end = start + len(words)
        yield Text.assemble(piece[: len(piece) - len(piece.lstrip(" "))], text[start:end])


def show(lines: Iterable[Text], stream: TextIO | None = None) -> None:
    """Print lines to standard output, or to another stream: whole in a pipe, folded and coloured on a terminal."""
    stream = stream or sys.stdout
    if stream is None:  # it was closed
        return
    width = width_of(stream)
    pieces = (piece for text in lines for piece in folded(text, width))
    if not has_colours(stream):
        stream.writelines(f"{piece.plain}\n" for piece in pieces)
        return
    console = Console(file=stream, force_terminal=True, highlight=False)
    for piece in pieces:
        console.print(piece, soft_wrap=True)


def has_colours(stream: TextIO) -> bool:
    """Whether the stream is a terminal that shows colours, and the user wants them (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in ("dumb", "unknown")
