"""What a server of the store answered with, or why it did not: a reason and a remedy in plain words.

Bodies differ: 3.4 has `error`, `message` and `code`, 3.5 and newer have `code` and `message`, a stream has them within
`error`, a watch has a text, and whatever stands in front of a server may answer with a page.
"""

import errno
import json
import re
import socket
import ssl
from typing import Any

import aiohttp

from hostwatch.control.key_values import StoreError
from hostwatch.core.names import shown

# Codes of gRPC.
UNREACHED = -1
"""None of gRPC: nothing was answered, or nothing that an etcd answers."""
INVALID, NOT_FOUND, DENIED, EXHAUSTED, PRECONDITION, OUT_OF_RANGE, UNAUTHENTICATED = 3, 5, 7, 8, 9, 11, 16
_NAMES = {
    "InvalidArgument": INVALID,
    "NotFound": NOT_FOUND,
    "PermissionDenied": DENIED,
    "ResourceExhausted": EXHAUSTED,
    "FailedPrecondition": PRECONDITION,
    "OutOfRange": OUT_OF_RANGE,
    "Unauthenticated": UNAUTHENTICATED,
}
_STATUS_CODES = {401: UNAUTHENTICATED, 403: DENIED, 404: NOT_FOUND}
_FINAL = {INVALID, NOT_FOUND, DENIED, EXHAUSTED, PRECONDITION, OUT_OF_RANGE, UNAUTHENTICATED}
"""The other servers of the store would answer the same."""

NO_LEASE = "requested lease not found"
_NO_AUTH = "authentication is not enabled"
_STALE_LOGIN = ("invalid auth token", "user name is empty", "revision of auth store is old")
_WRONG_LOGIN = "authentication failed, invalid user ID or password"
_COMMON_NAME = "CommonName of client"
ANSWERS = " answers: "
"""Stands between a server and its own words."""
_SAID_LIMIT = 300
"""Characters of a server's own words that are passed on."""
_RPC_ERROR = re.compile(r"rpc error: code = (\w+) desc = (.*)", re.DOTALL)

_LOOK = "look whether etcd runs there (`etcdctl endpoint health`), and at routes and firewalls on the way"
_IS_ETCD = "name the client port of an etcd 3.4 or newer (2379)"
_REMEDIES = (
    (_WRONG_LOGIN, "check `user` and the password in `password_file`"),
    ("user name is empty", "it wants a login: set `user` and `password_file`"),
    ("invalid auth token", "set `user` and `password_file`, and look at the server's log"),
    ("database space exceeded", "compact and defragment it, then `etcdctl alarm disarm`"),
    ("no leader", "most of its servers must run and reach each other; `etcdctl endpoint status --cluster` shows them"),
    ("request timed out", "most of its servers must run and reach each other, on disks that are fast enough"),
    ("too many requests", "it is overloaded; its log and metrics say by whom"),
)


class ServerError(StoreError):
    """The failure of one server, or of all of them."""

    def __init__(self, fault: str, code: int = UNREACHED, said: str = "") -> None:
        super().__init__(fault)
        self.code = code
        self.said = said
        """The server's own words."""

    @property
    def is_final(self) -> bool:
        """Whether no other server would answer otherwise."""
        return self.code in _FINAL

    @property
    def is_denied(self) -> bool:
        """Whether the user lacks a permission."""
        return self.code == DENIED

    @property
    def is_stale_login(self) -> bool:
        """Whether a new login may help."""
        return self.code == UNAUTHENTICATED or any(words in self.said for words in _STALE_LOGIN)

    @property
    def is_no_auth(self) -> bool:
        """Whether the store knows no users."""
        return _NO_AUTH in self.said

    @property
    def is_wrong_login(self) -> bool:
        """Whether the user or the password is wrong."""
        return self.said.removeprefix("etcdserver: ") == _WRONG_LOGIN

    @property
    def is_no_lease(self) -> bool:
        """Whether a lease has run out."""
        return self.code == NOT_FOUND and NO_LEASE in self.said

    @property
    def is_compacted(self) -> bool:
        """Whether a revision is not there any more."""
        return self.code == OUT_OF_RANGE


