"""The login at a store that knows users: a token, asked for when there is none, and anew when it is refused.

The password is read from its file at each login, and kept nowhere. A refused token must not be shown when a new one is
asked for: 3.4 would refuse that, too.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from hostwatch.control.clock import loop_time
from hostwatch.control.key_values import StoreAddress
from hostwatch.etcd import failures
from hostwatch.etcd.failures import ServerError
from hostwatch.etcd.http import LONG_SECONDS, Http

_PASSWORD_LIMIT = 4096
"""Bytes of a password's file: more is another file."""
_REFUSED_SECONDS = 30.0
"""A refused password is not shown again for this time. To check one takes a server some 70 ms on purpose, and a hundred
hosts may have the same one."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """The last password that was refused, by its hash, with the reason."""

    fault: str
    code: int
    said: str
    password: int
    at: float

    def counts(self, password: str) -> bool:
        """Whether this password is not shown again yet."""
        return hash(password) == self.password and loop_time() < self.at + _REFUSED_SECONDS

    def error(self) -> ServerError:
        """The refusal, once more."""
        return ServerError(self.fault, self.code, self.said)


class Login:
    """The token of one user."""

    def __init__(self, http: Http, address: StoreAddress) -> None:
        self._http = http
        self._user, self._password_file = address.user, address.password_file
        self._token: str | None = None
        """Empty: the store knows no users. `None`: not asked for yet."""
        self._refusal: _Refusal | None = None
        self._asking = anyio.Lock()

    async def token(self, server: str) -> str:
        """The token that is valid as far as is known. Raises `ServerError`."""
        return self._token if self._token is not None else await self.renewed(server, None)

    async def renewed(self, server: str, refused: str | None) -> str:
        """Another token than the refused one. Raises `ServerError`."""
        async with self._asking:
            if self._token is None or self._token == refused:
                self._token = await self._asked(server)
            return self._token

    async def _asked(self, server: str) -> str:
        if self._user is None or self._password_file is None:
            return ""
        password = await anyio.to_thread.run_sync(_password, self._password_file)
        if self._refusal is not None and self._refusal.counts(password):
            raise self._refusal.error()
        body = {"name": self._user, "password": password}
        try:
            answer = await self._http.ask(server, "/v3/auth/authenticate", body, "", LONG_SECONDS)
        except ServerError as error:
            if error.is_no_auth:
                return ""
            if error.is_wrong_login:
                self._refusal = _Refusal(str(error), error.code, error.said, hash(password), loop_time())
            elif _repeats(error.said, password):
                raise failures.odd(server, "it repeats what it was asked") from None
            raise
        self._refusal = None
        token = answer.get("token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise failures.odd(server, "a login without a token")
        return token


def _repeats(said: str, password: str) -> bool:
    """Whether a server's words have the password in them, as text or as JSON."""
    return any(" ".join(form.split()) in said for form in (password, json.dumps(password)[1:-1]))


def _password(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_PASSWORD_LIMIT + 1)
    except OSError as error:
        remedy = "put the password there, readable for hostwatch"
        raise ServerError(f"password_file: cannot read {path} ({error.strerror}); {remedy}") from error
    try:
        password = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        password = ""
    if not password or len(content) > _PASSWORD_LIMIT:
        raise ServerError(f"password_file: {path} holds no password; write it there, alone on one line")
    return password
