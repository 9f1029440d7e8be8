"""The shell in which a reader types: one for a page, so that a directory or a variable lasts."""

import os
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.noise import crowd
from tests.reader.seat import Seat

_SECONDS = 60.0
_OUTPUT = "/run/reader"


class ShellError(Exception):
    """A command that does not end, or that ends the shell."""


@dataclass
class Shell:
    """A running shell."""

    seat: Seat
    process: "subprocess.Popen[bytes]"
    typed: int = 0

    def run(self, text: str) -> tuple[int, str]:
        """The exit status of a command, and what it wrote."""
        self.typed += 1
        file = f"{_OUTPUT}/{self.seat.user}-{self.typed}"
        line = f"eval {shlex.quote(text)} </dev/null >{file} 2>&1; echo $?\n"
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        status = self._answer()
        output = (self.seat.machine.root / file.lstrip("/")).read_text(errors="replace")
        if status is None:
            raise ShellError(f"the command does not end within {_SECONDS:g} s, or it ended the shell; so far: {output}")
        return status, output

    def _answer(self) -> int | None:
        """What the shell says, once it does."""
        assert self.process.stdout is not None
        deadline, said = time.monotonic() + _SECONDS * crowd(), b""
        while not said.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            if not (part := os.read(self.process.stdout.fileno(), 100)):
                return None
            said += part
        return int(said)


@contextmanager
def shell(seat: Seat) -> Iterator[Shell]:
    """A shell in the reader's directory; what it has left running ends with it."""
    seat.machine.run("install", "-d", "-m", "1777", _OUTPUT)
    seat.machine.run("install", "-d", "-o", seat.user, seat.directory)
    process = subprocess.Popen(
        seat.command("bash", "--norc", "--noprofile"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield Shell(seat, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
