"""Follow: from `network connect` published to every file right.

For 1, 10 and 100 subscribers with one line by label, and for a file on the host with every name; for three ways of
changing the address. A file may be right before the event is published: the figure is negative then. The contenders
take turns, in blocks of some rounds, so that what else the machine does meets all of them.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from statistics import median

from docker.models.containers import Container

from bench.contenders import (
    FLOOR,
    HOSTWATCH,
    LISTER,
    Contender,
    beside,
    exact,
    lab,
    running,
    wait_for,
    with_host_file,
)
from bench.report import Answer, Row, Target, number, picked, ratio, spread
from bench.watch import Watch, is_right, text_of
from tests.conftest import Lab

VERSION = "20.10"
ROUNDS = {1: 100, 10: 30, 100: 20}
"""The number of rounds for each number of subscribers by label."""
ROUNDS_HOST_FILE = 30
IDLE = 19
"""How many containers run beside, with their names in the file on the host."""
BY_LABEL, HOST_FILE = "one line by label", "host file, 20 names"
BLOCK = 10
LABELS = {"hostwatch.hosts": "@{db.ip} db"}
FOREVER = "exec sleep 1000000"
PERIOD_SECONDS = 0.75
"""Time between changes. hostwatch slows down for a service that changes all the time, which is another question."""
ELSEWHERE: list[Row] = [
    {"contender": "docker-hoster", "way": "stop and start", "median_ms": 267.0},
    {"contender": "docker-etchosts", "way": "stop and start", "median_ms": 345.0},
    {"contender": "docker-gen", "way": "stop and start", "median_ms": 417.0},
    {"contender": "docker-hoster", "way": "reconnect", "median_ms": None},
    {"contender": "docker-etchosts", "way": "reconnect", "median_ms": None},
]
"""Figures of peers, measured by others on a machine like this, engine 20.10, one file; `None` if they never follow."""

Times = dict[tuple[str, str, int, str], list[float | None]]
"""Milliseconds of each round by file, way, subscribers and contender; `None` if the contender did not follow."""


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


def block(
    made: Lab, contender: Contender, paths: list[Path], service: Service, host_file: Path | None = None
) -> Iterable[tuple[str, float | None]]:
    """Some rounds of each way, with the contender up and all files right at the start."""
    if not contender.is_peer:  # the floor knows only files that are right
        made.command("sync", *(with_host_file(made, host_file) if host_file is not None else ()))
    with running(contender, made, host_file):
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


def by_label(made: Lab, service: Service, quick: bool, times: Times) -> None:
    """All rounds of all contenders, with more and more subscribers."""
    paths: list[Path] = []
    for count, rounds in ROUNDS.items():
        while len(paths) < count:
            paths.append(made.hosts_path(made.run(f"web-{len(paths)}", FOREVER, labels=LABELS)))
        for _ in range(1 if quick else rounds // BLOCK):
            for contender in (HOSTWATCH, FLOOR, LISTER):
                for way, took in block(made, contender, paths, service):
                    times[BY_LABEL, way, count, contender.name].append(took)


def host_file(made: Lab, service: Service, peers: list[Contender], quick: bool, times: Times) -> None:
    """All rounds of all contenders, for one file with every name. A peer keeps a file of its own."""
    hosts = made.directory / "etc" / "hosts"
    hosts.parent.mkdir()
    hosts.write_text("127.0.0.1\tlocalhost\n")
    for _ in range(1 if quick else ROUNDS_HOST_FILE // BLOCK):
        for contender in (HOSTWATCH, FLOOR, LISTER, *peers):
            path = contender.file(made) if contender.is_peer else hosts
            for way, took in block(made, contender, [path], service, hosts):
                times[HOST_FILE, way, 1, contender.name].append(took)


def measured(peers: list[Contender], quick: bool) -> tuple[Times, str]:
    """All rounds of all contenders, and the engine that they had."""
    times: Times = defaultdict(list)
    with lab(VERSION) as made:
        by_label(made, Service(made), quick, times)
    with lab(VERSION) as made, beside(made, IDLE):
        host_file(made, Service(made), peers, quick, times)
        return times, exact(made)


def asked(peers: list[Contender], quick: bool) -> Answer:
    """The figures, and those of peers that were measured elsewhere."""
    rows: list[Row] = []
    times, engine = measured(peers, quick)
    for file, way, count, contender in sorted(times):
        found = times[file, way, count, contender]
        followed = [took for took in found if took is not None]
        floor = [took for took in times[file, way, count, FLOOR.name] if took is not None]
        figures = spread(followed)
        row: Row = {"file": file, "way": way, "subscribers": count, "contender": contender, "rounds": len(found)}
        row |= {"followed": len(followed), **figures}
        row["times_floor"] = ratio(figures["median_ms"], median(floor) if floor else None)
        rows.append(row | {"measured": "in this run"})
    elsewhere: list[Row] = [{"file": BY_LABEL, **row, "subscribers": 1, "measured": "elsewhere"} for row in ELSEWHERE]
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
        file, way, count, median_ms = row["file"], str(row["way"]), row["subscribers"], number(row, "median_ms")
        floor = number(picked(rows, file=file, way=way, subscribers=count, contender=FLOOR.name), "median_ms") or 0.0
        what = f"{way}, {file}" if file == HOST_FILE else f"{way}, {count} by label"
        if file == HOST_FILE and way != "reconnect":
            found.append(Target(f"{what}: median (ms)", median_ms, 2.0))
        elif count == 1:
            found.append(Target(f"{what}: median (ms), 1.5 times the floor's", median_ms, 1.5 * floor))
        if count == 100:
            found.append(Target(f"{what}: median (ms)", median_ms, 10.0))
        if median_ms is not None:
            # A multiple of a median before or just after the event is no useful limit. Then the floor's median counts.
            base = max(median_ms, floor)
            found.append(Target(f"{what}: p99 (ms), 5 times the median", number(row, "p99_ms"), 5 * base))
        for other in [*rows, *ELSEWHERE] if count == 1 else []:
            theirs = number(other, "median_ms")
            is_peer = other["contender"] not in (HOSTWATCH.name, FLOOR.name, LISTER.name)
            if is_peer and other["way"] == way and other.get("file", file) == file and theirs is not None:
                found.append(Target(f"{what}: median (ms), a 50th of {other['contender']}'s", median_ms, theirs / 50))
    return found
