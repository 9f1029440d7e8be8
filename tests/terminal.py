"""A terminal of a given width, for the output of commands to people."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence


def on_terminal(command: Sequence[str], columns: int, environ: Mapping[str, str]) -> list[str]:
    """The lines of a command's standard output and standard error on a terminal with so many columns."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with subprocess.Popen(command, env=environ, stdin=inner, stdout=inner, stderr=inner) as process:
        os.close(inner)
        text = b""
        try:
            while piece := os.read(outer, 65536):
                text += piece
        except OSError:
            pass  # EIO: nobody has the terminal open any more
        process.wait(60)
    os.close(outer)
    return text.decode().replace("\r\n", "\n").splitlines()
