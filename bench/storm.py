"""Storm: 150 containers come, are killed and go, eight at a time; three others request every name.

The same with 100 containers and a file on the host that gets every name.

The contenders are hostwatch and a script that lists and inspects everything at each event, as docker-gen does. The
engine's own cost of the storm is measured without any contender.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from bench.contenders import HOSTWATCH, LISTER, BenchError, Contender, exact, lab, running
from bench.report import Answer, Row, Target, number, picked, ratio
from tests.conftest import Lab
from tests.proxy import Proxy, proxied
from tests.usage import usage

VERSION = "28.5"
CONTAINERS, CONTAINERS_QUICK = 150, 20
CONTAINERS_HOST_FILE = 100
BY_LABEL, HOST_FILE = "three by label", "one on the host"
AT_ONCE = 8
WATCHERS = 3
FOREVER = "exec sleep 1000000"
EVERYTHING = {"hostwatch.services": "*"}
WANTS_DB = {"hostwatch.hosts": "@{db.ip} db"}
ACTIONS = ["create", "start", "die", "destroy", "rename", "connect", "disconnect"]
PATIENCE_SECONDS = 900.0
QUIET_SECONDS = 3.0
NOBODY = Contender("nobody")


@dataclass
class Record:
    """The engine's events of changes, as they come."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def settled(self) -> float:
        """The time of the last event (seconds since the epoch), once no more come."""
        while True:
            before = len(self.events)
            time.sleep(0.3)
            if len(self.events) == before:
                return int(self.events[-1]["timeNano"]) / 1e9


@contextmanager
def recorded(made: Lab) -> Iterator[Record]:
    """The events from now on."""
    record = Record()
    with closing(docker.APIClient(base_url=made.engine.docker_host, timeout=600)) as client:
        stream = client.events(filters={"type": ["container", "network"], "event": ACTIONS}, decode=True)
        thread = threading.Thread(target=lambda: record.events.extend(stream))
        thread.start()
        try:
            yield record
        finally:
            stream.close()
            thread.join()


def asked(quick: bool) -> Answer:
    """The figures of each contender, also as multiples of hostwatch's."""
    count = CONTAINERS_QUICK if quick else CONTAINERS
    rows: list[Row] = []
    for contender in (NOBODY, HOSTWATCH, LISTER):
        with lab(VERSION) as made:
            engine = exact(made)
            files = [made.hosts_path(made.run(f"watcher-{n}", FOREVER, labels=EVERYTHING)) for n in range(WATCHERS)]
            figures = measured(made, contender, files, count)
            rows.append({"files": BY_LABEL, "contender": contender.name, "containers": count, **figures})
    alone, ours = (number(picked(rows, contender=name), "engine_cpu_s") or 0.0 for name in ("nobody", "hostwatch"))
    for row in rows:
        row["engine_cpu_more_s"] = round((number(row, "engine_cpu_s") or 0.0) - alone, 2)
        row["times_hostwatch_cpu"] = ratio(number(row, "cpu_s"), number(picked(rows, contender="hostwatch"), "cpu_s"))
    rows += [of_host_file(contender, min(count, CONTAINERS_HOST_FILE)) for contender in (HOSTWATCH, LISTER)]
    lister, hostwatch = picked(rows, contender="lister"), picked(rows, contender="hostwatch")
    fifteenth = (number(lister, "cpu_s") or 0.0) / 15
    targets = [
        Target("CPU (s), a fifteenth of the list-everything way's", number(hostwatch, "cpu_s"), fifteenth),
        Target("requests per event", number(hostwatch, "requests_per_event"), 1.2),
        Target(f"{HOST_FILE}: CPU (s)", number(picked(rows, files=HOST_FILE, contender="hostwatch"), "cpu_s"), 0.5),
    ]
    notes = [
        f"{engine}, through a recording proxy; {AT_ONCE} containers at a time",
        "cpu, requests: until no more are made, as whoever works on each event falls behind",
        "right after: from the last event until the files with every name have all, or none; a name lingers 2 s",
        "engine cpu is dockerd's, more than with nobody: what the contender has it do",
    ]
    if ours < alone:
        notes.append("the engine's own share varies more than what hostwatch adds to it")
    return Answer(f"Storm: {count} containers up and down", rows, targets, notes)


