"""The site of the documentation: it is built, no link is broken, and it is read and searched as files alone."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from selenium.webdriver.common.by import By

from tests.browser import SHOWN, browser, errors
from tests.conftest import eventually
from tests.image import REPOSITORY


class Read(HTMLParser):
    """What a page of the site points to, and what in it may be pointed to."""

    def __init__(self, file: Path) -> None:
        """Read a file."""
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element's addresses and its name."""
        found = {name: value for name, value in attrs if value is not None}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if "src" in found or (tag == "link" and "href" in found):
            self.loaded.add(found.get("src") or found["href"])
        elif "href" in found:
            self.links.add(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    place = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(place)]
    environ = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=REPOSITORY, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Read]:
    """All pages; the one for an address that is not there is no server's here."""
    return {file: Read(file) for file in site.rglob("*.html") if file.name != "404.html"}


def test_every_page_of_the_documentation_is_there(site: Path) -> None:
    sources = [path.relative_to(REPOSITORY / "docs") for path in (REPOSITORY / "docs").rglob("*.md")]
    missing = [str(path) for path in sources if not (site / path.with_suffix(".html")).exists()]
    assert len(sources) > 10
    assert missing == []


def test_no_link_is_broken(site: Path, pages: dict[Path, Read]) -> None:
    """Nor any that points into a page, and none leaves the site's directory."""
    broken = [
        f"{file.relative_to(site)}: {link}" for file, page in pages.items() for link in _broken(file, page, pages)
    ]
    assert broken == []


def _broken(file: Path, page: Read, pages: dict[Path, Read]) -> Iterator[str]:
    for link in page.links | page.loaded:
        parts = urlsplit(link)
        if parts.scheme or link.startswith("//"):
            continue
        target = Path(os.path.normpath(file.parent / unquote(parts.path))) if parts.path else file
        anchor = unquote(parts.fragment)
        if not target.is_file() or (anchor and target in pages and anchor not in pages[target].anchors):
            yield link


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Read]) -> None:
    loaded = {address for page in pages.values() for address in page.loaded}
    assert [address for address in loaded if ":" in address or address.startswith("//")] == []
    styles = "".join(file.read_text() for file in site.rglob("*.css"))
    assert set(re.findall(r"url\(['\"]?(?:https?:)?//[^)]*\)", styles)) == set()


def test_no_hidden_step_is_shown(pages: dict[Path, Read]) -> None:
    assert [file for file in pages if "<!-- run" in file.read_text()] == []


def test_it_is_read_and_searched_from_the_file_system(site: Path) -> None:
    """Without a server or a network; a word leads to its place."""
    with browser(shown=site) as driver:
        driver.get(f"file://{SHOWN}/index.html")
        driver.find_element(By.CSS_SELECTOR, "[data-md-component=search-query]").send_keys("linger")
        results = eventually(lambda: driver.find_elements(By.CSS_SELECTOR, ".md-search-result__link"))
        address = str(results[0].get_attribute("href"))
        assert address.startswith(f"file://{SHOWN}/")
        driver.get(address)
        assert "linger" in driver.find_element(By.TAG_NAME, "article").text
        assert errors(driver) == []
