"""The progress bar: on a terminal only, and only for work that takes long."""

import os
import subprocess
import sys

import pytest

from tests.terminal import terminal

WORK = """\
import sys, time
from hostwatch.terminal.progress import progress_bar
with progress_bar() as tell:
    for number in range(1, 4):
        time.sleep({seconds})
        tell("containers", number, 3)
        tell("files", number, 6)
    time.sleep(0.3)
print("done")
"""
SLOW = [sys.executable, "-c", WORK.format(seconds=0.6)]
QUICK = [sys.executable, "-c", WORK.format(seconds=0.1)]
ENVIRON = {**os.environ, "TERM": "xterm"}


@pytest.mark.slow
def test_long_work_has_a_bar() -> None:
    """It says what is counted, and is gone at the end."""
    with terminal(SLOW, 80, ENVIRON) as made:
        assert made.end() == 0
        assert "containers" in made.words
        assert "3/3" in made.words
        assert "3/6" in made.words
        assert made.text.rpartition("3/6")[2].count("\x1b[2K") > 0, "the lines are erased"
        assert made.words.rstrip().endswith("done")


@pytest.mark.slow
@pytest.mark.parametrize(("command", "environ"), [(QUICK, {}), (SLOW, {"TERM": "dumb"})])
def test_quick_work_and_a_dumb_terminal_have_none(command: list[str], environ: dict[str, str]) -> None:
    """Nothing is shown but the result."""
    with terminal(command, 80, ENVIRON | environ) as made:
        assert made.end() == 0
        assert made.text == "done\n"


@pytest.mark.slow
def test_a_pipe_gets_none() -> None:
    """However long the work takes."""
    found = subprocess.run(SLOW, env=ENVIRON, capture_output=True, text=True, timeout=60, check=True)
    assert (found.stdout, found.stderr) == ("done\n", "")