def of_host_file(contender: Contender, count: int) -> Row:
    """A storm that ends in a file on the host."""
    with lab(VERSION) as made:
        hosts = made.directory / "hosts"
        hosts.write_text("127.0.0.1\tlocalhost\n")
        figures = measured(made, contender, [hosts], count, hosts)
        return {"files": HOST_FILE, "contender": contender.name, "containers": count, **figures}


def measured(made: Lab, contender: Contender, files: list[Path], count: int, host_file: Path | None = None) -> Row:
    """One storm, until these files have all names and then none."""
    daemon = made.engine.daemon
    if daemon is None:
        raise BenchError(f"engine {VERSION} does not run")
    with ExitStack() as stack:
        record = stack.enter_context(recorded(made))
        proxy = stack.enter_context(proxied(made.engine.socket, made.directory / "proxy.sock"))
        made.environ["DOCKER_HOST"] = proxy.host
        pid = stack.enter_context(running(contender, made, host_file)) if contender != NOBODY else None
        time.sleep(2)  # what a start needs is another question
        proxy.requests.clear()
        cpu, engine = usage(pid).cpu_seconds if pid else 0.0, usage(daemon.pid).cpu_seconds
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        begun = time.monotonic()

        def right(names: set[str], wanted: bool) -> Callable[[], bool]:
            return lambda: all(names & names_in(path) == (names if wanted else set()) for path in files)

        started: list[Container] = list(pool.map(lambda n: made.run(f"one-{n}", labels=WANTS_DB), range(count)))
        names = {str(container.name) for container in started}
        up = late_ms(record, files, right(names, True)) if pid else None
        quiet(proxy)
        list(pool.map(lambda container: container.kill(), started))
        down = late_ms(record, files, right(names, False)) if pid else None
        quiet(proxy)
        list(pool.map(lambda container: container.remove(), started))
        record.settled()
        quiet(proxy)
        requests = asked_for(proxy)
        return {
            "seconds": round(time.monotonic() - begun, 1),
            "events": len(record.events),
            "cpu_s": round(usage(pid).cpu_seconds - cpu, 2) if pid else None,
            "requests": len(requests),
            "requests_per_event": round(len(requests) / len(record.events), 2),
            "engine_cpu_s": round(usage(daemon.pid).cpu_seconds - engine, 2),
            "up_right_after_ms": up,
            "down_right_after_ms": down,
        }


def asked_for(proxy: Proxy) -> list[str]:
    """The requests for containers and networks, without pings and streams."""
    return [request for request in proxy.requests if not re.search(r"/(_ping|info|version)$|/events", request)]


def quiet(proxy: Proxy) -> None:
    """Wait until the engine gets no more requests, as a contender that works on each event may be far behind."""
    deadline, before = time.monotonic() + PATIENCE_SECONDS, -1
    while len(asked_for(proxy)) != before:
        if time.monotonic() > deadline:
            raise BenchError(f"requests are still made {PATIENCE_SECONDS:.0f} s after the storm")
        before = len(asked_for(proxy))
        time.sleep(QUIET_SECONDS)


def names_in(path: Path) -> set[str]:
    """The first name of each line of a hosts file."""
    lines = (line.split() for line in path.read_text().splitlines() if not line.startswith("#"))
    return {line[1] for line in lines if len(line) > 1}


def late_ms(record: Record, files: list[Path], right: Callable[[], bool]) -> float:
    """The time from the last event until the last file was right, by the time of its last write."""
    last = record.settled()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not right():
        if time.monotonic() > deadline:
            raise BenchError(f"the files are not right after {PATIENCE_SECONDS:.0f} s")
        time.sleep(0.05)
    written = max(path.stat().st_mtime_ns for path in files) / 1e9
    return round(1000 * (written - last), 1)
