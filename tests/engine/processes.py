"""A process by id and start time, as the id alone may belong to another process later."""

import os
import select
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Process:
    pid: int
    started: int  # in clock ticks since boot

    @classmethod
    def parse(cls, stat: str) -> Self:
        """Parse a line of /proc/PID/stat. The name in parentheses may hold blanks, all later fields may not."""
        before, _, after = stat.rpartition(")")
        return cls(int(before.split()[0]), int(after.split()[19]))

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """The process that wrote its stat line into this file."""
        try:
            return cls.parse(file.read_text())
        except (OSError, ValueError, IndexError):
            return None

    def alive(self) -> bool:
        return not self.wait(0)

    def send(self, number: signal.Signals) -> None:
        """Signal it if it is still there."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive():
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within that time, with all of its threads.

        A killed process may be a zombie while its last threads still hold its sockets and files.
        """
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            return self._is_another() or bool(select.select([handle], [], [], seconds)[0])
        finally:
            os.close(handle)

    def _is_another(self) -> bool:
        # Looked at after the handle is taken, so that no other process can be meant.
        try:
            return Process.parse(Path(f"/proc/{self.pid}/stat").read_text()) != self
        except (FileNotFoundError, ProcessLookupError):
            return True


def detach(command: Sequence[str | Path], log: Path) -> bool:
    """Run a program until it prints a line, then let go of it; False if it ended before that.

    `unshare` and `nsenter` fork and wait for their child: they are what is ended here, and the child lives on.
    """
    with (
        log.open("a") as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        ) as process,
    ):
        assert process.stdout
        try:
            return bool(process.stdout.readline())
        finally:
            process.kill()
