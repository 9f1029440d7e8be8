"""Follow: from `network connect` published to every subscriber's file right.

For 1, 10 and 100 subscribers and three ways of changing the address. A file may be right before the event is published:
the figure is negative then. The contenders take turns, in blocks of some rounds, so that what else the machine does
meets all of them.
"""

import os
import select
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from statistics import median

from asyncinotify import Inotify, Mask
from docker.models.containers import Container

from bench.contenders import FLOOR, HOSTWATCH, LISTER, Contender, exact, lab, running, wait_for
from bench.report import Answer, Row, Target, number, picked, ratio, spread
from tests.conftest import Lab

VERSION = "20.10"
ROUNDS = {1: 100, 10: 30, 100: 20}
"""The number of rounds for each number of subscribers."""
BLOCK = 10
LABELS = {"hostwatch.hosts": "@{db.ip} db"}
FOREVER = "exec sleep 1000000"
PATIENCE_SECONDS = 5.0
PERIOD_SECONDS = 0.75
"""Time between changes. hostwatch slows down for a service that changes all the time, which is another question."""
_LOOK_SECONDS = 0.02
"""Time between looks at the files. They are read once none has been written for this time."""
_FEW = 10
_PAUSE_SECONDS = 0.0002
"""With more than a few files, the watcher sleeps this long after each event: waking it costs the writer 30 µs."""
_EVENT = struct.Struct("iIII")
_ABOVE_ALL = 2
"""The watcher's real-time priority, above hostwatch's: it notes the time of a write, not the time of its own turn."""

ELSEWHERE: list[Row] = [
    {"contender": "docker-hoster", "way": "stop and start", "median_ms": 267.0},
    {"contender": "docker-etchosts", "way": "stop and start", "median_ms": 345.0},
    {"contender": "docker-gen", "way": "stop and start", "median_ms": 417.0},
    {"contender": "docker-hoster", "way": "reconnect", "median_ms": None},
    {"contender": "docker-etchosts", "way": "reconnect", "median_ms": None},
]
"""Figures of peers, measured by others on a machine like this, engine 20.10, one file; `None` if they never follow."""

Times = dict[tuple[str, int, str], list[float | None]]
"""Milliseconds of each round by way, subscribers and contender; `None` if the contender did not follow."""


class Service:
    """The database, and the ways to change its address. Each way returns the container that has it."""

    def __init__(self, made: Lab) -> None:
        self._lab, self._number = made, 0
        self.address = "10.123.200.1"
        self._db = made.run("db", FOREVER, self.address)
        # In this order a block begins its second and third way with a container that has not changed yet.
        self.ways: dict[str, Callable[[], Container]] = {
            "reconnect": self._reconnect,
            "recreate": self._recreate,
            "stop and start": self._stop_and_start,
        }

    def move_on(self) -> None:
        """Choose an address that the service has not had recently."""
        self._number += 1
        self.address = f"10.123.200.{1 + self._number % 250}"

    def _reconnect(self) -> Container:
        self._lab.network.disconnect(self._db)
        self._lab.network.connect(self._db, ipv4_address=self.address)
        return self._db

    def _stop_and_start(self) -> Container:
        self._db.stop()
        self._lab.network.disconnect(self._db)
        self._lab.network.connect(self._db, ipv4_address=self.address)
        self._db.start()
        return self._db

    def _recreate(self) -> Container:
        self._db.remove(force=True)
        self._db = self._lab.run("db", FOREVER, self.address)
        return self._db


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


