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
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return Process.parse(stat) == self and stat.rpartition(")")[2].split()[0] not in "ZX"

    def send(self, number: signal.Signals) -> None:
        """Signal it if it is still there: looked at after the handle is taken, so that no other process can be hit."""
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
        """Whether it has ended within that time."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            return not self.alive() or bool(select.select([handle], [], [], seconds)[0])
        finally:
            os.close(handle)


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
