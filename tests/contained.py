"""hostwatch in a container, as Docker Compose starts it with the files in config/."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from docker.models.containers import Container

from tests import engine as engines
from tests import image
from tests.conftest import Lab, eventually
from tests.noise import crowd

COMPOSE_FILE = image.REPOSITORY / "config" / "compose.yaml"
SUBSCRIBER = {"hostwatch.hosts": "@{db.ip} db"}
"""Labels of a container that wants to know the database."""


def compose(
    engine: engines.Engine,
    files: Sequence[Path],
    *arguments: str,
    socket: Path | None = None,
    version: str = image.OLDEST_COMPOSE,
    **variables: Path,
) -> str:
    """Run a Docker Compose with the variables of config/compose.yaml; returns its output."""
    environ = {
        "PATH": "/usr/bin",
        "HOME": "/root",
        "DOCKER_HOST": engine.docker_host,
        "DOCKER_BUILDKIT": "0",  # BuildKit needs a plugin
        "DOCKER_SOCKET": socket or engine.socket,
        "DOCKER_ROOT": engine.data_root,
        "BASE": image.BASE,
        **variables,
    }
    program = ["env", "-i", *(f"{name}={value}" for name, value in environ.items()), f"/host{image.compose(version)}"]
    command = engine.enter(*program, *(f"--file={file}" for file in files), *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=100 * crowd(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def contained(
    lab: Lab, *more: Path, socket: Path | None = None, version: str = image.OLDEST_COMPOSE, **variables: Path
) -> Iterator[Container]:
    """hostwatch in its container. It does not fail, shows no traceback, and ends by itself after a stop request."""
    compose(lab.engine, [COMPOSE_FILE, *more], "up", "--detach", socket=socket, version=version, **variables)
    [container] = lab.client.containers.list(filters={"label": "com.docker.compose.service=hostwatch"})
    eventually(lambda: "connected to engine" in log(container))
    yield container
    container.stop(timeout=10)
    assert container.wait()["StatusCode"] == 0
    assert "Traceback" not in log(container)


def override(lab: Lab, text: str) -> Path:
    """A file that changes the `hostwatch` service of config/compose.yaml."""
    path = lab.directory / "override.yaml"
    path.write_text(f"services: {{hostwatch: {{{text}}}}}\n")
    return path


def log(container: Container) -> str:
    """The container's whole output."""
    return container.logs().decode()


def line(address: str) -> str:
    """The line that announces the database."""
    return f"{address:<16}db\n"


def followed(lab: Lab, container: Container, address: str) -> None:
    """Wait until the container's file announces the database at this address."""
    eventually(lambda: line(address) in lab.hosts(container))
