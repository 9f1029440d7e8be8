"""Cluster: what many hosts with one etcd cost, and when they are right, in simulation (`bench/cluster_hosts.py`).

All hosts and the etcd share this machine's cores. So processor time and messages say how it would be on machines of
their own; milliseconds are those of this one.
"""

import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.cluster_processes import PER_PROCESS, Cluster, Figures, Process
from bench.report import Answer, Row, Target, number, picked
from tests.servers import etcd

ETCD = "3.5"


@dataclass(frozen=True)
class Size:
    """The size of the simulation."""

    hosts: int
    services: int
    vanish: int
    changes: int
    idle_seconds: float
    away_seconds: float
    ttl_seconds: float
    """Of a lease. The default, 10 s, is too short where a hundred hosts that start have two cores together."""


FULL = Size(hosts=100, services=100, vanish=30, changes=50, idle_seconds=20.0, away_seconds=60.0, ttl_seconds=60.0)
QUICK = Size(hosts=30, services=20, vanish=10, changes=10, idle_seconds=3.0, away_seconds=5.0, ttl_seconds=10.0)
_APART_SECONDS = 0.2
"""Time between two changes, enough that all hosts are done with one before the next."""
_SETTLED_SECONDS = 3.0
"""Time after which all is at rest again."""
_FILL, _JOIN, _IDLE, _CHANGE, _AWAY, _AGAIN, _VANISH = "fill", "join", "idle", "change", "away", "again", "vanish"


def asked(quick: bool) -> Answer:
    """First syncs, rest, single changes, the store away, hosts that vanish."""
    size = QUICK if quick else FULL
    with _cluster(size) as made:
        rows = []
        for row in _phases(made, size):
            print(json.dumps(row), file=sys.stderr, flush=True)
            rows.append(row)
    join, change, away, vanish = (picked(rows, phase=phase) for phase in (_JOIN, _CHANGE, _AWAY, _VANISH))
    targets = [
        Target("first sync of one host (s)", number(join, "max_seconds"), 5.0),
        Target("messages for each host and change", number(change, "host_messages"), 1.0),
        Target("lists because of changes", number(change, "lists"), 0.0),
        Target("desired blocks that change while the store is away", number(away, "blocks"), 0.0),
        Target("all is right after the store's return (s)", number(away, "max_seconds"), 3.0),
        Target("names of hosts that vanished are gone (s)", number(vanish, "max_seconds"), size.ttl_seconds + 2),
    ]
    title = f"Cluster: {size.hosts} simulated hosts with {size.services} services each, one etcd {ETCD}"
    notes = [
        f"leases last {size.ttl_seconds:g} s, the store is away for {size.away_seconds:g} s",
        "all hosts and the etcd share the cores of this machine: milliseconds of processor time are each one's own",
        f"{_FILL}: all but one start, ten after ten; {_JOIN}: the last one starts",
        f"{_AGAIN}: all that are left have ended without a word, and start at once, their names still there",
    ]
    return Answer(title, rows, targets, notes)


@contextmanager
def _cluster(size: Size) -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory() as directory, etcd(ETCD, Path(directory)) as store:
        made = Cluster(store, size.hosts, size.services, size.ttl_seconds)
        try:
            yield made
        finally:
            made.kill([*made.processes])


def _phases(made: Cluster, size: Size) -> Iterator[Row]:
    """Each phase begins with what the one before has left."""
    everything = (size.hosts - 1) * size.services
    yield _filled(made, size)
    yield _synced(_JOIN, made, size.hosts - 1, 1, everything)
    yield (rest := _idle(made, size))
    yield _changed(made, size, rest)
    yield _away(made, size)
    yield _vanished(made, size, everything)
    hosts = made.hosts
    made.kill([*made.processes])
    yield _synced(_AGAIN, made, size.vanish, hosts, (hosts - 1) * size.services)


def _filled(made: Cluster, size: Size) -> Row:
    """Start all hosts but one, some after the others: the first installation."""
    cpu, known, begun = 0.0, size.hosts - 1, time.monotonic()
    for first in range(0, known, PER_PROCESS):
        count = min(PER_PROCESS, known - first)
        started = made.made(first, count)
        cpu -= _cpu(started)
        made.asked(started, "start")
        made.came((first + count - 1) * size.services)
    return {
        "phase": _FILL,
        "hosts": known,
        "seconds": time.monotonic() - begun,
        "host_cpu_ms": 1000 * (cpu + _cpu(made.processes)) / known,
        "store_cpu_ms": 1000 * made.store_cpu_seconds,
    }


