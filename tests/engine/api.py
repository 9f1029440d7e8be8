"""The three requests that starting an engine needs."""

import http.client
import socket
from pathlib import Path

from tests.engine.machine import EngineError


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def answers(engine: Path) -> bool:
    """Whether the engine behind this socket is ready."""
    try:
        return _request(engine, "GET", "/_ping", timeout=2) == 200
    except (OSError, http.client.HTTPException):
        return False


def has_image(engine: Path, name: str) -> bool:
    return _request(engine, "GET", f"/images/{name}/json") == 200


def import_image(engine: Path, name: str, archive: Path) -> None:
    """Import an image, as `docker import` does."""
    repository, _, tag = name.partition(":")
    path = f"/images/create?fromSrc=-&repo={repository}&tag={tag}&changes=CMD%20%5B%22sh%22%5D"
    status = _request(engine, "POST", path, archive.read_bytes())
    if status != 200 or not has_image(engine, name):
        raise EngineError(f"the engine did not import {archive}: status {status}; see its log")


def _request(engine: Path, method: str, path: str, body: bytes | None = None, timeout: float = 60) -> int:
    connection = _UnixConnection(engine, timeout)
    try:
        connection.request(method, path, body, {"Content-Type": "application/x-tar"} if body else {})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()
