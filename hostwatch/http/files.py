"""The page's own files: all that is in the package, read once. No path of a request ever leads to the file system."""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

_KINDS = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
"""Files of other kinds, as licences, are not served."""
_FIRST = "index.html"


class PageFile(NamedTuple):
    """A file of the page."""

    path: str
    """Its path in the URL."""
    content: bytes
    kind: str
    """Its media type."""


def page_files() -> list[PageFile]:
    """The files of the page. Blocks for a moment."""
    folder = files("hostwatch.http") / "page"
    return [*_below(folder, "/page/")] if folder.is_dir() else []


def _below(folder: Traversable, path: str) -> Iterator[PageFile]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _below(each, f"{path}{each.name}/")
        elif (kind := _KINDS.get(f".{each.name.rpartition('.')[2]}")) is not None:
            yield PageFile("/" if each.name == _FIRST else f"{path}{each.name}", each.read_bytes(), kind)
