"""Serves the page's own files with a state that a test chooses: for states that no engine of a test can have.

It answers as the daemon does, with the same policy, and tells no more of a subscriber than the test says.
"""

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

FILES = Path(__file__).resolve().parent.parent.parent / "hostwatch/http/page"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"

Json = dict[str, Any]


@dataclass
class Told:
    """What the server tells."""

    state: Json
    why: Json = field(default_factory=dict)
    """By the subscriber's id."""
    changes: list[Json] = field(default_factory=list)
    blocks: list[Json] = field(default_factory=list)
    """Those of any moment."""
    url: str = ""
    _streams: list["queue.Queue[str | None]"] = field(default_factory=list)

    def tell(self, change: Json) -> None:
        """A change, to all pages."""
        self.changes.append(change)
        for stream in self._streams:
            stream.put(f"id: {change['id']}\ndata: {json.dumps(change)}\n\n")

    def standing(self) -> None:
        """That something else changed."""
        for stream in self._streams:
            stream.put("event: standing\ndata: {}\n\n")

    def cut(self) -> None:
        """End all event streams."""
        for stream in self._streams:
            stream.put(None)

    @contextmanager
    def stream(self) -> Iterator["queue.Queue[str | None]"]:
        """The events of one page."""
        made: queue.Queue[str | None] = queue.Queue()
        self._streams.append(made)
        try:
            yield made
        finally:
            self._streams.remove(made)

    def answer(self, path: str, query: Mapping[str, list[str]]) -> Json | None:
        """The answer to a request, but for the events."""
        match path.removeprefix("/api/v1/").split("/"):
            case ["state"]:
                wanted = query.get("subscriber")
                found = [each for each in self.state["subscribers"] if not wanted or each["id"] in wanted]
                return self.state | {"subscribers": found}
            case ["why", subscriber]:
                return self.why.get(subscriber)
            case ["history"]:
                return {"at": query["at"][0], "blocks": self.blocks} if "at" in query else {"changes": self.changes}
        return None


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer."""
        split = urlsplit(self.path)
        file = FILES / ("index.html" if split.path == "/" else split.path.removeprefix("/page/"))
        if split.path == "/api/v1/events":
            self._stream()
        elif file.is_file():
            self._send(200, file.read_bytes(), _TYPES[file.suffix])
        elif (found := self.server.told.answer(split.path, parse_qs(split.query))) is not None:
            self._send(200, json.dumps(found).encode(), "application/json")
        else:
            self._send(404, b'{"error": "there is no such thing"}', "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()
        with self.server.told.stream() as stream:
            while (text := stream.get()) is not None:
                self.wfile.write(text.encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    told: Told


@contextmanager
def served(told: Told) -> Iterator[Told]:
    """The page, at `told.url`."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.told = told
        told.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield told
        finally:
            told.cut()
            server.shutdown()
            thread.join()
