"""Failures of a request, translated into `EngineError` and `GoneError`, with a remedy if one is known."""

import errno
import json
import os
import socket
import ssl
from types import TracebackType

from hostwatch.control.source import EngineError, GoneError
from hostwatch.docker.connect import Connection
from hostwatch.docker.pool import UnconnectedError
from hostwatch.docker.tls import wants_tls
from hostwatch.docker.wire import Answer, LostError

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)
"""Decoding raises these if an answer is not of the form that Docker documents."""
_MESSAGE_LIMIT = 500
"""Bytes of an error that the engine answers with."""
_REFUSALS = (401, 403, 405, 407)
"""Answers of a proxy or policy that does not let a request through. The engine itself uses none of them."""

NAME_IT = "name the engine's address by --docker-host, docker.host or DOCKER_HOST"
"""The remedy for an address that leads to no engine."""
_START = f"start it (systemctl start docker), or {NAME_IT}; `hostwatch doctor` looks closer"
TLS = "set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to a directory with the engine's ca.pem and our cert.pem, key.pem"
_NEEDED = "GET on /_ping, /version, /info, /events, /containers and /networks"
_LOOK = "look at the log of the engine, and of what is in front of it, and restart what hangs"


class _TlsWantedError(EngineError):
    """The engine speaks TLS alone, and was asked without."""


class readable:  # noqa: N801  # both are used like functions; a generator would take longer, and each request has both
    """Turns the errors of decoding into `EngineError`: nothing is known then."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, UNREADABLE):
            fault = f"{self._address}: no Docker Engine as documented: the answer has another form ({error!r})"
            raise EngineError(f"{fault}; {NAME_IT}") from error


async def check_status(answer: Answer, asked: str) -> None:
    """Raise the error that the engine answered with, if any. A redirection is one, as it is for the docker command."""
    if answer.status < 300:
        return
    text = bytearray()
    async for piece in answer:
        text += piece
        if len(text) > _MESSAGE_LIMIT:
            break
    said = text[:_MESSAGE_LIMIT].decode("utf-8", "replace").strip()
    try:
        message = str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        message = answer.reason if not said or said.startswith("<") else " ".join(said.split())  # a proxy sends a page
    if answer.status == 404:
        raise GoneError(message)
    if wants_tls(message):
        raise _TlsWantedError(message)
    fault = f"the engine answered {answer.status} to {asked}: {message}"
    if answer.status in _REFUSALS:
        raise EngineError(f"{fault}; let the proxy or policy in front of the engine's socket allow {_NEEDED}")
    raise EngineError(f"{fault}; {_LOOK}" if answer.status >= 500 else fault)


class translated:  # noqa: N801
    """Turns the errors of a connection and of the operating system into `EngineError`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and (fault := _fault(self._connection, error)) is not None:
            raise EngineError(fault) from error


def _fault(connection: Connection, error: BaseException) -> str | None:
    """What an error means; `None` if it is not one of the connection."""
    address, fault = connection.address, None
    match error:
        case _TlsWantedError():
            fault = f"{address} speaks TLS alone; {TLS}, or give the docker context its certificates"
        case TimeoutError():
            fault = f"{address} did not answer in time; {_LOOK}"
        case UnconnectedError():
            fault = _unconnected(connection, error.error)
        case LostError():
            fault = f"{address}: {error}"
        case ssl.SSLError() if connection.tls is not None:
            # An engine that refuses our certificate says so in place of its first answer, after the handshake.
            fault = connection.tls.fault(address, error)
        case OSError():
            fault = f"{address}: the connection broke: {error.strerror or error}"
    return fault


def _unconnected(connection: Connection, error: OSError) -> str:
    """The reason why no connection was made."""
    address = connection.address
    match error:
        case ssl.SSLError() if connection.tls is not None:
            return connection.tls.fault(address, error)
        case PermissionError():
            remedy = "run hostwatch as root or as a member of the socket's group"
            return f"permission denied on {address} for user {os.geteuid()}; {remedy}"
        case FileNotFoundError() | ConnectionRefusedError():
            fault = "there is no such socket" if isinstance(error, FileNotFoundError) else "nothing listens there"
            return f"no engine at {address}: {fault}; {_START}"
        case socket.gaierror():
            return f"no engine at {address}: the host's name is not known ({error.strerror}); {NAME_IT}"
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            remedy = "raise the limit of open files (LimitNOFILE, --ulimit nofile; sysctl fs.file-max)"
            return f"no connection to {address}: {error.strerror}; {remedy}"
        case _:
            return f"no engine at {address}: {error}; look at routes and firewalls on the way, or {NAME_IT}"
