"""Swarm: a container starts on one node, and a file on the other one has its address. Beside a bare script that asks.

No event tells a node of another one, so both ask their engine for the gossip: the script every five milliseconds. The
moments of the other node are those of its engine's events, by the same clock, as both nodes are on this machine.
"""

import os
import time
from contextlib import closing
from pathlib import Path

import docker

from bench.contenders import BenchError, wait_for
from bench.report import Answer, Row, Target, number, spread
from tests.hosts_lab import Host, laboratory
from tests.usage import usage

ROUNDS, ROUNDS_QUICK = 50, 5
LIMIT_MS = 300.0
"""A quarter of a second between two questions of hostwatch's, and what the answer takes."""
IDLE_SECONDS = 20.0
MESH, NAME = "mesh", "db"
ASK_SECONDS = 0.005
PAIRS = (("connect", "start"), ("connect", "gossip"), ("connect", "file"), ("gossip", "file"))
"""From one moment to another one."""

Moments = dict[str, float]
"""Seconds since the epoch."""


def asked(quick: bool) -> Answer:
    """The times, and the processor time of asking."""
    with laboratory("swarm", f"bench-{os.getpid()}") as made:
        here, there = made.hosts
        asking = f"--label=hostwatch.services={NAME}"
        here.docker("run", "--detach", "--name=web", f"--network={MESH}", asking, "busybox", "sleep", "100000")
        here.start_hostwatch("timing: {linger: 100ms}\n")
        with (
            closing(docker.DockerClient(here.engine.docker_host)) as ours,
            closing(docker.DockerClient(there.engine.docker_host)) as theirs,
        ):
            path = Path(here.engine.data_root, "containers", str(ours.containers.get("web").id), "hosts")
            rounds = [one_round(path, ours, theirs) for _ in range(ROUNDS_QUICK if quick else ROUNDS)]
        percent = percent_of_a_core(here)
    rows: list[Row] = [
        {"from": start, "to": end, **spread([1000 * (each[end] - each[start]) for each in rounds])}
        for start, end in PAIRS
    ]
    told, right = (sum(each[moment] < each["start"] for each in rounds) for moment in ("gossip", "file"))
    targets = [
        Target("from the gossip to the file (ms, p99)", number(rows[-1], "p99_ms"), LIMIT_MS),
        Target("percent of a core, while nothing happens", percent, 0.5),
    ]
    notes = [
        f"of {len(rounds)} starts on the other node the gossip was ahead of {told}, and the file of {right}",
        "the file is on the manager (26.1), and the container starts on a worker (28.5)",
    ]
    return Answer(
        "Swarm: a container starts on one node, and a file on the other has its address", rows, targets, notes
    )


def one_round(path: Path, ours: docker.DockerClient, theirs: docker.DockerClient) -> Moments:
    """One start."""
    wait_for(lambda: not is_in(path) and not is_told(ours), "the name is gone")
    began = int(time.time())
    container = theirs.containers.create("busybox", ["sleep", "1000"], name=NAME, network=MESH)
    container.start()
    found: Moments = {}
    while len(found) < 2:
        if "gossip" not in found and is_told(ours):
            found["gossip"] = time.time()
        if "file" not in found and is_in(path):
            found["file"] = time.time()
        if time.time() > began + IDLE_SECONDS:
            raise BenchError(f"only {found} of gossip and file")
        time.sleep(ASK_SECONDS)
    for event in theirs.events(since=began, until=int(time.time()) + 1, decode=True):
        found[event["Action"]] = event["timeNano"] / 1e9
    container.remove(force=True)
    return found


def is_in(path: Path) -> bool:
    """Whether a hosts file has the name."""
    return f" {NAME}\n" in path.read_text()


def is_told(ours: docker.DockerClient) -> bool:
    """Whether the gossip has the container."""
    services = ours.api.inspect_network(MESH, verbose=True).get("Services") or {}
    return any(task["Name"] == NAME for task in services.get("", {}).get("Tasks") or ())


def percent_of_a_core(host: Host) -> float:
    """hostwatch's share of a core, while it asks and nothing happens."""
    process = host.hostwatch.process
    if process is None:
        raise BenchError("hostwatch has ended")
    before, began = usage(process.pid).cpu_seconds, time.monotonic()
    time.sleep(IDLE_SECONDS)
    return round(100 * (usage(process.pid).cpu_seconds - before) / (time.monotonic() - began), 2)
