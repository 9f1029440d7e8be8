"""`make soak`: churn on a private engine beside hostwatch, and a check of every file each second.

The check is naive, and knows nothing of hostwatch: what `inspect` says of the addresses of containers that run on one
network, compared with the block of each of them. What changed a moment ago is not judged: a file counts as wrong where
it differs from the truth in the same way, while that truth did not change, for longer than `GRACE_SECONDS`. In the end
memory, descriptors, threads and watches must be where they were when the churn began to run evenly.

Prints a line a minute and a verdict; the exit status is 1 where anything was wrong.
"""

import argparse
import itertools
import math
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import docker
import requests
from docker.models.containers import Container

from tests import engine as engines
from tests.conftest import Hostwatch, Lab, make_lab
from tests.engine import EngineError
from tests.usage import Usage, usage

VERSION = "28.5"
GRACE_SECONDS = 2.5
"""Half a second, and `linger`, for which lines of a gone service may stay."""
CONFIG = "timing: {linger: 2s, resync: 1m}"
EVERYTHING = {"hostwatch.services": "*"}
SERVICES = 12
WATCHERS = 3
CHURNERS = 4
RESTART_SECONDS = 60.0
"""Time between two restarts of the daemon."""
SETTLE_SECONDS = 10.0
REST_SECONDS = 40.0
"""Idle connections are closed within half a minute; the next resync opens some again."""
RSS_TOLERANCE_MIB = 15.0
MOST_THREADS = 12
"""The workers of anyio stay until the next one is asked for."""
NAMES = (*(f"watcher-{index}" for index in range(WATCHERS)), *(f"service-{index}" for index in range(SERVICES)))

LOST = (docker.errors.DockerException, requests.RequestException)
"""Errors of the client while the engine is away, or if the container has just been removed."""


@dataclass(frozen=True)
class Fact:
    """A container by the engine's answer."""

    address: str | None
    """Its address on the network; `None` if it does not run or is not on it."""
    stamp: str
    """Differs after each of its starts and ends."""

    @classmethod
    def of(cls, container: Container, network: str) -> "Fact":
        """Read from an inspection."""
        state, networks = container.attrs["State"], container.attrs["NetworkSettings"]["Networks"]
        address = networks.get(network, {}).get("IPAddress") if state["Running"] else None
        return cls(address or None, f"{state['StartedAt']} {state['FinishedAt']}")


Truth = dict[str, Fact]
"""All containers, by name."""
Difference = tuple[str, str, str, Fact]
"""A file, a name, the address in the file, and the right one."""


