"""The pages that a reader can follow: README and the documentation, without what is about the code."""

from tests.image import REPOSITORY
from tests.reader.page import Page, read

_DOCS = REPOSITORY / "docs"
_FILES = [
    REPOSITORY / "README.md",
    *(path for path in sorted(_DOCS.rglob("*.md")) if path.name != "architecture.md"),
]
PAGES = [read(path) for path in _FILES]


def name(page: Page) -> str:
    """A page's path in the repository."""
    return str(page.path.relative_to(REPOSITORY))
