"""Links between the texts of the repository, as a view of the files follows them."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.image import REPOSITORY

_LINK = re.compile(r"\]\(<?(?P<path>[^)#>\s]*)(?:#(?P<anchor>[^)\s>]+))?[^)]*\)")
_FENCE = re.compile(r"^( *)(`{3,}).*?^\1\2 *$", re.MULTILINE | re.DOTALL)


def test_no_link_is_broken() -> None:
    """README's, the documentation's, all. A template's are those of the page that is made of it."""
    listed = ["git", "ls-files", "--", "*.md", ":!manual/templates"]
    texts = subprocess.check_output(listed, cwd=REPOSITORY, text=True).splitlines()
    assert "README.md" in texts
    assert [f"{text}: {link}" for text in texts for link in _broken(REPOSITORY / text)] == []


def _broken(text: Path) -> Iterator[str]:
    for found in _LINK.finditer(_FENCE.sub("", text.read_text())):
        path, anchor = found["path"], found["anchor"]
        if re.match(r"\w+:", path):
            continue
        target = text.parent / path if path else text
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            yield found[0]


@cache
def _anchors(text: Path) -> set[str]:
    """What a view of the file makes of its headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *#*$", _FENCE.sub("", text.read_text()), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        plain = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        number = sum(each == plain or re.fullmatch(rf"{re.escape(plain)}-\d+", each) is not None for each in found)
        found.add(f"{plain}-{number}" if number else plain)
    return found
