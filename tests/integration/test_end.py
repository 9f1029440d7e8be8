"""The end of `hostwatch run`, also if a thread or the event loop itself hangs: real processes that really hang."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import eventually

Stuck = Callable[[Path], AbstractContextManager[subprocess.Popen[bytes]]]
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "HOSTWATCH_"))}


@contextmanager
def running(directory: Path, config: Path, stderr: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon without an engine, once it listens for signals."""
    log = directory / "log"
    arguments = ["-m", "hostwatch", "run", "-c", str(config), "--docker-host", f"unix://{directory}/nowhere.sock"]
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, *arguments], env=ENVIRON, stderr=stderr or file)
    try:
        eventually(lambda: listens(process.pid))
        yield process
    finally:
        process.kill()
        process.wait()


def listens(pid: int) -> bool:
    """Whether a process has a handler for SIGHUP."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGHUP - 1) & 1)


def waits_for(pid: int, number: int) -> bool:
    """Whether a signal is still pending for the process."""
    status = Path(f"/proc/{pid}/status").read_text()
    pending = [line.split()[1] for line in status.splitlines() if line.startswith(("SigPnd:", "ShdPnd:"))]
    return any(int(each, 16) >> (number - 1) & 1 for each in pending)


@contextmanager
def stuck_thread(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon with a thread that hangs in the kernel: its configuration is a pipe without a writer."""
    config = directory / "hostwatch.yaml"
    config.write_text("labels: true\n")
    with running(directory, config) as process:
        eventually(lambda: b"no engine" in (directory / "log").read_bytes())
        config.unlink()
        os.mkfifo(config)
        process.send_signal(signal.SIGHUP)
        eventually(lambda: waits_in(process.pid, "wait_for_partner", "fifo_open"))
        yield process


@contextmanager
def stuck_loop(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon with an event loop that hangs in the kernel: its log has no reader."""
    config = directory / "hostwatch.yaml"
    config.write_text("labels: true\n")
    reader, writer = os.pipe()
    try:
        with running(directory, config, writer) as process:
            eventually(lambda: os.read(reader, 1 << 16))
            config.write_text("labels: perhaps\n" + "".join(f"zz{number}: 1\n" for number in range(3_000)))
            process.send_signal(signal.SIGHUP)
            eventually(lambda: waits_in(process.pid, "pipe_write", "anon_pipe_write"))
            yield process
    finally:
        os.close(reader)
        os.close(writer)


def waits_in(pid: int, *functions: str) -> bool:
    """Whether a thread of the process waits in one of these functions of the kernel."""
    found = False
    for path in Path(f"/proc/{pid}/task").glob("*/wchan"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread may just have ended
            found |= path.read_text() in functions
    return found


either = pytest.mark.parametrize("stuck", [stuck_thread, stuck_loop])


def test_it_ends_by_the_first_signal(tmp_path: Path) -> None:
    """Nothing hangs, so the status is 0."""
    config = tmp_path / "hostwatch.yaml"
    config.write_text("labels: true\n")
    with running(tmp_path, config) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert b"stopping on SIGINT" in (tmp_path / "log").read_bytes()


@either
def test_a_second_signal_ends_it_at_once(tmp_path: Path, stuck: Stuck) -> None:
    """It ends in any state, with that signal's status."""
    with stuck(tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        eventually(lambda: not waits_for(process.pid, signal.SIGTERM))
        time.sleep(0.3)  # if the loop hangs, nothing shows that the first one has come
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 128 + signal.SIGINT  # after some seconds the first one alone would end it, with 1


@either
def test_a_hanging_part_does_not_hold_up_the_end_for_ever(tmp_path: Path, stuck: Stuck) -> None:
    """After some seconds the first signal alone ends it as a failure, with a log line."""
    with stuck(tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 1
    assert stuck is stuck_loop or b"something hangs" in (tmp_path / "log").read_bytes()