def block(
    made: Lab, contender: Contender, subscribers: list[Container], service: Service
) -> Iterable[tuple[str, float | None]]:
    """Some rounds of each way, with the contender up and all files right at the start."""
    if not contender.is_peer:
        made.command("sync")  # the floor knows only files that are right
    with running(contender, made):
        paths = [contender.file(made)] if contender.is_peer else [made.hosts_path(web) for web in subscribers]
        wait_for(
            lambda: all(is_right(text_of(path), service.address) for path in paths),
            f"{contender.name}: all files right",
        )
        with closing(Watch(made, paths)) as watch:
            for way, change in service.ways.items():
                for _ in range(BLOCK):
                    begun = time.monotonic()
                    service.move_on()
                    yield way, watch.latency(change, service.address)
                    time.sleep(max(0.0, begun + PERIOD_SECONDS - time.monotonic()))


def measured(peers: list[Contender], quick: bool) -> tuple[Times, str]:
    """All rounds of all contenders, and the engine that they had."""
    times: Times = defaultdict(list)
    with lab(VERSION) as made:
        service, subscribers = Service(made), list[Container]()
        for count, rounds in ROUNDS.items():
            while len(subscribers) < count:
                subscribers.append(made.run(f"web-{len(subscribers)}", FOREVER, labels=LABELS))
            contenders = [HOSTWATCH, FLOOR, LISTER, *(peers if count == 1 else [])]
            for _ in range(1 if quick else rounds // BLOCK):
                for contender in contenders:
                    for way, took in block(made, contender, subscribers, service):
                        times[way, count, contender.name].append(took)
        return times, exact(made)


def asked(peers: list[Contender], quick: bool) -> Answer:
    """The figures, and those of peers that were measured elsewhere."""
    rows: list[Row] = []
    times, engine = measured(peers, quick)
    for way, count, contender in sorted(times):
        found = times[way, count, contender]
        followed = [took for took in found if took is not None]
        floor = [took for took in times[way, count, FLOOR.name] if took is not None]
        figures = spread(followed)
        row: Row = {"way": way, "subscribers": count, "contender": contender, "rounds": len(found)}
        row |= {"followed": len(followed), **figures}
        row["times_floor"] = ratio(figures["median_ms"], median(floor) if floor else None)
        rows.append(row | {"measured": "in this run"})
    elsewhere: list[Row] = [{**row, "subscribers": 1, "measured": "elsewhere"} for row in ELSEWHERE]
    notes = [
        f"{engine}; milliseconds after `network connect` was published, negative for before",
        "p99 of fewer than 100 rounds is the greatest of them; followed: in how many the files were right within 5 s",
        "hostwatch has taken the lowest real-time priority by itself, as it does wherever it may; the others have none",
        "measured elsewhere: by others on a machine like this, one file; - for what that tool never follows",
    ]
    return Answer(
        "Follow: how long after the new address is published every file is right",
        [*rows, *elsewhere],
        targets(rows),
        notes,
    )


def targets(rows: list[Row]) -> list[Target]:
    """The targets for hostwatch."""
    found = []
    for row in rows:
        if row["contender"] != HOSTWATCH.name:
            continue
        way, count, median_ms = str(row["way"]), row["subscribers"], number(row, "median_ms")
        floor = number(picked(rows, way=way, subscribers=count, contender=FLOOR.name), "median_ms") or 0.0
        if count == 1:
            found.append(Target(f"{way}, 1 subscriber: median (ms), 1.5 times the floor's", median_ms, 1.5 * floor))
        if count == 100:
            found.append(Target(f"{way}, 100 subscribers: median (ms)", median_ms, 10.0))
        if median_ms is not None:
            # A multiple of a median before or just after the event is no useful limit. Then the floor's median counts.
            base = max(median_ms, floor)
            found.append(Target(f"{way}, {count}: p99 (ms), 5 times the median", number(row, "p99_ms"), 5 * base))
        for other in [*rows, *ELSEWHERE] if count == 1 else []:
            theirs = number(other, "median_ms")
            is_peer = other["contender"] not in (HOSTWATCH.name, FLOOR.name, LISTER.name)
            if is_peer and other["way"] == way and theirs is not None:
                found.append(Target(f"{way}: median (ms), a 50th of {other['contender']}'s", median_ms, theirs / 50))
    return found
