"""Commands on the host: they inherit nothing from hostwatch, and end in time."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from hostwatch.hosts import commands
from hostwatch.hosts.commands import run_on_host
from tests.conftest import eventually

_OF_THE_C_LIBRARY = 1 << 31 | 1 << 32
"""Signals 32 and 33, which glibc reserves: the parent process may have them ignored, and no call shows that."""

TELL = """
import json, os, signal
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
print(json.dumps({
    "environ": dict(os.environ),
    "files": sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")),
    "input": os.readlink("/proc/self/fd/0"),
    "leads": os.getsid(0) == os.getpgid(0) == os.getpid(),
    "blocked": int(status["SigBlk"], 16),
    "policy": os.sched_getscheduler(0),
    "nice": os.getpriority(os.PRIO_PROCESS, 0),
    "directory": os.getcwd(),
}))
"""
WITHIN = """
import anyio, os, signal, sys
from hostwatch.hosts.commands import run_on_host
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
os.setpriority(os.PRIO_PROCESS, 0, -5)
os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
os.open("/", os.O_RDONLY)
result = anyio.run(run_on_host, tuple(sys.argv[1:]))
print(result.output.decode())
"""


def from_within(*words: str) -> str:
    """The output of a command run by a process like ours: with a priority, files, secrets and signals of its own."""
    done = subprocess.run(
        [sys.executable, "-c", WITHIN, *words],
        env=os.environ | {"DOCKER_HOST": "unix:///x", "PASSWORD": "secret"},
        capture_output=True,
        check=True,
        timeout=30,
    )
    return done.stdout.decode()


def test_a_command_has_nothing_of_ours() -> None:
    """The usual priority, a clean environment, three descriptors, a session of its own, signals as they are."""
    told = json.loads(from_within(sys.executable, "-I", "-S", "-c", TELL))
    assert {"PATH", "LANG"} <= set(told["environ"]) <= {"PATH", "LANG", "LC_CTYPE"}
    assert (told["files"], told["input"]) == ([0, 1, 2], "/dev/null")
    assert told["leads"]
    assert (told["policy"], told["nice"], told["blocked"]) == (os.SCHED_OTHER, 0, 0)
    assert told["directory"] == "/"


def test_it_ignores_no_signal() -> None:
    """Neither those that hostwatch ignores, nor those that Python ignores."""
    ignored = int(from_within("grep", "SigIgn", "/proc/self/status").split()[1], 16)
    assert ignored & ~_OF_THE_C_LIBRARY == 0


async def test_there_is_no_shell() -> None:
    """Each word is passed on unchanged."""
    result = await run_on_host(("printf", "%s|", "a b;$HOME", "`id`", "\u00e9", "*"))
    assert (result.status, result.output.decode()) == (0, "a b;$HOME|`id`|\u00e9|*|")


async def test_a_failure_is_reported() -> None:
    """With its status and its output, to standard output or standard error."""
    result = await run_on_host(("sh", "-c", "echo one; echo two >&2; exit 3"))
    assert (result.status, result.output) == (3, b"one\ntwo\n")
    missing = await run_on_host(("no-such-program", "x"))
    assert (missing.status, missing.output) == (127, b"no-such-program: No such file or directory")
    denied = await run_on_host(("/etc",))
    assert (denied.status, denied.output) == (126, b"/etc: Permission denied")


async def test_a_flood_of_output_is_cut() -> None:
    """All of it is read, but only the beginning is kept."""
    result = await run_on_host(("sh", "-c", "yes | head -c 5000000"))
    assert (result.status, len(result.output)) == (0, 4096)


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter if it ends while it is read
        return True


STUCK = "trap '' TERM; sleep 1000 & echo $! $$ >{}; wait; sleep 1000"


@pytest.mark.slow
async def test_a_command_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all processes that it has started, even if it ignores SIGTERM."""
    monkeypatch.setattr(commands, "_SECONDS", 0.5)
    monkeypatch.setattr(commands, "_GRACE_SECONDS", 0.2)
    with pytest.raises(TimeoutError, match=r"did not end within 0\.5 s"):
        await run_on_host(("sh", "-c", STUCK.format(tmp_path / "pids")))
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        eventually(lambda pid=pid: gone(pid))  # type: ignore[misc]


@pytest.mark.slow
async def test_a_cancelled_call_leaves_no_process_behind(tmp_path: Path) -> None:
    """The command is ended at once."""
    pids = tmp_path / "pids"
    with anyio.move_on_after(1.0):
        await run_on_host(("sh", "-c", STUCK.format(pids)))
    for pid in map(int, pids.read_text().split()):
        eventually(lambda pid=pid: gone(pid))  # type: ignore[misc]


@pytest.mark.slow
async def test_a_process_that_the_command_leaves_running_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a process has the command's output open, and is left alone."""
    monkeypatch.setattr(commands, "_SECONDS", 2.0)
    result = await run_on_host(("sh", "-c", "sleep 5 & echo $!"))
    assert result.status == 0
    pid = int(result.output)
    assert not gone(pid)
    os.kill(pid, signal.SIGKILL)
