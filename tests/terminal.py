"""A terminal of a given width, for what commands print to people."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence


def on_terminal(command: Sequence[str], columns: int, environ: Mapping[str, str]) -> list[str]:
    """The lines that a command prints on a terminal with so many columns, standard output and standard error alike."""
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
