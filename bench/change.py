"""Change: the processor time that one change costs, beside containers that do nothing.

Four ways of a change, for a file with one line by label and for a file on the host with every name, beside 20 and 200
containers. It is counted from just before the change until two seconds after it, and until the contender has caught up,
with all threads. The kernel counts in nanoseconds (`/proc/PID/task/*/schedstat`).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from docker.models.containers import Container

from bench.contenders import FLOOR, HOSTWATCH, LISTER, Contender, beside, exact, lab, running, with_host_file
from bench.report import Answer, Row, Target, number, picked
from tests.conftest import Lab

VERSION = "20.10"
ROUNDS, ROUNDS_QUICK = 9, 2
LABELS = {"hostwatch.hosts": "@{db.ip} db"}
FOREVER = "exec sleep 1000000"
SETTLED_SECONDS = 2.3
"""How long after a change its work is counted: a name lingers for two seconds, which is the last thing that follows."""
QUIET_SECONDS, QUIET_MS = 0.3, 1.0
"""A contender has caught up once it takes less than that in such a time."""
IDLE_QUICK = 20
"""With more containers than that, their starts alone take minutes."""
WAYS = ("reconnect", "first start", "stop and start", "restart")


@dataclass(frozen=True)
class Case:
    """A file, and the containers beside."""

    file: str
    idle: int
    is_host_file: bool
    limit_ms: float
    """hostwatch's target for each way."""


CASES = (
    Case("one line by label, 20 idle", 20, is_host_file=False, limit_ms=4.0),
    Case("one line by label, 200 idle", 200, is_host_file=False, limit_ms=4.0),
    Case("host file, 20 names", 19, is_host_file=True, limit_ms=6.0),
    Case("host file, 200 names", 199, is_host_file=True, limit_ms=8.0),
)


def cpu_ms(pid: int) -> float:
    """The processor time of a process so far, in milliseconds."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e6


class Database:
    """A service, and the ways of changing it."""

    def __init__(self, made: Lab) -> None:
        self._lab, self._number = made, 0
        self.address = "10.123.200.1"
        self._db = made.run("db", FOREVER, self.address)
        self._changes = (self._reconnect, self._first_start, self._stop_and_start, self._restart)
        self.ways: dict[str, Callable[[], object]] = dict(zip(WAYS, self._changes, strict=True))

    def _reconnect(self) -> None:
        self._lab.network.disconnect(self._db)
        self._number += 1
        self.address = f"10.123.200.{1 + self._number % 250}"
        self._lab.network.connect(self._db, ipv4_address=self.address)

    def _first_start(self) -> Container:
        """A further container, which is left to `prepare` to remove."""
        return self._lab.run("another", FOREVER, labels={"hostwatch.names": "another.example"})

    def _stop_and_start(self) -> None:
        self._db.stop()
        self._db.start()

    def _restart(self) -> None:
        self._db.restart(timeout=0)

    def removed(self) -> bool:
        """Take away the further container of a first start; returns whether there was one."""
        further = self._lab.client.containers.list(all=True, filters={"name": "another"})
        for container in further:
            container.remove(force=True)
        return bool(further)


def caught_up(pid: int) -> float:
    """The processor time of a process so far, once all that follows from a change is over."""
    time.sleep(SETTLED_SECONDS)
    after = cpu_ms(pid)
    while (before := after) < (after := _a_moment_later(pid)) - QUIET_MS:
        pass
    return before


def _a_moment_later(pid: int) -> float:
    time.sleep(QUIET_SECONDS)
    return cpu_ms(pid)


def measured(
    made: Lab, contender: Contender, hosts: Path | None, database: Database, rounds: int
) -> Iterator[tuple[str, float]]:
    """Milliseconds of each round of each way."""
    made.command("sync", *(with_host_file(made, hosts) if hosts is not None else ()))  # the floor needs right files
    with running(contender, made, hosts) as pid:
        before = caught_up(pid)
        for way, change in database.ways.items():
            for _ in range(rounds):
                if database.removed():
                    before = caught_up(pid)
                change()
                after = caught_up(pid)
                yield way, after - before
                before = after


def of_case(case: Case, rounds: int) -> tuple[list[Row], str]:
    """The figures of a case, and the engine that they are from."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with lab(VERSION) as made, beside(made, case.idle):
        database, hosts = Database(made), made.directory / "hosts" if case.is_host_file else None
        if hosts is not None:
            hosts.write_text("127.0.0.1\tlocalhost\n")
        else:
            made.run("web", FOREVER, labels=LABELS)
        for contender in (HOSTWATCH, FLOOR, LISTER):
            for way, took in measured(made, contender, hosts, database, rounds):
                found[way, contender.name].append(took)
        rows: list[Row] = [
            {
                "file": case.file,
                "way": way,
                "contender": contender,
                "rounds": len(times),
                "cpu_ms": round(median(times), 1),
                "most_ms": round(max(times), 1),
            }
            for (way, contender), times in sorted(found.items())
        ]
        return rows, exact(made)


def asked(quick: bool) -> Answer:
    """The figures of each case, way and contender."""
    rows, targets, engine = list[Row](), list[Target](), ""
    for case in CASES if not quick else [case for case in CASES if case.idle <= IDLE_QUICK]:
        found, engine = of_case(case, ROUNDS_QUICK if quick else ROUNDS)
        rows += found
        for way in WAYS:
            figure = number(picked(found, way=way, contender=HOSTWATCH.name), "cpu_ms")
            targets.append(Target(f"{case.file}, {way}: CPU (ms)", figure, case.limit_ms))
    notes = [f"{engine}; all threads, until two seconds after the change, or until no more follows"]
    return Answer("Change: the processor time of one change", rows, targets, notes)
