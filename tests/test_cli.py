"""What the command line does with its own output, before any engine is asked."""

import os
import subprocess
import sys
from pathlib import Path

from tests.terminal import on_terminal

COMMAND = [sys.executable, "-m", "hostwatch"]
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "HOSTWATCH_"))} | {
    "DOCKER_HOST": "unix:///no/such.sock",
    "PYTHONUNBUFFERED": "",
}


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


def test_output_that_is_lost_ends_a_command_quietly() -> None:
    """With status 1, on a full disk and in a pipe that nobody reads, also where that shows at the exit alone."""
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


def test_errors_that_cannot_be_told_leave_the_status_as_it_is() -> None:
    """It is all that is left to tell what went wrong."""
    with Path("/dev/full").open("wb") as full:
        for arguments, status in ((["status"], 1), (["check", "-c", "/no/such"], 2), (["nonsense"], 2)):
            found = subprocess.run([*COMMAND, *arguments], env=ENVIRON, stderr=full, timeout=60, check=False)
            assert found.returncode == status, arguments


def test_standard_streams_may_be_closed() -> None:
    """As cron or a service manager may have them; nothing else takes their numbers."""
    command = ["sh", "-c", 'exec "$0" -m hostwatch status <&- >&- 2>&-', sys.executable]
    assert subprocess.run(command, env=ENVIRON, timeout=60, check=False).returncode == 1


def test_help_cuts_nothing() -> None:
    """In a pipe what is said of an option is one line; on a narrow terminal lines are broken."""
    piped = hostwatch("status", "--help").stdout
    assert "  --docker-host URL               Engine, as in unix:///var/run/docker.sock.\n" in piped
    assert "with their records and whether each file is right.\n" in hostwatch("--help").stdout
    narrow = on_terminal([*COMMAND, "--help"], 40, ENVIRON)
    assert max(map(len, narrow)) <= 40
    assert "…" not in "".join(narrow)


def test_doctor_wraps_between_words() -> None:
    """Each finding goes on with indented; what is longer than the terminal is left to it, whole."""
    found = on_terminal([*COMMAND, "doctor"], 40, ENVIRON)
    assert [line for line in found if len(line) > 40] == []
    assert "/no/such.sock" in " ".join(found).split()
    assert all(line.startswith(("ok ", "note ", "problem ", " ")) for line in found[:-1])
