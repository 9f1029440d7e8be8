"""The man page and the completions of packages, as the programs of Debian take them that read them."""

import subprocess
from pathlib import Path

import pytest

from manual import man
from manual.completions import completions
from tests.conftest import eventually
from tests.engine import roots
from tests.integration.test_completion import completes
from tests.shells import SHELLS, shell

PLACES = {
    "bash": ("hostwatch.bash", "hostwatch.bash"),
    "zsh": ("_hostwatch", "functions/_hostwatch"),
    "fish": ("hostwatch.fish", ".config/fish/completions/hostwatch.fish"),
}
"""The file of each shell, and its place in a home where the shell finds it."""
BEGINNINGS = {
    ".bashrc": "source ~/hostwatch.bash\n",
    ".zshrc": "fpath=(~/functions $fpath)\nautoload -U compinit\ncompinit -u -D\n",
}


@pytest.mark.parametrize("name", SHELLS)
def test_completion_works_from_the_file_of_a_package(name: str, tmp_path: Path) -> None:
    """In zsh at the first press of the tabulator, which loads the file."""
    for path, text in BEGINNINGS.items():
        (tmp_path / path).write_text(text)
    file, place = PLACES[name]
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text(completions()[file])
    with shell(name, tmp_path, {}) as made:
        if name != "zsh":
            completes(made, "hostwatch sche", "ma")
            return
        made.type("echo re''ady\r")
        eventually(lambda: "ready" in made.words)
        made.type("hostwatch sche")
        eventually(lambda: made.words.endswith("sche"))
        made.type("\t")  # alone: zsh takes a tabulator with keys behind it for itself
        eventually(lambda: "hostwatch schema" in "".join(made.words.replace("\x08", "")))


def test_mandoc_has_no_complaint_of_the_man_page() -> None:
    """Not even of its style."""
    page = man.page("9.9", "2026-01-02")
    lint = ["mandoc", "-T", "lint", "-W", "all"]
    found = subprocess.run(
        ["chroot", roots.made("mandoc", _root), *lint],
        input=page,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout + found.stderr == ""
    assert found.returncode == 0


def _root(scratch: Path) -> Path:
    root = roots.unpacked("bookworm", ("mandoc",), scratch)
    subprocess.run(["ldconfig", "-r", str(root)], check=True)
    return root
