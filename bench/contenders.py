"""Who is measured: hostwatch, a bare script as the floor, a plain script that lists everything, and any peer by command.

Each is started beside an engine and told which files it is to keep; each is a process of its own.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engine import Engine

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
READY_SECONDS = 15.0


def command(name: str, engine: Engine) -> list[str]:
    """The command line of a contender; any other name than ours is a command, its engine in `DOCKER_HOST`."""
    match name:
        case "hostwatch":
            return [sys.executable, "-m", "hostwatch", "run"]
        case "floor" | "lister":
            return [sys.executable, str(HERE / f"{name}.py"), str(engine.data_root)]
        case peer:
            return shlex.split(peer)


@contextmanager
def running(name: str, engine: Engine) -> Iterator[subprocess.Popen[bytes]]:
    """The contender, following the engine."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "HOSTWATCH_"))}
    environ |= {"DOCKER_HOST": engine.docker_host, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        command(name, engine), env=environ, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended by itself, with status {process.returncode}")
    finally:
        process.terminate()
        process.wait(10)
