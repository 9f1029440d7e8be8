"""One run of the release: what is packed, where to, and what makes it the same bytes each time."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class ReleaseError(Exception):
    """A package cannot be made. Its text says what happened and what to do."""


@dataclass(frozen=True)
class Build:
    """What every step of a release gets.

    `source` is a copy of the repository: regular files alone, with modes 0644 and 0755, and with the generated files in
    `hostwatch/share`. A step may write below `scratch`, which goes afterwards, and puts its packages into `into`.
    """

    source: Path
    scratch: Path
    into: Path
    version: str
    commit: str
    """The first 12 digits, with `-dirty` behind them if the checkout has changes."""
    epoch: int
    """The time of the commit, in seconds. No file in a package has a later one."""

    @property
    def wheel(self) -> Path:
        """The wheel, which is made before all else."""
        return self.into / f"hostwatch-{self.version}-py3-none-any.whl"

    @property
    def requirements(self) -> Path:
        """The pinned packages that hostwatch runs with."""
        return self.source / "requirements.txt"

    def run(self, *command: str | Path, cwd: Path | None = None, **environ: str) -> str:
        """Run a program with the time of the release and nothing of this machine's language; returns its output.

        Raises `ReleaseError`, with what the program said.
        """
        fixed = {"SOURCE_DATE_EPOCH": str(self.epoch), "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}
        return run(command, cwd or self.source, fixed | environ)


def run(command: Sequence[str | Path], cwd: Path, environ: dict[str, str] | None = None) -> str:
    """Run a program; returns its output. Raises `ReleaseError`, with the last lines that it said."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env=os.environ | (environ or {}), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ReleaseError(f"{command[0]} is not installed: {error}") from error
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise ReleaseError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{said}")
    return done.stdout
