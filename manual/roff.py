"""Text for man(7): paragraphs, lists and examples, with all that roff would take for its own escaped."""

import re
import textwrap
from collections.abc import Iterable, Sequence

_CODE = re.compile(r"`([^`]+)`")
_WIDTH = 79
"""Characters of a line of the source."""


def escaped(text: str) -> str:
    """Text that roff shows as it is. A dash is the ASCII one, so that options can be copied."""
    found = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("^", r"\(ha")
    found = found.replace("~", r"\(ti").replace("`", r"\(ga")
    return "".join(each if each.isascii() else rf"\[u{ord(each):04X}]" for each in found)


def prose(text: str) -> str:
    """A paragraph's text, in which `code` is bold. A sentence begins a line, as roff counts on that."""
    parts = _CODE.split(" ".join(text.split()))
    told = "".join(rf"\fB{escaped(part)}\fR" if at % 2 else escaped(part) for at, part in enumerate(parts))
    sentences = re.sub(r"(?<=[.:]) (?=[A-Z])", "\n", told).split("\n")
    return "\n".join(_plain(line) for sentence in sentences for line in _FOLDING.wrap(sentence))


_FOLDING = textwrap.TextWrapper(_WIDTH, break_long_words=False, break_on_hyphens=False)


def _plain(line: str) -> str:
    """A line that is no request, whatever it begins with."""
    return rf"\&{line}" if line.startswith(".") else line


def bold(text: str) -> str:
    """A word that is typed as it is."""
    return rf"\fB{escaped(text)}\fR"


def italic(text: str) -> str:
    """A word that stands for another one."""
    return rf"\fI{escaped(text)}\fR"


def section(title: str, *parts: str) -> str:
    """A section with its parts."""
    return _headed("SH", title, parts)


def subsection(title: str, *parts: str) -> str:
    """A section of a section."""
    return _headed("SS", title, parts)


def paragraph(text: str) -> str:
    """A paragraph."""
    return f".PP\n{prose(text)}"


def paragraphs(text: str) -> str:
    """Paragraphs that blank lines are between."""
    return "\n".join(map(paragraph, text.strip().split("\n\n")))


def listed(entries: Iterable[tuple[str, str]]) -> str:
    """A list of terms, which are roff already, each with what is said of it."""
    return "\n".join(f".TP\n{term}\n{prose(text)}" for term, text in entries)


def example(text: str) -> str:
    """Lines that stay as they are."""
    lines = "\n".join(_plain(escaped(line)) for line in text.rstrip("\n").split("\n"))
    return f".PP\n.nf\n.RS\n{lines}\n.RE\n.fi"


def _headed(macro: str, title: str, parts: Sequence[str]) -> str:
    shown = f'"{escaped(title)}"' if " " in title else escaped(title)
    return "\n".join([f".{macro} {shown}", *parts]).replace(f" {shown}\n.PP\n", f" {shown}\n", 1)
