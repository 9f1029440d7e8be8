"""A recording proxy between hostwatch and a real engine, on a socket: it passes requests on, or injects faults."""

import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from io import BufferedReader
from pathlib import Path

Rule = Callable[[str], bool]
"""Whether a request, given as `METHOD PATH`, is meant."""


@dataclass
class Proxy:
    """The requests between hostwatch and the engine, and the injected faults."""

    path: Path
    engine: Path
    requests: list[str] = field(default_factory=list)
    """Every request so far, as `METHOD PATH`."""
    held: list[str] = field(default_factory=list)
    """The requests that were held up."""
    hold: re.Pattern[str] | None = None
    """Requests that match get no answer until `release`."""
    refuse: re.Pattern[str] | None = None
    """Requests that match are answered with a 500."""
    drop: re.Pattern[bytes] | None = None
    """Lines of the event stream that match are lost."""
    garble: Callable[[bytes], bytes] | None = None
    """Changes a line of the event stream, a chunk of HTTP with its length before it."""
    upset: Callable[[], Sequence[float]] | None = None
    """Says for each line of the event stream after how many seconds it is passed on: once, several times, or never."""
    _released: threading.Event = field(default_factory=threading.Event)
    _frozen: re.Pattern[str] | None = None
    _thawed: threading.Event = field(default_factory=threading.Event)
    _open: dict[socket.socket, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """The URL that hostwatch is to use."""
        return f"unix://{self.path}"

    def release(self) -> None:
        """Answer the requests that were held up, and hold no more."""
        self.hold = None
        self._released.set()

    def freeze(self, rule: str = "") -> None:
        """Pass no more bytes of answers to requests that match, and keep their connections."""
        self._thawed.clear()
        self._frozen = re.compile(rule)

    def thaw(self) -> None:
        """Pass all bytes on again, including those that were kept back."""
        self._frozen = None
        self._thawed.set()

    def cut(self, rule: str = "") -> None:
        """Close every connection of requests that match that is open now, the event stream among them."""
        for connection, request in list(self._open.items()):
            if re.search(rule, request):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def serve(self, client: socket.socket) -> None:
        """One request and its answer; the connection is closed after it."""
        self._open[client] = ""
        try:
            head = _head(client)
            request = " ".join(head.decode("latin-1").split("\r\n", 1)[0].split(" ")[:2])
            if not head:  # a connection that was closed before its request
                return
            self.requests.append(request)
            self._open[client] = request
            if self.hold is not None and self.hold.search(request):
                self.held.append(request)
                self._released.wait()
            if self.refuse is not None and self.refuse.search(request):
                client.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                self._pass_on(client, head, request)
        finally:
            self._open.pop(client, None)

    def _pass_on(self, client: socket.socket, head: bytes, request: str) -> None:
        with socket.socket(socket.AF_UNIX) as upstream, upstream.makefile("rb") as answer:
            upstream.connect(str(self.engine))
            self._open[upstream] = request
            lines = _Lines(client)
            try:
                upstream.sendall(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                for piece in _events(answer) if "/events" in request else _bytes(answer):
                    while self._frozen is not None and self._frozen.search(request):
                        self._thawed.wait()
                    if isinstance(piece, _Event):
                        self._tell(lines, piece)
                    else:
                        lines.send(piece)
            finally:
                self._open.pop(upstream, None)

    def _tell(self, lines: "_Lines", event: bytes) -> None:
        if self.drop is not None and self.drop.search(event):
            return
        told = self.garble(event) if self.garble is not None else event
        for seconds in self.upset() if self.upset is not None else (0.0,):
            if seconds:
                threading.Timer(seconds, lines.send_late, (told,)).start()
            else:
                lines.send(told)


class _Event(bytes):
    """A line of the event stream, as the chunk of HTTP in which an engine sends it by itself."""

    __slots__ = ()


def _bytes(answer: BufferedReader) -> Iterator[bytes]:
    """An answer, as it comes."""
    return iter(partial(answer.read1, 65536), b"")


def _events(answer: BufferedReader) -> Iterator[bytes]:
    """The head of an answer, then each of its chunks, whole and by itself, even if several come at once."""
    head = b""
    while (line := answer.readline()) not in (b"", b"\r\n"):
        head += line
    yield head + line
    if b"\ntransfer-encoding: chunked\r\n" not in head.lower():
        yield from _bytes(answer)
        return
    while size := answer.readline():
        chunk = size + answer.read(int(size, 16) + len(b"\r\n"))
        yield _Event(chunk) if int(size, 16) else chunk


class _Lines:
    """A client that gets each line as a whole, although several threads send."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._lock = threading.Lock()

    def send(self, line: bytes) -> None:
        """Send it."""
        with self._lock:
            self._client.sendall(line)

    def send_late(self, line: bytes) -> None:
        """Send it, unless the connection is closed."""
        with suppress(OSError):
            self.send(line)


def _head(client: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = client.recv(65536)
        if not piece:
            break
        head += piece
    return head


class _Handler(socketserver.BaseRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        with suppress(OSError):
            self.server.proxy.serve(self.request)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(str(proxy.path), _Handler)
        self.proxy = proxy


@contextmanager
def proxied(engine: Path, path: Path) -> Iterator[Proxy]:
    """A proxy at `path` for the engine's socket."""
    proxy = Proxy(path, engine)
    with _Server(proxy) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.release()
            proxy.thaw()
            server.shutdown()
            proxy.cut()
            thread.join()
            path.unlink()
