"""What a systemd unit must know of this machine: the program, the engine and how it is reached, the configuration."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import hostwatch
from hostwatch.config.file import DEFAULT_PATH
from hostwatch.config.settings import Settings
from hostwatch.control.source import EngineInfo
from hostwatch.docker.connect import DEFAULT_SOCKET, Connection

_PROGRAM = "hostwatch"
_VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG")
"""The variables by which an engine is reached. A unit has none of a user's own."""
_DIRECTORIES = ("DOCKER_CERT_PATH", "DOCKER_CONFIG")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of this machine."""

    command: tuple[str, ...]
    """The command line of the daemon."""
    reads: tuple[Path, ...]
    """The directories that it reads: of its program, its Python, its configuration, certificates."""
    engine: str
    """The engine, for people."""
    root: Path
    """The engine's data root, as it is seen here."""
    directory: Path
    """The directory of the containers' directories."""
    is_here: bool
    """Whether that directory is on this machine, or may come to be."""
    socket: Path | None
    """The engine's socket; `None`: by TCP."""
    is_podman: bool
    variables: Mapping[str, str]
    """The daemon's environment."""
    settings: Settings


def facts(
    settings: Settings, file: Path | None, given: str | None, connection: Connection, engine: EngineInfo
) -> Facts:
    """What is known; `file` is the configuration, and `given` the engine's address of the command line."""
    command, reads, variables = [*_program()], [*_homes()], dict[str, str]()
    if file is not None and file.absolute() != DEFAULT_PATH:
        command += "-c", str(file.absolute())
        reads.append(file.absolute().parent)
    if connection.socket is not None:
        socket = Path(connection.socket)
        # It may come from a variable or a context of this user, which the daemon does not have.
        if connection.address not in (DEFAULT_SOCKET, settings.docker.host):
            command += "--docker-host", f"unix://{socket}"
    else:
        socket = None
        if given is not None:
            command += "--docker-host", given
        variables = _variables()
        reads += (Path(variables[name]) for name in _DIRECTORIES if name in variables)
    directory = engine.directory(settings.docker.root)
    return Facts(
        (*command, "run"),
        tuple(reads),
        f"engine {engine.version} at {connection.address}",
        settings.docker.root or engine.root,
        directory,
        socket is not None or directory.exists(),
        socket,
        not engine.keeps_comments,
        variables,
        settings,
    )


def _program() -> tuple[str, ...]:
    """The command line of hostwatch: the program that runs now, else that of the same environment."""
    for found in (Path(sys.argv[0]).resolve(), Path(sys.executable).with_name(_PROGRAM)):
        if found.name == _PROGRAM and os.access(found, os.X_OK) and found.is_file():
            return (str(found),)
    return sys.executable, "-m", _PROGRAM


def _homes() -> Iterator[Path]:
    """Where the program, its Python and its packages are: an installation for one user has them apart."""
    yield Path(_program()[0]).parent
    yield from (Path(sys.prefix), Path(sys.base_prefix), Path(hostwatch.__file__).parent.parent)


def _variables() -> dict[str, str]:
    found = {name: value for name in _VARIABLES if (value := os.environ.get(name))}
    if "DOCKER_HOST" not in found:
        found.setdefault("DOCKER_CONFIG", str(Path.home() / ".docker"))
    return found
