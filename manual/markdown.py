"""Markdown: tables, and paragraphs that are no wider than a page of the documentation."""

import re
import textwrap
from collections.abc import Iterable, Sequence

_WIDTH = 120


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. A bar inside a cell stays text."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def paragraph(text: str) -> str:
    """A paragraph, folded between words. `code` stays on one line."""
    whole = re.sub(r"`[^`]*`", lambda match: match[0].replace(" ", _HELD), " ".join(text.split()))
    folded = textwrap.fill(whole, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return folded.replace(_HELD, " ")


def code(text: str, language: str = "") -> str:
    """A block that stays as it is."""
    return f"```{language}\n{text.rstrip(chr(10))}\n```"


def literal(text: str) -> str:
    """Text as `code`, also if it has some itself."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


_HELD = "\x00"
"""Stands for a blank at which no line is folded."""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
