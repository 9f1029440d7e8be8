"""Readers: the cost of a look-up in a container, in its hosts file and at the engine's DNS, and the texts they read.

The containers have a Debian image with Python, so glibc makes the look-ups. While addresses change, a container that
only reads its file counts the empty texts, and the texts with a line that is neither old nor new.
"""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from bench.contenders import HOSTWATCH, LISTER, BenchError, Contender, exact, lab, running, wait_for
from bench.report import Answer, Row, Target, number, picked, ratio
from bench.watch import is_right, text_of
from tests.conftest import Lab
from tests.image import BASE, import_base

VERSION = "28.5"
LINES = (10, 100, 1000)
LOOKUPS, LOOKUPS_QUICK = 20_000, 2_000
CHANGES, CHANGES_QUICK = 1_000, 50
SERVICES = 5
"""Services that change in turn, because hostwatch slows down for one that changes all the time."""
ADDRESS = "10.123.200.1"
READER = Path(__file__).with_name("reader.py")


def asked(quick: bool) -> Answer:
    """Look-ups by the length of the file, and reads by the file's writer."""
    changes = CHANGES_QUICK if quick else CHANGES
    with lab(VERSION) as made:
        import_base(made.client)
        engine = exact(made)
        rows = lookups(made, LOOKUPS_QUICK if quick else LOOKUPS)
        rows += [reads(made, contender, changes) for contender in (HOSTWATCH, LISTER)]
    dns = picked(rows, what="lookup at the engine's DNS")
    for row in rows:
        row["times_dns"] = ratio(number(row, "per_second"), number(dns, "per_second"))
    ours = picked(rows, what="reads while hostwatch writes")
    targets = [Target(f"{kind} reads", number(ours, kind), 0) for kind in ("empty", "torn")]
    notes = [
        f"{engine}; lookups: getaddrinfo of glibc, from Python in a container, the name in the last line",
        f"reads: a process in the container that only reads its file, through {changes} changes of addresses",
    ]
    return Answer("Readers: lookups in the file and at the engine's DNS, and what a reader sees", rows, targets, notes)


def lookups(made: Lab, count: int) -> list[Row]:
    """Look-ups a second, and the time of one, by the number of lines in the file, and at the engine's DNS."""
    rows: list[Row] = []
    db = made.run("db", "exec sleep 1000000", ADDRESS)
    own = len(made.hosts(db).splitlines())
    with running(HOSTWATCH, made):
        for lines in LINES:
            filling = [f"192.0.2.{1 + n % 250} other-{n}" for n in range(lines - own - 3)]  # two marks, and `db`
            web = with_python(made, f"web-{lines}", {"hostwatch.hosts": "\n".join([*filling, "@{db.ip} db"])})
            wait_for(partial(_knows_db, made.hosts_path(web)), "a subscriber knows db")
            rows.append(
                {"what": f"lookup in a file of {len(made.hosts(web).splitlines()):,} lines", **looked_up(web, count)}
            )
            web.remove(force=True)
    stranger = with_python(made, "stranger", {})
    rows.append({"what": "lookup at the engine's DNS", **looked_up(stranger, count // 5)})
    stranger.remove(force=True)
    db.remove(force=True)
    return rows


def _knows_db(hosts: Path) -> bool:
    return is_right(text_of(hosts), ADDRESS)


def with_python(made: Lab, name: str, labels: dict[str, str]) -> Container:
    """A container that can run the reader."""
    mounts = {str(READER): {"bind": "/reader.py", "mode": "ro"}}
    settings: dict[str, Any] = {"network": made.network.name, "labels": labels, "volumes": mounts}
    container = made.client.containers.create(
        BASE, ["python3", "-c", "import time; time.sleep(1e9)"], name=name, **settings
    )
    container.start()
    return container


def looked_up(container: Container, count: int) -> Row:
    """The figures of the container's look-ups."""
    return run_reader(container, "lookups", "db", str(count), ADDRESS)


def reads(made: Lab, contender: Contender, changes: int) -> Row:
    """The texts that a process sees that reads its file all the time, while the contender keeps it."""
    names = [f"db-{n}" for n in range(SERVICES)]
    services = [made.run(name, "exec sleep 1000000", f"10.123.200.{1 + n}") for n, name in enumerate(names)]
    web = with_python(made, f"read-{contender.name}", {"hostwatch.services": "*"})
    addresses = [f"10.123.{201 + n // 100}.{1 + n % 100 * 2}" for n in range(changes)]
    with running(contender, made):
        wait_for(lambda: made.records(web).keys() >= set(names), f"{contender.name}: the file is right")
        with reading(web, addresses) as found:
            for n, address in enumerate(addresses):
                service, name = services[n % SERVICES], names[n % SERVICES]
                made.network.disconnect(service)
                made.network.connect(service, ipv4_address=address)
                wait_for(partial(is_at, made, web, name, address), f"{contender.name}: {name} is at {address}")
    for container in (web, *services):
        container.remove(force=True)
    return {"what": f"reads while {contender.name} writes", "changes": changes, **found.result()}


def is_at(made: Lab, web: Container, name: str, address: str) -> bool:
    """Whether the container's file gives the name this address."""
    return made.records(web).get(name) == [address]


@contextmanager
def reading(web: Container, addresses: list[str]) -> Iterator[Future[Row]]:
    """Have the container read its file all the time. The result is there at the end."""
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(run_reader, web, "reads", "/etc/hosts", json.dumps(addresses))
        try:
            yield found
        finally:
            web.exec_run(["python3", "-c", "open('/tmp/over', 'w')"])


def run_reader(container: Container, *arguments: str) -> Row:
    """The output of the reader in the container."""
    status, output = container.exec_run(["python3", "/reader.py", *arguments])
    if status != 0 or not isinstance(output, bytes):
        raise BenchError(f"the reader in {container.name} failed: {output!r}")
    found: Row = json.loads(output)
    return found
