"""Whether a daemon could answer here: at its control socket, and at `http.listen`."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from hostwatch.config.http import place_of
from hostwatch.config.settings import Settings
from hostwatch.doctor.finding import Finding, fine, note, problem
from hostwatch.doctor.seclusion import secluded
from hostwatch.drop_ins import opening
from hostwatch.hosts import probe
from hostwatch.hosts.lock import Holder
from hostwatch.hosts.run_directory import RUN

_SECONDS = 2.0
"""Time for an answer of what listens at the address."""
_QUESTION = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"
_SIGN = b"\r\nServer: hostwatch\r\n"
"""Every answer of hostwatch has it."""


def control_socket() -> Iterator[Finding]:
    """Whether a control socket can be made."""
    if (fault := _unwritable(RUN if RUN.exists() else RUN.parent)) is None:
        return
    inside = "mount a tmpfs there, as config/compose.yaml does (`--tmpfs /run/hostwatch`)"
    outside = "run the daemon as root, or with $XDG_RUNTIME_DIR set; in a systemd unit RuntimeDirectory=hostwatch"
    yield note(
        f"no control socket can be made in {RUN} ({fault}): `health` fails, and no command can ask the daemon",
        inside if probe.in_container() else outside,
    )


def _unwritable(directory: Path) -> str | None:
    """Why no file can be made in a directory."""
    try:
        if probe.is_read_only(directory):
            return os.strerror(errno.EROFS)
    except OSError as error:
        return error.strerror
    return None if os.access(directory, os.W_OK | os.X_OK) else os.strerror(errno.EACCES)


def http(settings: Settings, holder: Holder | None) -> Iterator[Finding]:
    """Whether the configured address is free, or hostwatch answers there, and whether others reach it."""
    if settings.http.listen is None:
        return
    place = place_of(settings.http.listen)
    if isinstance(place, Path):
        if (fault := _unwritable(place.parent)) is not None:
            yield problem(f"http.listen: no socket can be made at {place} ({fault})", "choose another directory")
        return
    if (who := secluded(holder)) is not None:
        what = f"http.listen: {who} has a network of its own, in which nobody reaches {place[0]}"
        yield problem(what, f"use {opening('http')}")
    else:
        yield _of_port(settings.http.listen, *place)


def _of_port(listen: str, host: str, port: int) -> Finding:
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return problem(f"http.listen: {listen} cannot be had ({error.strerror})", "choose another address")
        else:
            return fine(f"HTTP: {listen} is free")
    if _is_ours(host, port):
        return fine(f"HTTP: hostwatch answers at {listen}")
    what = f"http.listen: another program has {listen}; the daemon keeps the files all the same"
    return problem(what, "end that program (`ss -ltnp` shows it), or choose another address")


def _is_ours(host: str, port: int) -> bool:
    """Whether hostwatch answers there."""
    with suppress(OSError), closing(socket.create_connection((host, port), _SECONDS)) as connection:
        connection.sendall(_QUESTION)
        return _SIGN in connection.recv(4096)
    return False
