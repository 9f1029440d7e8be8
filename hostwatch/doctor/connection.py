"""Finds out why no engine answers at an address. Used only after a failure.

The client's own error says which step failed. The cause may be the socket, its permissions, the network, or another
program that listens there. It is found by connecting to the same address again, step by step.
"""

import grp
import os
import pwd
import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit

from hostwatch.docker.connect import Connection
from hostwatch.docker.failures import NAME_IT, TLS
from hostwatch.doctor.finding import Finding, problem
from hostwatch.hosts import probe

_TIMEOUT_SECONDS = 5.0
_MAX_SHOWN = 300
_START = "start the engine (systemctl start docker)"


def unlocated(error: str) -> Finding:
    """The engine's address is unknown, or unusable."""
    return _with_remedy(error) or problem(error, NAME_IT)


def unreachable(connection: Connection, error: str) -> Finding:
    """The reason why the engine did not answer; `error` is the error of the attempt."""
    if connection.socket is not None:
        return _at_socket(Path(connection.socket), error)
    parts = urlsplit(connection.base)
    return _at_host(parts.hostname or "", parts.port or 80, error)


def unanswered(error: str) -> Finding:
    """A program listens there, but does not answer as an engine does."""
    if found := _with_remedy(error):
        return found
    if "closed before an answer" in error:
        return problem(_in_a_line(error), f"if it speaks TLS, {TLS}; if it is no engine, {NAME_IT}")
    return problem(f"no Docker Engine: {_in_a_line(error)}", f"{NAME_IT}; if this is the engine, look at its log")


def _with_remedy(error: str) -> Finding | None:
    """The finding of an error that names its remedy, behind a semicolon."""
    what, separator, remedy = error.partition("; ")
    return problem(_in_a_line(what), _in_a_line(remedy)) if separator else None


def _in_a_line(error: str) -> str:
    """Text of unknown origin, made fit for a terminal."""
    printable = "".join(character if character.isprintable() else " " for character in error)
    return " ".join(printable.split())[:_MAX_SHOWN]


def _at_socket(path: Path, error: str) -> Finding:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return problem(f"there is no socket {path}", _absent(path))
    except OSError as fault:
        what = f"{_user()} cannot look at the socket {path} ({fault.strerror})"
        return problem(what, "run hostwatch as root, or let that user enter each directory above the socket")
    if not stat.S_ISSOCK(status.st_mode):
        return _no_socket(path, status)
    return _connected(path, status) or unanswered(error)


def _connected(path: Path, status: os.stat_result) -> Finding | None:
    """The fault that prevents a connection; `None` if there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_TIMEOUT_SECONDS)
            client.connect(str(path))
    except PermissionError:
        return _denied(path, status)
    except ConnectionRefusedError:
        return problem(f"nothing listens on the socket {path}", f"{_START}, or {NAME_IT}")
    except OSError as fault:
        return problem(f"the socket {path} cannot be used: {fault}", f"restart the engine, or {NAME_IT}")
    return None


def _absent(path: Path) -> str:
    if probe.in_container():
        return f"{_START}, run hostwatch's container with `-v {path}:{path}`, or {NAME_IT}"
    return f"{_START}, or {NAME_IT}"


def _no_socket(path: Path, status: os.stat_result) -> Finding:
    if stat.S_ISDIR(status.st_mode):
        # If `-v` names a file that does not exist, Docker makes a directory.
        made = f"if a container's `-v` made it as there was no socket, remove it and start the engine; else {NAME_IT}"
        return problem(f"{path} is a directory, not the engine's socket", made)
    return problem(f"{path} is not a socket", NAME_IT)


def _denied(path: Path, status: os.stat_result) -> Finding:
    what = f"{_user()} may not use the socket {path}, which is {_owners(status)}"
    if os.geteuid() == 0:
        policy = "run hostwatch's container with --security-opt label=disable (SELinux); look for other policies"
        return problem(what, f"{policy}; in a user namespace root is not the engine's root")
    remedy = "run hostwatch as root, which the hosts files need as well"
    if status.st_mode & stat.S_IWGRP and status.st_gid != 0:
        group = _group(status.st_gid)
        remedy += f"; for the socket alone the group {group} is enough (in a container --group-add {status.st_gid})"
    return problem(what, remedy)


def _at_host(host: str, port: int, error: str) -> Finding:
    where = f"{host}:{port}"
    try:
        socket.create_connection((host, port), _TIMEOUT_SECONDS).close()
    except socket.gaierror as fault:
        return problem(f"the host {host} is not known ({fault.strerror})", f"correct its name, or {NAME_IT}")
    except ConnectionRefusedError:
        what = f"nothing listens at {where}"
        return problem(what, f"start the engine there with `-H tcp://…:{port}` and TLS, or {NAME_IT}")
    except OSError as fault:
        return problem(f"{where} cannot be reached ({fault})", f"look at routes and firewalls on the way, or {NAME_IT}")
    return unanswered(error)


def _user() -> str:
    uid = os.geteuid()
    try:
        return f"user {pwd.getpwuid(uid).pw_name} ({uid})"
    except KeyError:
        return f"user {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _owners(status: os.stat_result) -> str:
    mode = stat.filemode(status.st_mode)
    return f"{mode} of user {status.st_uid} and group {_group(status.st_gid)} ({status.st_gid})"