def answered(server: str, asked: str, status: int, body: bytes, certificate: object = None) -> ServerError:
    """What an answer that is no success means; `asked`: the path; `certificate`: of ours, if one was shown."""
    if 300 <= status < 400:
        return ServerError(f"{server} answers {status}, a redirection, which is not followed; {_IS_ETCD}")
    code, said = _said(body)
    if said.startswith(_COMMON_NAME):
        fault = f"{server} refuses our certificate {certificate}, as it has a common name and the store knows users"
        return ServerError(f"{fault}; issue one whose subject has no CN", INVALID, said)
    if status == 404 and NO_LEASE not in said:
        return ServerError(f"{server} answers 404 to {asked}; {_IS_ETCD}", UNREACHED, said)
    return refused(server, said or f"status {status}", code if code is not None else _STATUS_CODES.get(status))


def refused(server: str, said: str, code: int | None = None) -> ServerError:
    """What a server's own words mean; a watch has the code in them."""
    found = _RPC_ERROR.match(said)
    if found is not None:
        code, said = _NAMES.get(found[1], code), found[2]
    said = " ".join(said.split())
    remedy = next((remedy for words, remedy in _REMEDIES if words in said), "")
    fault = f"{server}{ANSWERS}{shown(said, _SAID_LIMIT)}"
    return ServerError(f"{fault}; {remedy}" if remedy else fault, UNREACHED if code is None else code, said)


def odd(server: str, what: str) -> ServerError:
    """The error for an answer of another form than etcd's."""
    return ServerError(f"{server} does not answer as an etcd ({what}); {_IS_ETCD}")


def ended(server: str) -> ServerError:
    """The error for a watch that its server ends, as it does in good order."""
    return ServerError(f"{server} ended the watch; {_LOOK}")


def in_stream(server: str, error: object) -> ServerError:
    """The error that a stream has in place of a result."""
    code, said = _said(json.dumps({"error": error}).encode())
    return refused(server, said, code) if said else odd(server, "neither a result nor an error")


def late(server: str, seconds: float) -> ServerError:
    """The error for no answer in time."""
    return ServerError(f"{server} did not answer within {seconds:g} s; {_LOOK}")


def unreached(server: str, error: Exception) -> ServerError:
    """The error for a connection that was not made, or broke. TLS has its own (`hostwatch.etcd.tls`)."""
    match error:
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return ServerError(f"{server}: the host's name is not known; write its address, or mend the DNS")
        case (
            aiohttp.ServerDisconnectedError()
            | aiohttp.ClientPayloadError()
            | OSError(errno=errno.ECONNRESET | errno.EPIPE)
            | aiohttp.ClientConnectionResetError()
        ):
            other = "" if server.startswith("https:") else "; if it speaks TLS, write https:// for it"
            return ServerError(f"{server} closed the connection; {_LOOK}{other}")
        case aiohttp.ClientResponseError() | aiohttp.InvalidURL():
            return odd(server, type(error).__name__)
        case OSError(errno=errno.ECONNREFUSED):
            return ServerError(f"{server} refuses connections; {_LOOK}")
        case OSError():
            return ServerError(f"{server} is not reached ({_strerror(error)}); {_LOOK}")
        case _:
            return ServerError(f"{server} is not reached ({type(error).__name__}); {_LOOK}")


def tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """The error of TLS that is behind another one, if any."""
    while error is not None and (isinstance(error, aiohttp.ClientError) or not isinstance(error, ssl.SSLError)):
        error = error.__cause__
    return error


def _strerror(error: OSError) -> str:
    inner = getattr(error, "os_error", error)
    return str(inner.strerror or inner)


def _said(body: bytes) -> tuple[int | None, str]:
    """The code and the words of an error's body."""
    try:
        found: Any = json.loads(body)
        if isinstance(found.get("error"), dict):
            found = found["error"]
        code = found.get("code", found.get("grpc_code"))
        return (int(code) if code is not None else None), str(found.get("message") or found.get("error") or "")
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        text = body.decode("utf-8", "replace").strip()
        return None, "" if text.startswith("<") else text
