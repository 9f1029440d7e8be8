"""What packages are made of: the description, the changes, the locks; and what is said where none can be made."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hostwatch.config.file import load
from release.__main__ import make
from release.build import ReleaseError
from release.source import build

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
DESCRIPTION = (REPOSITORY / PROJECT["project"]["readme"]).read_text()


def pinned(name: str) -> dict[str, str]:
    """The versions in a lock."""
    lines = [line for line in (REPOSITORY / name).read_text().splitlines() if "==" in line and line[0] not in " #"]
    requirements = [Requirement(line.removesuffix("\\")) for line in lines]
    return {canonicalize_name(each.name): str(each.specifier) for each in requirements}


def test_each_lock_is_part_of_the_next() -> None:
    """What runs in a package is what is tested here."""
    runtime, demo, everything = (pinned(f"requirements{name}.txt") for name in ("", "-demo", "-dev"))
    assert runtime.items() < demo.items() < everything.items()


def test_the_lock_has_what_the_package_needs() -> None:
    """And nothing that is not for running it."""
    runtime = pinned("requirements.txt")
    needed = [Requirement(each) for each in PROJECT["project"]["dependencies"]]
    for each in needed:
        assert each.specifier.contains(runtime[canonicalize_name(each.name)].removeprefix("==")), each
    assert not {"pip", "setuptools", "docker", "hatchling"} & runtime.keys()


def test_the_demo_installs_little() -> None:
    """Who only wants to see it waits for no type checker."""
    assert not {"numpy", "matplotlib", "mypy", "ruff", "pytest", "mkdocs"} & pinned("requirements-demo.txt").keys()


def test_the_changes_of_this_version_are_told() -> None:
    """Its section is the newest one, with a date."""
    sections = re.findall(r"^## (.*)$", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert re.fullmatch(rf"\[{re.escape(PROJECT['project']['version'])}\] - \d{{4}}-\d\d-\d\d", sections[0])


def test_the_description_stands_alone() -> None:
    """An index shows it where no file of the repository is."""
    targets = re.findall(r"\]\(([^)]*)\)|(?:src|href)=\"([^\"]*)\"", DESCRIPTION)
    assert [target for pair in targets for target in pair if target and not target.startswith("https://")] == []


def test_the_configuration_in_the_description_is_valid(tmp_path: Path) -> None:
    """A reader copies it."""
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", DESCRIPTION, re.MULTILINE | re.DOTALL)
    file = tmp_path / "hostwatch.yaml"
    file.write_text(example)
    assert list(load(file).services) == ["db"]


def test_a_directory_that_is_no_checkout_is_told(tmp_path: Path) -> None:
    """Packages say the commit that they are made from."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1"\n')
    with (
        pytest.raises(ReleaseError, match="packages are made from a git checkout with a commit"),
        build(tmp_path, tmp_path / "dist"),
    ):
        pass


def test_a_user_is_told_what_needs_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is made."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ReleaseError, match="only root can make `image`"):
        make(["image"], tmp_path / "dist")
    assert list(tmp_path.iterdir()) == []