@dataclass
class Soak:
    """The churn, and the differences that were found, with their times."""

    lab: Lab
    hostwatch: Hostwatch
    chance: random.Random
    over: threading.Event = field(default_factory=threading.Event)
    away: threading.Event = field(default_factory=threading.Event)
    done: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    violations: list[str] = field(default_factory=list)
    _differences: dict[Difference, float] = field(default_factory=dict)
    """The time since which a file has the same difference from the truth."""

    # The churn.

    def churn(self, number: int) -> None:
        """Change one of our own services after the other, until it is over."""
        mine = [f"service-{index}" for index in range(SERVICES) if index % CHURNERS == number]
        acts = (self._restart, self._recreate, self._kill_and_start, self._move, self._rename, self._edit, self._exec)
        while not self.over.is_set():
            self._try(self.chance.choice(acts), self.chance.choice(mine))
            self.over.wait(self.chance.uniform(0.0, 0.5))

    def crash(self, _number: int) -> None:
        """Start a container that ends at once, again and again."""
        while not self.over.is_set():
            self._try(self._start, "looper")

    def restart_engine(self, _number: int) -> None:
        """Restart the daemon at intervals: containers end, and hostwatch has to recover."""
        while not self.over.wait(RESTART_SECONDS):
            self.away.set()
            with suppress(EngineError):
                self.lab.engine.restart()
                self.done["engine restart"] += 1
            for name in [f"watcher-{index}" for index in range(WATCHERS)]:
                self._try(self._start, name)
            self.away.clear()

    def _try(self, act: Callable[[str], object], name: str) -> None:
        try:
            act(name)
            self.done[act.__name__.strip("_<>")] += 1
        except docker.errors.NotFound:
            with suppress(*LOST):
                self._create(name)
        except LOST:
            self.done["failed"] += 1
            time.sleep(0.1)

    def _create(self, name: str) -> None:
        self.lab.run(name, labels=EVERYTHING if self.chance.random() < 0.5 else {})

    def _start(self, name: str) -> None:
        self.lab.client.containers.get(name).start()

    def _restart(self, name: str) -> None:
        self.lab.client.containers.get(name).restart(timeout=0)

    def _recreate(self, name: str) -> None:
        self.lab.client.containers.get(name).remove(force=True)
        self._create(name)

    def _kill_and_start(self, name: str) -> None:
        container = self.lab.client.containers.get(name)
        with suppress(docker.errors.APIError):  # it does not run
            container.kill()
        container.start()

    def _move(self, name: str) -> None:
        container = self.lab.client.containers.get(name)
        with suppress(docker.errors.APIError):  # an earlier move was interrupted
            self.lab.network.disconnect(container)
        self.lab.network.connect(container)

    def _rename(self, name: str) -> None:
        container = self.lab.client.containers.get(name)
        container.rename(f"{name}-{time.monotonic_ns()}")
        container.rename(name)

    def _edit(self, name: str) -> None:
        path = self.lab.hosts_path(self.lab.client.containers.get(name))
        with suppress(FileNotFoundError):
            path.write_text(path.read_text().replace("# hostwatch: end", "10.9.9.9 nobody\n# hostwatch: end"))

    def _exec(self, name: str) -> None:
        self.lab.client.containers.get(name).exec_run("true")

    # The check.

    def check(self, _number: int) -> None:
        """Compare each file with the truth each second, until it is over."""
        while not self.over.wait(1.0):
            with suppress(*LOST):
                self.compare(time.monotonic())

    def compare(self, now: float) -> int:
        """Compare each file with the truth; returns the numbers of names and files that differ."""
        containers = self.lab.client.containers.list(all=True, ignore_removed=True)
        known, self._differences = self._differences, {}
        if not self.away.is_set():
            truth = {str(container.name): Fact.of(container, str(self.lab.network.name)) for container in containers}
            for container in containers:
                if truth[str(container.name)].address and container.labels.get("hostwatch.services"):
                    self._compare(container, truth, known, now)
        return len(self._differences)

    def _compare(self, container: Container, truth: Truth, known: dict[Difference, float], now: float) -> None:
        try:
            told = self.lab.records(container)
        except FileNotFoundError:
            return
        self.checks += 1
        for name in sorted(truth.keys() | told.keys()):
            fact = truth.get(name, Fact(None, ""))
            wanted = [fact.address] if fact.address else []
            if told.get(name, []) == wanted:
                continue
            difference = str(container.id), name, str(told.get(name)), fact
            # The file is read first, and the truth after it: both take time.
            since = self._differences[difference] = known.get(difference, time.monotonic())
            if now - since > GRACE_SECONDS:
                self._differences[difference] = math.inf  # told once
                self.violations.append(f"{container.name}: {name} at {told.get(name)} instead of {wanted}")
                print(f"{time.strftime('%T')} WRONG: {self.violations[-1]}", flush=True)

    # In the end.

    def calm(self) -> int:
        """End the churn, start everything again, and return the number of names that differ after a while."""
        self.over.set()
        for container in self.lab.client.containers.list(all=True):
            if container.name not in (*NAMES, "looper"):  # its rename was interrupted
                container.remove(force=True)
        for name in NAMES:
            self._try(self._start, name)
        deadline = time.monotonic() + SETTLE_SECONDS
        while (wrong := self.compare(time.monotonic())) and time.monotonic() < deadline:
            time.sleep(0.5)
        return wrong

    def line(self) -> str:
        """The actions and the differences so far."""
        acts = sum(self.done.values()) - self.done["failed"]
        now = usage(self.hostwatch.process.pid)
        return f"{acts} acts, {self.checks} files checked, {len(self.violations)} wrong; {now}"


