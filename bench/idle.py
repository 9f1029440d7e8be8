"""Idle: the costs of hostwatch while nothing happens. Twenty containers, five of which subscribe."""

import time

from bench.contenders import HOSTWATCH, LISTER, Contender, exact, lab, running
from bench.report import Answer, Row, Target, number, picked, ratio
from tests.conftest import Lab
from tests.usage import usage

VERSION = "28.5"
CONTAINERS, SUBSCRIBERS = 20, 5
SECONDS, SECONDS_QUICK = 60.0, 6.0
SETTLED_SECONDS = 15.0
"""Wait after the start: everything has been read, and the event stream renewed once."""
LABELS = {"hostwatch.hosts": "@{db.ip} db"}


def asked(quick: bool) -> Answer:
    """Processor time and memory of hostwatch, and of the plain script, which only waits for an event."""
    seconds = SECONDS_QUICK if quick else SECONDS
    with lab(VERSION) as made:
        made.run("db", "exec sleep 1000000")
        for place in range(CONTAINERS - 1):
            made.run(f"one-{place}", "exec sleep 1000000", labels=LABELS if place < SUBSCRIBERS else {})
        rows, engine = [measured(made, contender, seconds) for contender in (HOSTWATCH, LISTER)], exact(made)
    ours, theirs = (picked(rows, contender=contender.name) for contender in (HOSTWATCH, LISTER))
    for row in rows:
        row["times_lister_memory"] = ratio(number(row, "rss_mb"), number(theirs, "rss_mb"))
    targets = [
        Target("percent of a core", number(ours, "cpu_percent"), 0.02),
        Target("memory (MB)", number(ours, "rss_mb"), 50.0),
    ]
    notes = [f"{engine}, {CONTAINERS} containers of which {SUBSCRIBERS} subscribe; cpu is counted in steps of 10 ms"]
    return Answer("Idle", rows, targets, notes)


def measured(made: Lab, contender: Contender, seconds: float) -> Row:
    """The contender's usage while nothing happens."""
    with running(contender, made) as pid:
        time.sleep(SETTLED_SECONDS)
        before = usage(pid).cpu_seconds
        time.sleep(seconds)
        after = usage(pid)
    used = after.cpu_seconds - before
    return {
        "contender": contender.name,
        "seconds": seconds,
        "cpu_ms": round(1000 * used),
        "cpu_percent": round(100 * used / seconds, 3),
        "rss_mb": round(after.rss_mib * 1.048576, 1),
        "threads": after.threads,
    }
