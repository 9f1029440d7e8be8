"""The engine's address and TLS, from the environment and files, by the docker command's rules.

Checked against docker/cli 28 (`cli/command/cli.go`, `cli/flags/options.go`, `cli/context/store`). The first of these
counts: the given address, `DOCKER_HOST`, the current context, the default. `DOCKER_TLS_VERIFY`, `DOCKER_TLS` and
`DOCKER_CERT_PATH` apply to all but a context, which has TLS files of its own. This module connects to nothing.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hostwatch.control.source import EngineError
from hostwatch.docker.tls import FILES, Tls, is_there

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_DEFAULT_TLS_HOST = "tcp://localhost:2376"
_PORT, _TLS_PORT = 2375, 2376


class AddressError(EngineError):
    """The given address cannot be used."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"cannot use {url} as an engine: {why}")


@dataclass(frozen=True, slots=True)
class Connection:
    """The way to reach an engine."""

    address: str
    """The address, for people."""
    base: str
    """The beginning of each request's URL."""
    socket: str | None = None
    """The path of its unix socket; `None`: by TCP."""
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class _Files:
    """The files for TLS, and their use."""

    directory: Path
    used: bool = False
    """Whether `tcp://` means TLS."""
    verify: bool = True
    authority: bool = False
    """Whether a `ca.pem` must be there."""


def located_engine(explicit: str | None, environ: Mapping[str, str]) -> Connection:
    """The connection to the given engine; without one, to the engine that the docker command would use.

    Raises `AddressError` for an unusable address, `EngineError` if no engine is found for another reason.
    """
    host = (explicit or environ.get("DOCKER_HOST") or "").strip()
    if not host and (context := _current_context(environ)) is not None:
        return _of_context(context, _configuration(environ) / "contexts")
    files = _files_of_environment(environ)
    return _connection(host or (_DEFAULT_TLS_HOST if files.used else DEFAULT_SOCKET), files)


def _files_of_environment(environ: Mapping[str, str]) -> _Files:
    # Any text counts as true, "0" too, as with the docker command.
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    used = verify or bool(environ.get("DOCKER_TLS"))
    directory = Path(environ.get("DOCKER_CERT_PATH") or _configuration(environ))
    return _Files(directory, used, verify or not used, authority=used)


def _configuration(environ: Mapping[str, str]) -> Path:
    """The docker command's own directory."""
    if directory := environ.get("DOCKER_CONFIG"):
        return Path(directory)
    try:
        return Path(environ.get("HOME") or Path.home()) / ".docker"
    except RuntimeError:  # the user has no account, as in containers
        return Path("/.docker")


# Contexts.


def _current_context(environ: Mapping[str, str]) -> str | None:
    """The name of the current context; `None` if the environment decides."""
    name = environ.get("DOCKER_CONTEXT")
    if not name:
        path = _configuration(environ) / "config.json"
        settings = _read(path) or {}
        name = settings.get("currentContext") if isinstance(settings, dict) else None
        if not isinstance(name, str | None):
            raise EngineError(f"{path}: currentContext is no name; `docker context use` sets it")
    return name if name and name != "default" else None


def _of_context(name: str, store: Path) -> Connection:
    directory = hashlib.sha256(name.encode()).hexdigest()
    said = f"docker context {name!r}"
    path = store / "meta" / directory / "meta.json"
    meta = _read(path)
    if meta is None:
        remedy = "`docker context ls` shows those that do, `docker context use` takes one"
        raise EngineError(f"{said} does not exist; {remedy}")
    try:
        endpoint = meta["Endpoints"]["docker"]
        host, skip = endpoint.get("Host") or DEFAULT_SOCKET, bool(endpoint.get("SkipTLSVerify"))
    except (KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"{said}: {path} names no endpoint for docker; make the context anew") from error
    tls = store / "tls" / directory / "docker"
    files = _Files(tls, skip or any(is_there(tls / name) for name in FILES), verify=not skip)
    try:
        connection = _connection(str(host), files)
    except EngineError as error:
        raise EngineError(f"{said}: {error}") from error
    return replace(connection, address=f"{connection.address} ({said})")


def _read(path: Path) -> Any:
    """The content of a JSON file; `None` if there is no such file."""
    try:
        return json.loads(path.read_bytes() or b"{}")  # the docker command ignores an empty file
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        fault = f"cannot read {path} ({error.strerror})"
    except ValueError as error:
        fault = f"{path} is no JSON ({error})"
    raise EngineError(f"{fault}, which may say which engine is meant; mend it, or set DOCKER_HOST")


# URLs.


def _connection(url: str, files: _Files) -> Connection:
    scheme, separator, rest = url.partition("://")
    match scheme if separator else "":
        case "unix":
            path = rest or DEFAULT_SOCKET.removeprefix("unix://")
            return Connection(f"unix://{path}", "unix://localhost", socket=path)
        case "tcp" | "http" | "https":
            return _by_tcp(scheme, rest, files)
        case "" if not url.startswith(("/", ".")):
            return _by_tcp("tcp", url, files)
        case "ssh":
            remedy = f"forward its socket, as in `ssh -nNT -L /run/engine.sock:/var/run/docker.sock {rest}`"
            raise AddressError(url, f"ssh is not supported; {remedy}, and give that: unix:///run/engine.sock")
        case _:
            example = f", as in unix://{url}" if url.startswith("/") else ""
            raise AddressError(url, f"it must begin with unix:// or tcp://{example}")


def _by_tcp(scheme: str, rest: str, files: _Files) -> Connection:
    is_tls = files.used or scheme == "https"
    default_port = {"http": 80, "https": 443, "tcp": _TLS_PORT if is_tls else _PORT}[scheme]
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host, port = parts.hostname or "localhost", parts.port or default_port
        encoded = host.encode("idna").decode()
    except ValueError as error:
        raise AddressError(f"{scheme}://{rest}", f"{error}; write it as in tcp://192.0.2.1:2376") from error
    if re.search(r"\s", host):
        raise AddressError(f"{scheme}://{rest}", "a host's name has no blanks; write it as in tcp://192.0.2.1:2376")
    tls = Tls(files.directory, verify=files.verify, authority=files.authority) if is_tls else None
    user = "".join(parts.netloc.rpartition("@")[:2])  # with its password, so not for people
    base = f"{'https' if is_tls else 'http'}://{user}{_place(encoded, port)}{parts.path.rstrip('/')}"
    return Connection(f"{scheme}://{_place(host, port)}", base, tls=tls)


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
