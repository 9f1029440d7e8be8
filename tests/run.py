"""`make run`: hostwatch with `config/hostwatch.yaml` beside this machine's engine, or a private one if it has none."""

import contextlib
import os
import sys
from pathlib import Path

import docker

from tests import engine as engines

VERSION = "20.10"
NAME = "make-run"
CONFIG = Path(__file__).parent.parent / "config" / "hostwatch.yaml"


def main() -> None:
    """Become `hostwatch run`."""
    command = [sys.executable, "-m", "hostwatch", "run", "--config", str(CONFIG)]
    if not answers():
        print("no Docker Engine answers here; starting a private one", flush=True)
        engine = engines.find(NAME) or engines.start(VERSION, NAME)
        command += ["--docker-host", engine.docker_host]
        print(
            f"it stays when hostwatch ends; try: python -m tests.engine docker {NAME} -- ps\n"
            f"                       stop it by: python -m tests.engine stop {NAME}",
            flush=True,
        )
    os.execv(sys.executable, command)


def answers() -> bool:
    """Whether an engine answers at `DOCKER_HOST` or the default socket."""
    try:
        with contextlib.closing(docker.from_env(timeout=5)) as client:
            return bool(client.ping())
    except (docker.errors.DockerException, OSError):
        return False


if __name__ == "__main__":
    main()
