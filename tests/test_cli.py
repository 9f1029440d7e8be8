"""The command line's own output and options, without an engine."""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.terminal import on_terminal, terminal

COMMAND = [sys.executable, "-m", "hostwatch"]
ENVIRON = {
    # The size of the terminal that the tests run on may be in here, and would count as that of the test's own.
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("DOCKER_", "HOSTWATCH_")) and name not in ("COLUMNS", "LINES")
} | {
    "DOCKER_HOST": "unix:///no/such.sock",
    "PYTHONUNBUFFERED": "",
}
LOADED = """\
import atexit, sys
from hostwatch.cli import main
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
sys.argv[0] = "hostwatch"
main()
"""
"""A command that prints the loaded modules to standard error at its end."""
SLOW = {"anyio", "asyncio", "httptools", "loguru", "rich", "uvloop", "yaml"}
"""Modules that take long to load."""
OF_TYPER = {"pydantic", "importlib.metadata"}
"""More of them, which typer itself loads to read an option's value."""


def hostwatch(*arguments: str, out: int = subprocess.PIPE, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command with its output going to a descriptor."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=ENVIRON | environ,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_output_that_is_lost_ends_a_command_quietly() -> None:
    """The status is 1, on a full disk and in a pipe without a reader, even if the failure shows only at the exit."""
    reader, writer = os.pipe()
    os.close(reader)
    with Path("/dev/full").open("wb") as full:
        for arguments in (["--help"], ["schema"], ["check"], ["doctor"]):
            found = hostwatch(*arguments, out=full.fileno())
            assert (found.returncode, found.stderr) == (1, ""), arguments
        for out in (full.fileno(), writer):
            found = hostwatch("--version", out=out, PYTHONUNBUFFERED="1")
            assert (found.returncode, found.stderr) == (1, "")
    found = hostwatch("status", "--help", out=writer)
    assert (found.returncode, found.stderr) == (1, "")
    os.close(writer)


@pytest.mark.slow
def test_errors_that_cannot_be_printed_leave_the_status_as_it_is() -> None:
    """The status is the only sign of the failure then."""
    with Path("/dev/full").open("wb") as full:
        for arguments, status in ((["status"], 1), (["check", "-c", "/no/such"], 2), (["nonsense"], 2)):
            found = subprocess.run([*COMMAND, *arguments], env=ENVIRON, stderr=full, timeout=60, check=False)
            assert found.returncode == status, arguments


@pytest.mark.slow
def test_standard_streams_may_be_closed() -> None:
    """Cron or a service manager may close them. No other file gets their numbers."""
    command = ["sh", "-c", 'exec "$0" -m hostwatch status <&- >&- 2>&-', sys.executable]
    assert subprocess.run(command, env=ENVIRON, timeout=60, check=False).returncode == 1


def test_help_cuts_nothing() -> None:
    """In a pipe the help of an option is one line. On a narrow terminal lines are broken."""
    piped = hostwatch("status", "--help").stdout
    told = "Engine, as in unix:///var/run/docker.sock; else $HOSTWATCH_DOCKER_HOST."
    assert ["--docker-host", "URL", *told.split()] in [line.split() for line in piped.splitlines()]
    listed = hostwatch("--help").stdout
    assert "with their records and whether each file is right.\n" in listed
    assert "the files on the host that the configuration names.\n" in listed
    narrow = on_terminal([*COMMAND, "--help"], 40, ENVIRON)
    assert max(map(len, narrow)) <= 40
    assert "…" not in "".join(narrow)


@pytest.mark.slow
def test_doctor_wraps_between_words() -> None:
    """A finding continues indented. A word that is longer than a line stays whole."""
    found = on_terminal([*COMMAND, "doctor"], 40, ENVIRON)
    assert [line for line in found if len(line) > 40] == []
    assert "/no/such.sock" in " ".join(found).split()
    assert all(line.startswith(("ok ", "note ", "problem ", " ")) for line in found[:-1])


@pytest.mark.slow
def test_an_option_beats_its_variable_and_may_stand_on_either_side_of_the_command() -> None:
    """An option behind the command overrides one before it."""

    def engine(*arguments: str) -> str:
        told = hostwatch(*arguments, HOSTWATCH_DOCKER_HOST="unix:///variable").stderr
        return told.partition("unix://")[2].partition(":")[0]

    before, behind = ("--docker-host", "unix:///before"), ("--docker-host", "unix:///behind")
    assert engine("status") == "/variable"
    assert engine(*before, "status") == "/before"
    assert engine(*before, "status", *behind) == "/behind"


@pytest.mark.slow
def test_a_variable_beats_the_file(tmp_path: Path) -> None:
    """The file asks for JSON and another engine; human times have their zone."""
    path = tmp_path / "hostwatch.yaml"
    path.write_text("docker: {host: 'unix:///file'}\nlog: {level: TRACE, format: json}\n")
    with subprocess.Popen(
        [*COMMAND, "-c", str(path), "run"],
        env=ENVIRON | {"HOSTWATCH_LOG_FORMAT": "human", "HOSTWATCH_DOCKER_HOST": "unix:///variable"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        while "/variable" not in line:
            assert line
            line = process.stderr.readline()
        process.terminate()
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d ERROR   no engine at ", line), line


@pytest.mark.slow
def test_the_command_line_takes_each_level_that_the_file_takes() -> None:
    """Case does not count. An invalid level is reported with the name of its variable."""
    for level in ("trace", "SUCCESS"):
        assert hostwatch("--log-level", level, "check").returncode == 0
    found = hostwatch("check", HOSTWATCH_LOG_LEVEL="loud")
    assert found.returncode == 2
    assert "loud" in found.stderr


def test_completion_is_offered() -> None:
    """Of commands and options, in the shell that asks for it."""
    command = ["bash", "-c", '"$0" -m hostwatch --show-completion; true', sys.executable]
    found = subprocess.run(command, env=ENVIRON, capture_output=True, text=True, timeout=60, check=False)
    assert "complete -o default -F" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "printed", "absent"),
    [(["--help"], "Usage: hostwatch [OPTIONS]", SLOW | OF_TYPER), (["sync", "--help"], "Usage: hostwatch sync", SLOW)],
)
def test_the_help_loads_no_library_of_a_command(arguments: list[str], printed: str, absent: set[str]) -> None:
    """The libraries take most of a second to load."""
    assert not loaded(printed, *arguments) & absent


def test_completion_loads_no_library_of_a_command() -> None:
    """A shell asks for it at each press of a key."""
    environ = {"_HOSTWATCH_COMPLETE": "complete_bash", "COMP_WORDS": "hostwatch sta", "COMP_CWORD": "1"}
    assert not loaded("status", **environ) & SLOW


def loaded(printed: str, *arguments: str, **environ: str) -> set[str]:
    """The modules that are loaded at the end of a command with this output."""
    command = [sys.executable, "-c", LOADED, *arguments]
    found = subprocess.run(command, env=ENVIRON | environ, capture_output=True, text=True, timeout=60, check=False)
    assert found.stdout.startswith(printed)
    modules = set(found.stderr.split())
    assert "hostwatch.cli" in modules
    return modules


@pytest.mark.slow
def test_a_watch_waits_for_an_engine() -> None:
    """On a terminal it says why there is none, in any size. Ctrl-C ends it with status 0, and restores the terminal."""
    with terminal([*COMMAND, "status", "--watch"], 70, ENVIRON | {"TERM": "xterm"}, rows=12) as made:
        eventually(lambda: "engine away since" in made.screen)
        eventually(lambda: "no engine at unix:///no/such.sock" in " ".join(made.screen.split()))
        made.resize(60, 2)
        eventually(lambda: "more lines: make the terminal" in made.screen)
        made.type("\x03")
        assert made.end() == 0
        assert made.text.endswith("\x1b[?1049l")


@pytest.mark.slow
def test_a_watch_in_a_pipe_tells_each_change_once() -> None:
    """As lines, or as one JSON object for each change. SIGTERM ends it with status 0."""
    for arguments, first in (((), "engine away since"), (("--json",), '{"engine": {"connected": false,')):
        with subprocess.Popen(
            [*COMMAND, "status", "--watch", *arguments], env=ENVIRON, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            while first not in line:
                assert line
                line = process.stdout.readline()
            process.terminate()
            assert process.stdout.read() == ""
            assert process.wait(30) == 0


def test_the_version_has_the_commit_of_a_checkout() -> None:
    """A package has it in a file of its own, and where it is not known the version stands alone."""
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    found = subprocess.run(git, stdout=subprocess.PIPE, text=True, check=False)
    commit = f" ({found.stdout[:12]})" if found.returncode == 0 else ""
    assert hostwatch("--version").stdout == f"hostwatch {version('hostwatch')}{commit}\n"
