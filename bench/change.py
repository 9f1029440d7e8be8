"""Change: the processor time that one change costs, beside containers that do nothing.

Four ways of a change, for a file that asks for one name by its label, and for a file on the host that asks for every
name. It is counted from just before the change until two seconds after it, with all threads; the kernel counts in
nanoseconds (`/proc/PID/task/*/schedstat`).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from docker.models.containers import Container

from bench.contenders import FLOOR, HOSTWATCH, LISTER, Contender, exact, lab, running
from bench.report import Answer, Row, Target, number
from tests.conftest import Lab

VERSION = "20.10"
ROUNDS, ROUNDS_QUICK = 9, 3
IDLE = 20
"""How many containers run beside."""
LABELS = {"hostwatch.hosts": "@{db.ip} db"}
FOREVER = "exec sleep 1000000"
SETTLED_SECONDS = 2.0
"""How long after a change its work is counted: a name lingers for two seconds, which is the last thing that follows."""
LIMITS_MS = {"one line by label": 4.0, "host file, 20 names": 6.0, "host file, 200 names": 8.0}


@dataclass(frozen=True)
class Case:
    """A file, and how many names there are."""

    name: str
    names_each: int
    """How many names each idle container has, besides its own."""
    is_host_file: bool


CASES = (
    Case("one line by label", 0, is_host_file=False),
    Case("host file, 20 names", 0, is_host_file=True),
    Case("host file, 200 names", 9, is_host_file=True),
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
        self._db = made.run("db", FOREVER)
        self.ways: dict[str, Callable[[], object]] = {
            "reconnect": self._reconnect,
            "first start": self._first_start,
            "stop and start": self._stop_and_start,
            "restart": self._restart,
        }

    def _reconnect(self) -> None:
        self._lab.network.disconnect(self._db)
        self._number += 1
        self._lab.network.connect(self._db, ipv4_address=f"10.123.200.{1 + self._number % 250}")

    def _first_start(self) -> Container:
        """A further container, which is left to `prepare` to remove."""
        return self._lab.run("another", FOREVER, labels={"hostwatch.names": "another.example"})

    def _stop_and_start(self) -> None:
        self._db.stop()
        self._db.start()

    def _restart(self) -> None:
        self._db.restart(timeout=0)

    def prepare(self) -> None:
        """Take away what a round has left."""
        for container in self._lab.client.containers.list(all=True, filters={"name": "another"}):
            container.remove(force=True)


def measured(made: Lab, contender: Contender, case: Case, rounds: int) -> Iterator[tuple[str, float]]:
    """Milliseconds of each round of each way."""
    hosts, arguments = made.directory / "hosts", list[str]()
    if case.is_host_file:
        hosts.write_text("127.0.0.1\tlocalhost\n")
        arguments = ["-c", made.configured(f'subscribers: {{host: {{file: {hosts}, services: "*"}}}}')]
    database = Database(made)
    if not case.is_host_file:
        made.run("web", FOREVER, labels=LABELS)
        made.command("sync")  # the floor knows only files that are right
    with running(contender, made, *arguments) as pid:
        time.sleep(SETTLED_SECONDS)
        for way, change in database.ways.items():
            for _ in range(rounds):
                database.prepare()
                time.sleep(SETTLED_SECONDS)
                before = cpu_ms(pid)
                change()
                time.sleep(SETTLED_SECONDS + 0.3)
                yield way, cpu_ms(pid) - before


def asked(quick: bool) -> Answer:
    """The figures of each case, way and contender."""
    rows, targets, rounds = list[Row](), list[Target](), ROUNDS_QUICK if quick else ROUNDS
    for case in CASES:
        for contender in (HOSTWATCH,) if case.is_host_file else (HOSTWATCH, FLOOR, LISTER):
            with lab(VERSION) as made:
                engine = exact(made)
                for place in range(IDLE - 1):
                    names = ",".join(f"n{place}-{one}.example" for one in range(case.names_each))
                    made.run(f"idle-{place}", FOREVER, labels={"hostwatch.names": names} if names else {})
                times: dict[str, list[float]] = {}
                for way, took in measured(made, contender, case, rounds):
                    times.setdefault(way, []).append(took)
            for way, found in times.items():
                rows.append(
                    {
                        "file": case.name,
                        "way": way,
                        "contender": contender.name,
                        "rounds": len(found),
                        "cpu_ms": round(median(found), 1),
                        "most_ms": round(max(found), 1),
                    }
                )
    for row in rows:
        if row["contender"] == HOSTWATCH.name:
            limit = LIMITS_MS[str(row["file"])]
            targets.append(Target(f"{row['file']}, {row['way']}: CPU (ms)", number(row, "cpu_ms"), limit))
    notes = [f"{engine}, {IDLE} idle containers beside; all threads, until two seconds after the change"]
    return Answer("Change: the processor time of one change", rows, targets, notes)
