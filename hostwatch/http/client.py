"""Asks a running daemon at its control socket, for commands. It loads little, so that a command begins at once."""

import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from hostwatch.http.sockets import control_socket

_ANSWER_SECONDS = 10.0
"""Time for an answer. The longest takes a second; a daemon that hangs must not hang its commands."""
_SILENCE_SECONDS = 40.0
"""The longest silence of an event stream, which has a comment every 15 s."""


class NoDaemonError(Exception):
    """No daemon answers at the control socket. The message says why."""


class RefusedError(Exception):
    """The daemon answers that it has no such thing, or that the question makes no sense."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Event(NamedTuple):
    """An event of the daemon."""

    data: Any
    """A change, as in `history --json`; `None` if something else changed."""
    number: int | None = None
    """The number of the change."""


class Client:
    """A daemon, by its control socket."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __repr__(self) -> str:
        return f"<Client of {self.place}>"

    def get(self, path: str, query: Iterable[tuple[str, str]] = ()) -> Any:
        """The answer as JSON. Raises `NoDaemonError` and `RefusedError`."""
        status, text = self.text(path, query)
        if status != 200:
            raise RefusedError(status, text.strip())
        return json.loads(text)

    def text(self, path: str, query: Iterable[tuple[str, str]] = ()) -> tuple[int, str]:
        """The status and text of the answer. Raises `NoDaemonError`."""
        with closing(_Connection(self.place, _ANSWER_SECONDS)) as connection:
            try:
                answer = connection.asked(path, query)
                return answer.status, answer.read().decode()
            except (OSError, HTTPException) as error:
                raise NoDaemonError(_fault(self.place, error)) from error

    def events(self, last: int | None = None) -> Iterator[Event]:
        """The changes after number `last` as far as they are known, or those from now on, and other events.

        The first event has no data, and comes once no later change is missed. They end when the daemon ends. Raises
        `NoDaemonError` and `RefusedError`.
        """
        headers = {"Last-Event-ID": str(last)} if last is not None else {}
        with closing(_Connection(self.place, _SILENCE_SECONDS)) as connection:
            try:
                answer = connection.asked("/api/v1/events", (), headers)
                if answer.status != 200:
                    raise RefusedError(answer.status, answer.read().decode().strip())
            except (OSError, HTTPException) as error:
                raise NoDaemonError(_fault(self.place, error)) from error
            yield Event(None)
            yield from _events(answer)


def client_for(directory: Path, engine: str | None) -> Client | None:
    """The daemon that keeps the files of an engine; `None` if it has no control socket here.

    If the engine is not known, as while it is away: the only daemon there is.
    """
    if engine is not None:
        place = control_socket(directory, engine)
        return Client(place) if place.exists() else None
    found = [*directory.glob("*.sock")]
    return Client(found[0]) if len(found) == 1 else None


def path_of(*parts: str) -> str:
    """The path with these parts, of which some may be any text."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


class _Connection(HTTPConnection):
    """A connection to a socket in the file system."""

    def __init__(self, place: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._place = place

    def connect(self) -> None:
        """Called by the first request."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._place))

    def asked(self, path: str, query: Iterable[tuple[str, str]], headers: dict[str, str] | None = None) -> HTTPResponse:
        """The answer to a request."""
        parameters = urlencode([*query])
        self.request("GET", f"{path}?{parameters}" if parameters else path, headers=headers or {})
        return self.getresponse()


def _events(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events of a stream (text/event-stream, as `hostwatch.http.events` makes it)."""
    fields: dict[bytes, bytes] = {}
    try:
        for line in lines:
            name, _, value = line.rstrip(b"\n").partition(b": ")
            if name:
                fields[name] = value
                continue
            if b"id" in fields:
                yield Event(json.loads(fields[b"data"]), int(fields[b"id"]))
            elif b"data" in fields:
                yield Event(None)
            fields = {}
    except (OSError, HTTPException):
        pass  # the daemon is gone


def _fault(place: Path, error: Exception) -> str:
    match error:
        case PermissionError():
            return f"this user may not ask the daemon at {place}: run the command as root"
        case FileNotFoundError() | ConnectionRefusedError():
            return f"no daemon answers at {place}"
        case TimeoutError():
            return f"the daemon at {place} does not answer in time: `hostwatch doctor` tells who it is; restart it"
        case _:
            return f"the daemon at {place} has given no answer ({error})"
