"""Commands on the host that notify a program of a change of its hosts file.

The command comes from the configuration alone, word by word; there is no shell. It inherits nothing from hostwatch: not
the environment, the descriptors, the standard input, the handling of signals, or the priority, with which a busy
command would keep a core to itself. It has a session of its own, so that it is ended with all processes it has started.
"""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import IO, cast

import anyio
import anyio.to_thread

from hostwatch.control.source import ExecResult

_SECONDS = 10.0
"""A command that takes longer is ended: a reload that takes longer is stuck."""
_GRACE_SECONDS = 2.0
"""Time for a command to end after SIGTERM, before SIGKILL."""
_MOST_OUTPUT = 4096
"""Bytes of output that are kept: enough for a message."""
_PIECE = 1 << 16
# The new process must lower its priority itself before it runs the command, and `subprocess` cannot do that. (Our own
# thread cannot lower its priority for a moment instead: threads that wait for its lock would be slowed down, too.)
_START = """\
import os, signal, sys
words = sys.argv[1:]
try:
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    if os.getpriority(os.PRIO_PROCESS, 0) < 0:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
except OSError as error:
    sys.exit(f"it may not take the usual priority ({error.strerror}); allow the system call sched_setscheduler")
for number in signal.valid_signals():
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, [])
search = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
try:
    os.execvpe(words[0], words, {"PATH": search, "LANG": "C.UTF-8"})
except OSError as error:
    os.write(2, f"{words[0]}: {error.strerror}".encode("utf-8", "replace"))
    os._exit(127 if isinstance(error, FileNotFoundError) else 126)
"""


async def run_on_host(words: tuple[str, ...]) -> ExecResult:
    """Run a command on the host to its end. Raises `OSError`, of which `TimeoutError` is a subclass."""
    command = _Command(words)
    try:
        return await anyio.to_thread.run_sync(command.run, abandon_on_cancel=True)
    except anyio.get_cancelled_exc_class():
        command.cancel()
        raise


class _Command:
    """A command that is run once, in a thread."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None
        self._cancelled = False

    def run(self) -> ExecResult:
        """Run it to its end."""
        with subprocess.Popen(  # noqa: S603 (it is the configuration's)
            [sys.executable, "-I", "-S", "-c", _START, *self._words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
        ) as self._process:
            try:
                return self._followed(self._process, time.monotonic() + (0.0 if self._cancelled else _SECONDS))
            finally:
                if self._process.poll() is None:
                    self._end(self._process)

    def cancel(self) -> None:
        """End the command now, from another thread. `run` returns then."""
        self._cancelled = True
        if self._process is not None:
            _signal_all(self._process, signal.SIGKILL)

    def _followed(self, process: "subprocess.Popen[bytes]", until: float) -> ExecResult:
        output, pipe = b"", cast("IO[bytes]", process.stdout).fileno()
        waiting = select.poll()
        waiting.register(pipe, select.POLLIN)
        while waiting.poll(max(until - time.monotonic(), 0.0) * 1000):
            piece = os.read(pipe, _PIECE)
            if not piece:
                break
            output += piece[: _MOST_OUTPUT - len(output)]
        # The output may stay open after the command's end, in processes that it has started.
        with suppress(subprocess.TimeoutExpired):
            return ExecResult(process.wait(max(until - time.monotonic(), 0.0)), output, b"")
        raise TimeoutError(f"it did not end within {_SECONDS:g} s, and was ended")

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        _signal_all(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.0 if self._cancelled else _GRACE_SECONDS)
        _signal_all(process, signal.SIGKILL)
        process.wait()


def _signal_all(process: "subprocess.Popen[bytes]", number: int) -> None:
    """Send a signal to a command and to all processes that it has started, unless they have left its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
