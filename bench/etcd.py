"""Etcd: how soon is a file on one host right after a container has come on another one, by hostwatch's `cluster:`?

Beside it stands the least that is possible: from a bare put on the one host to a bare watch on the other. The new
container prints that file as its first act, too, as both hosts are on this machine.
"""

import os
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from docker.models.containers import Container

from bench.bare import put_to_watch
from bench.contenders import exact, wait_for
from bench.report import Answer, Row, Target, number, spread
from bench.watch import Watch, is_right, text_of
from tests.conftest import Lab
from tests.hosts_lab import laboratory
from tests.hosts_lab.beside import labs
from tests.hosts_lab.by_hand import cluster
from tests.hosts_lab.switch import ADDRESS
from tests.servers import etcd

VERSIONS = ("26.1", "28.5")
STORE = "3.5"
ROUNDS, ROUNDS_QUICK = 100, 10
LIMIT_MS = 25.0
LABELS = {"hostwatch.hosts": "@{db.ip} db"}
FIRST_ACT = "cat /file; exec sleep 1000000"
NETWORK = "10.77.33"
"""Of host B, in which each round has another address."""
PERIOD_SECONDS = 0.75
"""Time between changes. hostwatch slows down for a service that changes all the time, which is another question."""


@dataclass
class Found:
    """What all rounds have found."""

    right: list[float] = field(default_factory=list)
    """Milliseconds from the publication of the connection on host B until the file on host A was right."""
    first: int = 0
    """How often the new container read a right file as its first act."""


def asked(quick: bool) -> Answer:
    """The times."""
    rounds = ROUNDS_QUICK if quick else ROUNDS
    with (
        laboratory("routed", f"bench{os.getpid()}", VERSIONS) as made,
        tempfile.TemporaryDirectory() as directory,
        labs(made, Path(directory)) as (a, b),
        etcd(STORE, a.directory / "etcd", address=ADDRESS, namespace=made.switch.namespace) as store,
    ):
        bare = put_to_watch(store, made.hosts[1], made.hosts[0], rounds)
        ours = [each.configured(cluster(host, store)) for each, host in zip((a, b), made.hosts, strict=True)]
        with a.hostwatch("-c", ours[0]), b.hostwatch("-c", ours[1]):
            found = measured(a, b, rounds)
        versions = [exact(a), exact(b), f"etcd {STORE}, one node"]
    rows: list[Row] = [
        {"from": "put", "to": "watch, bare", **spread(bare)},
        {"from": "network connect", "to": "file right", **spread(found.right)},
    ]
    targets = [
        Target("ms from network connect to file right, median", number(rows[1], "median_ms"), LIMIT_MS),
        Target("changes followed", len(found.right), rounds, at_least=True),
        Target("files right before the first instruction", found.first, rounds, at_least=True),
    ]
    return Answer("Etcd: a container comes on one host, a file on another one follows", rows, targets, versions)


def measured(a: Lab, b: Lab, rounds: int) -> Found:
    """The database comes anew on host B, at another address each time."""
    found = Found()
    path = a.hosts_path(a.run("web", labels=LABELS))
    with closing(Watch(b, [path])) as watch:
        db = begun(created(b, path, f"{NETWORK}.250"))
        wait_for(lambda: is_right(text_of(path), f"{NETWORK}.250"), "the file on the other host is right at first")
        for place in range(rounds):
            before, address = time.monotonic(), f"{NETWORK}.{10 + place % 200}"
            db.remove(force=True)
            db = created(b, path, address)
            latency = watch.latency(lambda new=db: begun(new), address)  # type: ignore[misc]
            wait_for(db.logs, "the new container prints the file")
            found.first += is_right(db.logs().decode(), address)
            if latency is not None:
                found.right.append(latency)
            time.sleep(max(0.0, before + PERIOD_SECONDS - time.monotonic()))
        db.remove(force=True)
    return found


def created(b: Lab, path: Path, address: str) -> Container:
    """The next database; the file of the other host is in it."""
    return b.create("db", FIRST_ACT, address, volumes={f"/host{path}": {"bind": "/file", "mode": "ro"}})


def begun(db: Container) -> Container:
    """The same, started."""
    db.start()
    return db
