"""The width of a terminal, and text folded to it. Loads no library, since every command needs it.

Lines break only between words. A word that is longer than a line is left to the terminal, which folds it and still
copies it as one word. In a pipe nothing is folded, so that `grep` finds each line whole.
"""

import os
import textwrap
from typing import TextIO

INDENT = "    "


def width_of(stream: TextIO | None) -> int | None:
    """The columns of a stream's terminal; `None` if it goes elsewhere, or if the width is not known."""
    try:
        if stream is None or not stream.isatty():
            return None
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # the stream may be closed, or have no descriptor
        return None


def wrapped(text: str, width: int | None, indent: str = INDENT) -> str:
    """The text with each line that is wider than the terminal broken between words, and continued indented."""
    if width is None:
        return text
    return "\n".join("\n".join(broken(line, width, indent)) for line in text.split("\n"))


def broken(line: str, width: int, indent: str) -> list[str]:
    """The line, broken between words where it is wider than this, and continued indented."""
    if len(line) <= width:
        return [line]
    lines = textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
    return lines or [line]
