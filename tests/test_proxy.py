"""The proxy of the tests: its rules apply to each event by itself, in any chunks of bytes."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.proxy import proxied

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = [b'6\r\n{"a"}\n\r\n', b'7\r\n{"bc"}\n\r\n', b'5\r\n{"d}\n\r\n']
END = b"0\r\n\r\n"


@pytest.fixture(params=[1, 5, 1000])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """The socket of an engine that answers once, with some events in pieces of this length."""
    answer = HEAD + b"".join(EVENTS) + END
    pieces = [answer[begin : begin + request.param] for begin in range(0, len(answer), request.param)]

    def serve() -> None:
        with closing(listener.accept()[0]) as connection:
            connection.recv(65536)
            for piece in pieces:
                connection.sendall(piece)

    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield path
        thread.join()


def test_each_event_is_met_by_itself(engine: Path, tmp_path: Path) -> None:
    """In pieces, or several at once: one event is lost, and the rule changes each other one by itself."""
    met: list[bytes] = []

    def garbled(event: bytes) -> bytes:
        met.append(event)
        return event.upper()

    with proxied(engine, tmp_path / "proxy.sock") as proxy, socket.socket(socket.AF_UNIX) as client:
        proxy.drop, proxy.garble = re.compile(b"bc"), garbled
        client.connect(str(proxy.path))
        client.sendall(b"GET /events HTTP/1.1\r\nHost: engine\r\n\r\n")
        found = b"".join(iter(lambda: client.recv(65536), b""))
    assert met == [EVENTS[0], EVENTS[2]]
    assert found == HEAD + EVENTS[0].upper() + EVENTS[2].upper() + END