def _synced(phase: str, made: Cluster, first: int, count: int, known: int) -> Row:
    """Start hosts at once, and wait until all know so many services of others."""
    started = made.made(first, count)
    before, store_before, mib_before, begun = _cpu(started), made.store_cpu_seconds, _mib(started), time.monotonic()
    made.asked(started, "start")
    moments = made.came(known)[-count:]
    return {
        "phase": phase,
        "hosts": count,
        **_seconds(begun, moments),
        "host_cpu_ms": 1000 * (_cpu(started) - before) / count,
        "host_mib": (_mib(started) - mib_before) / count,
        "store_cpu_ms": 1000 * (made.store_cpu_seconds - store_before),
    }


def _idle(made: Cluster, size: Size) -> Row:
    """What it costs that nothing happens."""
    spent = _spent(made, lambda: time.sleep(size.idle_seconds))
    return {
        "phase": _IDLE,
        "hosts": spent.hosts,
        "host_cpu_percent": 100 * spent.cpu_seconds / spent.hosts / size.idle_seconds,
        "store_cpu_percent": 100 * spent.store_cpu_seconds / size.idle_seconds,
    }


def _changed(made: Cluster, size: Size, rest: Row) -> Row:
    """Containers that move, one after the other. What is used at rest is left out."""
    took: list[float] = []

    def move() -> None:
        for change in range(size.changes):
            time.sleep(_APART_SECONDS)
            host = change % size.hosts
            begun = made.moved(host, 0, 1 + change // size.hosts)
            took.extend(moment - begun for moment in made.come(host))

    begun = time.monotonic()
    spent, seconds = _spent(made, move), time.monotonic() - begun
    return {
        "phase": _CHANGE,
        "hosts": spent.hosts,
        **_seconds(0.0, took),
        "seconds": seconds,
        "host_cpu_ms": _beyond(rest, "host_cpu_percent", spent.cpu_seconds / spent.hosts, seconds) / size.changes,
        "store_cpu_ms": _beyond(rest, "store_cpu_percent", spent.store_cpu_seconds, seconds) / size.changes,
        # The host that publishes hears of its own change, too.
        "host_messages": spent.puts / size.changes / spent.hosts,
        "lists": spent.lists,
        "blocks": spent.blocks,
    }


def _away(made: Cluster, size: Size) -> Row:
    """The etcd is killed and started again; a container moves meanwhile."""
    (node,) = made.store.nodes
    before = made.figures()
    node.kill()
    time.sleep(size.away_seconds)
    away = made.figures().since(before)
    made.moved(0, 0, 2 + size.changes)
    node.start()
    node.await_healthy()
    begun = time.monotonic()
    moments = made.come(0)
    time.sleep(_SETTLED_SECONDS)
    after = made.figures().since(before)
    return {
        "phase": _AWAY,
        "hosts": made.hosts,
        **_seconds(begun, moments),
        "seconds": size.away_seconds,
        "host_messages": after.puts / made.hosts,
        "deletions": after.deletions,
        "lists": after.lists,
        "blocks": away.blocks,
        "host_cpu_percent": 100 * away.cpu_seconds / made.hosts / size.away_seconds,
    }


def _vanished(made: Cluster, size: Size, everything: int) -> Row:
    """Hosts end at once and for good."""
    time.sleep(_SETTLED_SECONDS)
    count = size.vanish // PER_PROCESS
    gone, staying = made.processes[:count], made.processes[count:]
    before, store_before = _cpu(staying), made.store_cpu_seconds
    begun = time.monotonic()
    made.kill(gone)
    moments = made.came(everything - size.vanish * size.services)
    return {
        "phase": _VANISH,
        "hosts": size.vanish,
        **_seconds(begun, moments),
        "host_cpu_ms": 1000 * (_cpu(staying) - before) / made.hosts,
        "store_cpu_ms": 1000 * (made.store_cpu_seconds - store_before),
    }


def _beyond(rest: Row, column: str, cpu_seconds: float, seconds: float) -> float:
    """Milliseconds of processor time beyond what is used at rest."""
    return 1000 * (cpu_seconds - (number(rest, column) or 0.0) / 100 * seconds)


def _spent(made: Cluster, work: Callable[[], None]) -> Figures:
    before = made.figures()
    work()
    return made.figures().since(before)


def _cpu(processes: Sequence[Process]) -> float:
    return sum(process.usage.cpu_seconds for process in processes)


def _mib(processes: Sequence[Process]) -> float:
    return sum(process.usage.rss_mib for process in processes)


def _seconds(begun: float, moments: Sequence[float]) -> Row:
    found = [moment - begun for moment in moments]
    middle, latest = median(found), max(found)
    return {
        "median_seconds": round(middle, 4) if math.isfinite(middle) else None,
        "max_seconds": round(latest, 4) if math.isfinite(latest) else None,
    }
