"""The watch of the follow bench: notes when files are written, and when the engine publishes a connection."""

import os
import select
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from asyncinotify import Inotify, Mask
from docker.models.containers import Container

from tests.conftest import Lab

PATIENCE_SECONDS = 5.0
_LOOK_SECONDS = 0.02
"""Time between looks at the files. They are read once none has been written for this time."""
_FEW = 10
_PAUSE_SECONDS = 0.0002
"""With more than a few files, the watcher sleeps this long after each event: waking it costs the writer 30 µs."""
_EVENT = struct.Struct("iIII")
_ABOVE_ALL = 2
"""The watcher's real-time priority, above hostwatch's: it notes the time of a write, not the time of its own turn."""


def is_right(text: str, address: str) -> bool:
    """Whether a hosts file with this text gives `db` this address, and no other."""
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    # Some tools add their own domain to each name.
    return {line[0] for line in lines if any(name.partition(".")[0] == "db" for name in line[1:])} == {address}


def text_of(path: Path) -> str:
    """The file's text; empty while the file is being replaced."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


class Watch:
    """Notes the time of the last write of each file, and of the engine's event of each connection.

    The files are not read before all is quiet, because an open file would keep its writer waiting. The kernel's events
    are only kept with the time, and parsed afterwards, because parsing takes longer than a contender needs for a file.
    """

    def __init__(self, made: Lab, paths: Iterable[Path]) -> None:
        self._paths = frozenset(paths)
        self._published: dict[str, float] = {}
        self._told: list[tuple[float, bytes]] = []
        self._ended = threading.Event()
        self._events = made.client.events(decode=True, filters={"type": "network", "event": "connect"})
        self._inotify = Inotify()
        places = [self._inotify.add_watch(path.parent, Mask.MODIFY | Mask.MOVED_TO) for path in self._paths]
        self._places = {watch.wd: watch.path for watch in places}
        self._threads = [threading.Thread(target=follow) for follow in (self._follow_events, self._follow_files)]
        for thread in self._threads:
            thread.start()

    def _follow_events(self) -> None:
        for event in self._events:
            self._published[event["Actor"]["Attributes"]["container"]] = event["timeNano"] / 1e9

    def _follow_files(self) -> None:
        # On one processor, so that the contender stays on another one and is not moved from one to the next.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_ABOVE_ALL))
        while not self._ended.is_set():
            if len(self._paths) > _FEW:
                time.sleep(_PAUSE_SECONDS)
            if select.select([self._inotify.fd], [], [], 0.2)[0]:
                now = time.time()
                self._told.append((now, os.read(self._inotify.fd, 1 << 16)))

    def latency(self, change: Callable[[], Container], address: str) -> float | None:
        """Milliseconds from the connection's publication until the last file was right; `None` if it never was."""
        self._published.clear()
        self._told.clear()
        identity = str(change().id)
        until = time.monotonic() + PATIENCE_SECONDS
        while identity not in self._published or not self._is_quiet() or (right := self._right_since(address)) is None:
            if time.monotonic() > until:
                return None
            time.sleep(_LOOK_SECONDS)
        return 1000 * (right - self._published[identity])

    def _is_quiet(self) -> bool:
        """Whether no file has been written for a moment."""
        return bool(self._told) and time.time() > self._told[-1][0] + _LOOK_SECONDS

    def _right_since(self, address: str) -> float | None:
        """The time of the last write of any file, if all files are right; `None` while one is not."""
        written = {path: when for when, told in self._told for path in self._written(told) if path in self._paths}
        if len(written) < len(self._paths) or not all(is_right(text_of(path), address) for path in self._paths):
            return None
        return max(written.values())

    def _written(self, told: bytes) -> Iterator[Path]:
        """The files in some events of the kernel (inotify(7))."""
        while told:
            wd, _, _, length = _EVENT.unpack_from(told)
            end = _EVENT.size + length
            yield self._places[wd] / told[_EVENT.size : end].rstrip(b"\0").decode()
            told = told[end:]

    def close(self) -> None:
        """Stop watching."""
        self._ended.set()
        self._events.close()
        for thread in self._threads:
            thread.join()
        self._inotify.close()
