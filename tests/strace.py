"""Faults at system calls: with `strace`, a chosen system call of a real process fails, or kills the process."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.image import strace


@contextmanager
def traced(process: int, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Attaches to a process and all of its threads. No later call is missed.

    What is injected is said by the options (`--inject=…`); a count in them is one of each thread. Yields strace, which
    ends with the process, or is let go of at the end.
    """
    command = [*strace(), "--follow-forks", f"--attach={process}", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as tracer:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        assert b"attached" in said, said
        try:
            yield tracer
        finally:
            tracer.send_signal(signal.SIGTERM)


def calls(trace: Path) -> list[str]:
    """The names of the system calls in a trace of one thread (`--output`), in order."""
    lines = [line.split(None, 1)[-1] for line in trace.read_text().splitlines()]  # without the process
    return [line.partition("(")[0] for line in lines if line[:1].isalpha()]
