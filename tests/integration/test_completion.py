"""Completion in bash, zsh and fish, installed and typed as a user does, beside a real engine."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import Lab, eventually, newest_only
from tests.integration.test_http import alone
from tests.shells import SHELLS, shell
from tests.terminal import Terminal

pytestmark = newest_only

CLEAR = "\x15"
"""Ctrl-U: the line is empty again."""


@pytest.mark.parametrize("name", SHELLS)
def test_names_are_completed(lab: Lab, name: str, tmp_path: Path) -> None:
    """Of subscribers and of the names in their files: from the engine, from the daemon, behind any options.

    A name with characters that a shell gives a meaning to is not offered, and never runs.
    """
    evil = tmp_path / "evil"
    evil_name = f"d$(touch {evil})`touch {evil}`"
    compose = {"com.docker.compose.project": "shop", "com.docker.compose.service": evil_name}
    lab.run("db", labels={"hostwatch.names": "database"})
    lab.run("evil", labels=compose)
    lab.run("web-frontend-1", labels={"hostwatch.services": "*"})
    host = lab.environ.pop("DOCKER_HOST")
    alone(lab)
    with shell(name, tmp_path, lab.environ, lab.within) as made:
        made.type("hostwatch --install-completion\r")
        eventually(lambda: "completion installed in" in made.words)
    with shell(name, tmp_path, lab.environ, lab.within) as made:
        completes(made, f"hostwatch status --docker-host {host} we", "b-frontend-1")
        completes(made, f"hostwatch --docker-host={host} why web-fr", "ontend-1")
        completes(made, f"hostwatch history --docker-host {host} --name dat", "abase")
        offers(made, f"hostwatch history --docker-host {host} --name d", {"database", "db"})
        assert "touch" not in made.words, "what is offered would be a command once it is completed"
        with lab.hostwatch("--docker-host", host, ready="web-frontend-1: "):
            completes(made, f"hostwatch --docker-host {host} why web-frontend-1 dat", "abase")
        completes(made, "hostwatch --docker-host unix:///no/such.sock status we", "")
        completes(made, "hostwatch stat", "us")
    assert not evil.exists()


def completes(made: Terminal, typed: str, added: str) -> None:
    """What is added to a line by the tabulator, soon; the bar shows where the cursor is."""
    line = f"{typed.rsplit(maxsplit=1)[-1]}{added}|"
    answered(made, f"{typed}\t|", lambda words: line in "".join(_DELETED.sub("", words).split()))
    made.type(CLEAR)


def offers(made: Terminal, typed: str, names: set[str]) -> None:
    """What two presses of the tabulator list."""
    answered(made, f"{typed}\t\t", lambda words: names <= set(words.split()))
    made.type(CLEAR)  # after Ctrl-C, fish 3.6 asks for no names any more


def answered(made: Terminal, typed: str, check: Callable[[str], bool]) -> None:
    """Type until the answer comes: a shell that begins only echoes, and a busy machine needs more patience."""
    for patience in (5, 10, 20, 30):
        before = len(made.words)
        made.type(typed)
        with suppress(AssertionError):
            eventually(lambda before=before: check(made.words[before:]), patience)  # type: ignore[misc]
            return
        made.type(CLEAR)
    raise AssertionError(made.words)


_DELETED = re.compile("[^\x08]\x08")
"""A character that was written, and deleted at once."""
