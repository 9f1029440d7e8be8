"""What the site of the documentation adds to MkDocs: files of the repository that pages link to, and an order of pages.

A page links to `../../config/hostwatch.service` as it stands in the repository, so that the link works in a view of the
file, too. The site has such files below `files/`: texts as pages, anything else as it is.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

_REPOSITORY = Path(__file__).resolve().parent.parent
_DOCS = "docs/"
_TAKEN = "files/"
_LINK = re.compile(r"(?P<before>\]\(<?)(?P<path>[^)#>\s:]+)(?P<after>[^)]*\))")
_FENCE = re.compile(r" *(`{3,})")
_HIDDEN = re.compile(r"^ *<!-- (?:run|status|page)\b.*-->\n", re.MULTILINE)
_LANGUAGES = {".service": "ini", ".conf": "ini", ".yaml": "yaml", ".yml": "yaml", ".py": "python", ".sh": "sh"}
_LONGEST = 1000  # lines of a file that is shown as a page


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take in all files that pages link to, and those that these link to."""
    waiting = [(_DOCS + file.src_uri, file.content_string) for file in files.documentation_pages()]
    while waiting:
        place, text = waiting.pop()
        for target in sorted(_targets(place, text)):
            if files.get_file_from_path(_uri(target)) is None:
                file = _taken(target, config)
                files.append(file)
                if target.endswith(".md"):
                    waiting.append((target, file.content_string))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Without what the tests alone read, and with links to the files that were taken in."""
    uri = page.file.src_uri
    place = uri.removeprefix(_TAKEN) if uri.startswith(_TAKEN) else _DOCS + uri
    return _linked(_HIDDEN.sub("", markdown), place, uri)


def _linked(markdown: str, place: str, uri: str) -> str:
    """The text of a page with the site's links."""

    def link(found: re.Match[str]) -> str:
        target = _target(place, found["path"])
        if target is None or (place.startswith(_DOCS) and target.startswith(_DOCS)):
            return found[0]
        path = posixpath.relpath(_uri(target), posixpath.dirname(uri) or ".")
        return f"{found['before']}{path}{found['after']}"

    return "\n".join(line if is_code else _LINK.sub(link, line) for line, is_code in _lines(markdown))


def _lines(markdown: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is in a block of code."""
    fence = ""
    for line in markdown.split("\n"):
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
            yield line, True
        elif found and line.strip() == fence:
            fence = ""
            yield line, True
        else:
            yield line, bool(fence)


def _targets(place: str, markdown: str) -> set[str]:
    """The files outside of the documentation to which a page links."""
    paths = {found["path"] for line, is_code in _lines(markdown) if not is_code for found in _LINK.finditer(line)}
    return {target for path in paths if (target := _target(place, path)) and not target.startswith(_DOCS)}


def _target(place: str, path: str) -> str | None:
    """The file of the repository that a link means; none if there is none, of which MkDocs complains."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(place), path))
    return target if (_REPOSITORY / target).is_file() else None


def _uri(target: str) -> str:
    """Where the site has a file of the repository."""
    if target.startswith(_DOCS):
        return target.removeprefix(_DOCS)
    return _TAKEN + target + ("" if target.endswith(".md") or not _is_shown(target) else ".md")


def _is_shown(target: str) -> bool:
    """Whether a file is shown as a page."""
    if target.endswith((".md", "LICENSE")):
        return True
    return Path(target).suffix in _LANGUAGES and len((_REPOSITORY / target).read_text().splitlines()) <= _LONGEST


def _taken(target: str, config: MkDocsConfig) -> File:
    """A file of the repository as one of the site."""
    source = _REPOSITORY / target
    outside = InclusionLevel.NOT_IN_NAV
    if target.endswith(".md") or not _is_shown(target):
        return File.generated(config, _uri(target), abs_src_path=str(source), inclusion=outside)
    language = _LANGUAGES.get(source.suffix, "text")
    text = f"# {target}\n\n`````{language}\n{source.read_text()}\n`````\n"
    return File.generated(config, _uri(target), content=text, inclusion=outside)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """In the order of pages, a directory is all pages in there that are not named."""
    docs, order = Path(config.docs_dir), config.nav or []
    named = set(_named(order))
    config.nav = [{title: _filled(docs, place, named) for title, place in entry.items()} for entry in order]
    return config


def _named(order: list[Any]) -> Iterator[str]:
    """All pages and directories in an order of pages."""
    for entry in order:
        if isinstance(entry, str):
            yield entry
        else:
            for place in entry.values():
                yield from _named(place if isinstance(place, list) else [place])


def _filled(docs: Path, place: str | list[str], named: set[str]) -> str | list[str]:
    """A section with the pages of the directories in it."""
    if isinstance(place, str):
        return place
    return [page for entry in place for page in (_others(docs, entry, named) if entry.endswith("/") else [entry])]


def _others(docs: Path, directory: str, named: set[str]) -> list[str]:
    """The pages of a directory that are not named."""
    return sorted({str(page.relative_to(docs)) for page in (docs / directory).glob("*.md")} - named)