def leaks(before: Usage, warm: Usage, after: Usage, directories: int) -> Iterator[str]:
    """The growth since the begin; that of memory since the churn ran evenly.

    The engine may have left some directories of containers that it was removing when it was restarted.
    """
    if after.rss_mib > warm.rss_mib + RSS_TOLERANCE_MIB:
        yield f"memory: {warm.rss_mib:.1f} MiB after the first minute, {after.rss_mib:.1f} in the end"
    if after.descriptors > before.descriptors:
        yield f"descriptors: {before.descriptors} before, {after.descriptors} after"
    if after.watches != before.watches + directories:
        yield f"watches: {before.watches} before, {after.watches} after; {directories} more directories of containers"
    if after.threads > max(before.threads, MOST_THREADS):
        yield f"threads: {before.threads} before, {after.threads} after"


def rested(pid: int) -> Usage:
    """The process's usage once its connections and threads have been idle for a while."""
    found = [usage(pid)]
    for _ in range(int(REST_SECONDS)):
        time.sleep(1.0)
        found.append(usage(pid))
    return min(found, key=lambda one: (one.descriptors, one.threads))


def soak(lab: Lab, minutes: float, seed: int) -> bool:
    """Run the soak; returns whether all went well."""
    names = {name: lab.run(name, labels=EVERYTHING if name.startswith("watcher") else {}) for name in NAMES}
    lab.create("looper", "exit 1")
    with lab.hostwatch("-c", lab.configured(CONFIG)) as hostwatch:
        run = Soak(lab, hostwatch, random.Random(seed))
        directories = lab.engine.data_root / "containers"
        watched = len(list(directories.iterdir()))
        before = warm = rested(hostwatch.process.pid)
        print(f"{len(names)} containers; before: {before}", flush=True)
        with ThreadPoolExecutor(CHURNERS + 3) as pool:
            work = [pool.submit(run.churn, number) for number in range(CHURNERS)]
            work += [pool.submit(act, 0) for act in (run.crash, run.restart_engine, run.check)]
            end = time.monotonic() + minutes * 60
            for minute in itertools.count(1):
                run.over.wait(min(60.0, max(0.0, end - time.monotonic())))
                print(f"minute {minute}: {run.line()}", flush=True)
                warm = usage(hostwatch.process.pid) if minute == 1 else warm
                if time.monotonic() >= end or any(one.done() for one in work):
                    break
            run.over.set()
        for one in work:
            one.result()
        wrong = run.calm()
        after = rested(hostwatch.process.pid)
        grown = list(leaks(before, warm, after, len(list(directories.iterdir())) - watched))
        print(f"after: {after}\n{dict(sorted(run.done.items()))}")
        print("\n".join([*run.violations, *grown, f"{wrong} names differ in the end"]))
        return not (run.violations or grown or wrong)


def main() -> None:
    """Run the soak for the requested time."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--seed", type=int, default=random.randrange(2**31))
    given = arguments.parse_args()
    print(f"soak for {given.minutes:g} minutes, seed {given.seed}, engine {VERSION}", flush=True)
    engine = engines.start(VERSION, f"soak-{os.getpid()}")
    directory = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        with (
            closing(docker.DockerClient(base_url=engine.docker_host, timeout=60)) as client,
            make_lab(engine, client, directory) as lab,
        ):
            good = soak(lab, given.minutes, given.seed)
    finally:
        engine.stop()
    if good:
        shutil.rmtree(directory)
    else:
        print(f"hostwatch's log is in {directory}")
    print("all was right" if good else "NOT all was right")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
