"""A terminal of a given size, for the output of commands to people, and for what people type."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x1b\(B|\x1b\][^\x07]*\x07|\x07")
"""Sequences that move the cursor or change colours, and the bell."""


class Terminal:
    """A terminal with a process in the foreground."""

    def __init__(self, process: subprocess.Popen[bytes], outer: int, rows: int) -> None:
        self.process = process
        self._rows = rows
        self._outer = outer
        self._output = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def text(self) -> str:
        """All that was written so far."""
        return self._output.decode(errors="replace").replace("\r\n", "\n")

    @property
    def words(self) -> str:
        """The same without colours and movements of the cursor."""
        return _CONTROL.sub("", self.text)

    @property
    def screen(self) -> str:
        """What a program that draws from the top shows, without colours.

        A picture is written in pieces. What it has not drawn over yet is of the picture before.
        """
        *_, before, last = ["", *(_CONTROL.sub("", picture) for picture in self.text.split("\x1b[H"))]
        rows, under = last.split("\n"), before.split("\n")
        rows[-1] += "".join(under[len(rows) - 1 : len(rows)])[len(rows[-1]) :]
        return "\n".join([*rows, *under[len(rows) :]][: self._rows])

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._outer, keys.encode())

    def resize(self, columns: int, rows: int = 50) -> None:
        """Give it another size."""
        self._rows = rows
        fcntl.ioctl(self._outer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self) -> int:
        """Wait for the end of the process; returns its status."""
        status = self.process.wait(60)
        self._reader.join(10)
        return status

    def _read(self) -> None:
        try:
            while piece := os.read(self._outer, 65536):
                self._output += piece
        except OSError:
            pass  # EIO: nobody has the terminal open any more


@contextmanager
def terminal(command: Sequence[str], columns: int, environ: Mapping[str, str], rows: int = 50) -> Iterator[Terminal]:
    """A process on a terminal of its own, so that Ctrl-C reaches it. It is killed at the end if it still runs."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    controlling = ["setsid", "--ctty", "--wait", *command]
    process = subprocess.Popen(controlling, env=environ, stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    made = Terminal(process, outer, rows)
    try:
        yield made
    finally:
        if process.poll() is None:
            process.kill()
        made.end()
        os.close(outer)


def on_terminal(command: Sequence[str], columns: int, environ: Mapping[str, str]) -> list[str]:
    """The lines of a command's standard output and standard error on a terminal with so many columns."""
    with terminal(command, columns, environ) as made:
        made.end()
        return made.text.splitlines()
