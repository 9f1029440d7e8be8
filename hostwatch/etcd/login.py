"""The login at a store that knows users: a token, asked for when there is none, and anew when it is refused.

The password is read from its file at each login, and kept nowhere. A refused token must not be shown when a new one is
asked for: 3.4 would refuse that, too.
"""

from pathlib import Path

import anyio
import anyio.to_thread

from hostwatch.control.key_values import StoreAddress
from hostwatch.etcd import failures
from hostwatch.etcd.failures import ServerError
from hostwatch.etcd.http import LONG_SECONDS, Http

_PASSWORD_LIMIT = 4096
"""Bytes of a password's file: more is another file."""


class Login:
    """The token of one user."""

    def __init__(self, http: Http, address: StoreAddress) -> None:
        self._http = http
        self._user, self._password_file = address.user, address.password_file
        self._token: str | None = None
        """Empty: the store knows no users. `None`: not asked for yet."""
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
        body = {"name": self._user, "password": password}
        try:
            # The hash of a password takes a server some 70 ms on purpose.
            answer = await self._http.ask(server, "/v3/auth/authenticate", body, "", LONG_SECONDS)
        except ServerError as error:
            if error.is_no_auth:
                return ""
            raise
        token = answer.get("token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise failures.odd(server, "a login without a token")
        return token


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
