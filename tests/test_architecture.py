"""The pages for those who carry on name files and targets that are there, as a wrong way costs more than none."""

import re
from pathlib import Path

import pytest
import yaml

from manual.notes import NOTES

REPOSITORY = Path(__file__).parent.parent
ARCHITECTURE = REPOSITORY / "docs/architecture.md"
CONTRIBUTING = REPOSITORY / "CONTRIBUTING.md"
_FILE = re.compile(r"[\w./-]+(?:\.(?:py|md|yaml|yml|toml|conf|service)|/)")


def code(page: Path) -> set[str]:
    """What stands in backquotes, and the words of the blocks of commands."""
    text = page.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    quoted = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return {word for each in (*blocks, *quoted) for word in each.split()}


@pytest.mark.parametrize("page", [ARCHITECTURE, CONTRIBUTING], ids=lambda page: page.name)
def test_named_files_are_there(page: Path) -> None:
    """A name without its directory is that of some file, as the page has named the directory before."""
    packages = [path for path in REPOSITORY.iterdir() if path.is_dir() and not path.name.startswith(".")]
    known = [f"/{path.relative_to(REPOSITORY)}" for top in packages for path in (top, *top.rglob("*"))]
    known += [f"/{path.name}" for path in REPOSITORY.iterdir()]
    named = {word for word in code(page) if _FILE.fullmatch(word) and word[0] not in "/." and "NAME" not in word}
    assert len(named) > 10
    assert {word for word in named if not any(path.endswith(f"/{word.rstrip('/')}") for path in known)} == set()


def test_each_package_has_its_place() -> None:
    """Each part of the program is named on the page that says where things are."""
    parts = {path.parent.name for path in (REPOSITORY / "hostwatch").glob("*/__init__.py")}
    assert {part for part in parts if f"`{part}/" not in ARCHITECTURE.read_text()} == set()


def test_named_targets_are_there() -> None:
    """Of `make`."""
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", ARCHITECTURE.read_text() + CONTRIBUTING.read_text()))
    assert {"lint", "test-fast"} <= named
    assert named - targets == set()


@pytest.mark.parametrize("name", ["bug", "idea"])
def test_forms_of_issues_are_complete(name: str) -> None:
    """A form with a fault is not shown at all. Each field has a label, and asks for commands that there are."""
    text = (REPOSITORY / f".github/ISSUE_TEMPLATE/{name}.yml").read_text()
    content = yaml.safe_load(text)
    assert {"name", "description", "body"} <= content.keys()
    fields = [field for field in content["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"textarea", "input", "dropdown", "checkboxes"}
    assert (
        len({field["id"] for field in fields}) == len({field["attributes"]["label"] for field in fields}) == len(fields)
    )
    assert all(field["type"] != "dropdown" or field["attributes"]["options"] for field in fields)
    assert set(re.findall(r"hostwatch ([a-z]+)", text)) - {"does"} <= NOTES.keys()
