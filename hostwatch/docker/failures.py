"""Failures of a request, translated into `EngineError` and `GoneError`, with a remedy if one is known."""

import errno
import json
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from hostwatch.control.source import EngineError, GoneError
from hostwatch.docker.connect import Connection
from hostwatch.docker.tls import wants_tls

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)
"""Decoding raises these if an answer is not of the form that Docker documents."""
_MESSAGE_LIMIT = 300


class _TlsWantedError(EngineError):
    """The engine speaks TLS alone, and was asked without."""


@contextmanager
def readable(address: str) -> Iterator[None]:
    """Turn the errors of decoding into `EngineError`: nothing is known then."""
    try:
        yield
    except UNREADABLE as error:
        raise EngineError(f"{address}: the answer is not of the form that is expected: {error!r}") from error


async def check_status(response: aiohttp.ClientResponse) -> None:
    """Raise the error that the engine answered with, if any."""
    if response.status < 400:
        return
    text = (await response.read())[:500].decode("utf-8", "replace").strip()
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        message = text or response.reason or ""
    if response.status == 404:
        raise GoneError(message)
    if wants_tls(message):
        raise _TlsWantedError(message)
    raise EngineError(f"the engine answered {response.status} to {response.method} {response.url.path}: {message}")


@contextmanager
def translated(connection: Connection) -> Iterator[None]:
    """Turn the errors of aiohttp and of the operating system into `EngineError`."""
    address = connection.address
    try:
        yield
    except _TlsWantedError as error:
        remedy = "set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or give the docker context its certificates"
        raise EngineError(f"{address} speaks TLS alone; {remedy}") from error
    except TimeoutError as error:
        raise EngineError(f"{address} did not answer in time") from error
    except aiohttp.ClientConnectorError as error:
        raise EngineError(_unconnected(connection, error.os_error)) from error
    except (aiohttp.ClientError, OSError) as error:
        # An engine that refuses our certificate says so in place of its first answer, after the handshake.
        if connection.tls is not None and isinstance(error.__cause__, ssl.SSLError):
            raise EngineError(connection.tls.fault(address, error.__cause__)) from error
        raise EngineError(f"{address}: {_interrupted(error)}") from error


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
            is_missing = isinstance(error, FileNotFoundError)
            return f"no engine at {address}: {'there is no such socket' if is_missing else 'nothing listens there'}"
        case socket.gaierror():
            return f"no engine at {address}: the host's name is not known ({error.strerror})"
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            remedy = "raise the limit of open files (LimitNOFILE, --ulimit nofile; sysctl fs.file-max)"
            return f"no connection to {address}: {error.strerror}; {remedy}"
        case _:
            return f"no engine at {address}: {error}"


def _interrupted(error: Exception) -> str:
    """The reason why a request that was sent got no whole answer. aiohttp's own messages name its internals."""
    match error:
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before an answer came"
        case aiohttp.ClientPayloadError() | ConnectionResetError() | BrokenPipeError() | OSError(strerror=None):
            return "the connection was cut in the middle of an answer"
        case aiohttp.ClientResponseError():  # its message quotes the unparsable bytes over several lines
            return f"the answer is no HTTP: {_in_a_line(error.message)}"
        case OSError():
            return f"the connection broke: {error.strerror}"
        case _:
            return _in_a_line(str(error)) or type(error).__name__


def _in_a_line(text: str) -> str:
    return " ".join(text.split())[:_MESSAGE_LIMIT]
