"""The processes with the hosts of a simulated cluster, and their etcd."""

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

from bench.cluster_hosts import Task, address, service
from bench.contenders import BenchError
from tests.servers import Etcd
from tests.usage import Usage, usage

LIMIT_SECONDS = 300.0
"""For all hosts together, which share the machine's cores."""
PER_PROCESS = 10


@dataclass(frozen=True)
class Figures:
    """What was used and told up to now, or between two moments."""

    hosts: int
    cpu_seconds: float
    """Of all hosts together."""
    store_cpu_seconds: float
    puts: int
    deletions: int
    lists: int
    blocks: int
    """The desired blocks that became other ones."""

    def since(self, before: "Figures") -> "Figures":
        """What was used and told since then."""
        (_, *now), (_, *then) = astuple(self), astuple(before)
        return Figures(self.hosts, *(after - first for after, first in zip(now, then, strict=True)))


class Process:
    """A process with some hosts."""

    def __init__(self, task: Task) -> None:
        self.task = task
        arguments = [sys.executable, "-m", "bench.cluster_hosts", json.dumps(asdict(task))]
        self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @property
    def usage(self) -> Usage:
        """What it uses."""
        return usage(self._process.pid)

    def tell(self, do: str, **more: object) -> None:
        """Tell it what to do."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"do": do} | more) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Its answer."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("a process with simulated hosts has ended; its messages are above")
        found: dict[str, Any] = json.loads(line)
        return found

    def kill(self) -> None:
        """End it at once, as when its hosts lose their power."""
        self._process.kill()
        self._process.communicate()


class Cluster:
    """The processes of all hosts, and their etcd."""

    def __init__(self, store: Etcd, hosts: int, services: int, ttl_seconds: float) -> None:
        self.store = store
        self._sizes = (hosts, services, ttl_seconds)
        self.processes: list[Process] = []

    @property
    def hosts(self) -> int:
        """The hosts that run."""
        return sum(process.task.count for process in self.processes)

    @property
    def store_cpu_seconds(self) -> float:
        """The processor time of the etcd since its start; 0: it does not run."""
        (node,) = self.store.nodes
        return usage(node.process.pid).cpu_seconds if node.process and node.alive() else 0.0

    def made(self, first: int, count: int) -> list[Process]:
        """Processes for so many hosts that are ready to start them."""
        made = []
        for begin in range(first, first + count, PER_PROCESS):
            here = min(PER_PROCESS, first + count - begin)
            made.append(Process(Task(tuple(self.store.urls), begin, here, *self._sizes)))
        self.processes += made
        for process in made:
            process.tell("figures")
        for process in made:
            process.answer()
        return made

    def kill(self, processes: Sequence[Process]) -> None:
        """End these at once."""
        for process in processes:
            process.kill()
            self.processes.remove(process)

    def asked(self, processes: Sequence[Process], do: str, **more: object) -> list[dict[str, Any]]:
        """The answers of these processes, which work at the same time."""
        for process in processes:
            process.tell(do, **more)
        return [process.answer() for process in processes]

    def came(self, count: int) -> list[float]:
        """When each host knew so many services of others, in the order of the processes."""
        return self.moments(self.asked(self.processes, "await count", count=count, seconds=LIMIT_SECONDS))

    def moved(self, host: int, place: int, move: int) -> float:
        """Move a container; returns when. `come` tells when each other host knew that."""
        self.asked(self.processes, "await endpoint", name=service(host, place), address=address(host, place, move))
        (process,) = (each for each in self.processes if each.task.first <= host < each.task.first + each.task.count)
        ((found),) = self.asked([process], "move", host=host, place=place, move=move)
        return float(found["moment"])

    def come(self, without: int) -> list[float]:
        """When what is awaited came to each host but one."""
        return self.moments(self.asked(self.processes, "come", seconds=LIMIT_SECONDS, without=without))

    def moments(self, answers: Sequence[Mapping[str, Any]]) -> list[float]:
        """The moments of all hosts; never (infinity) where it did not come in time."""
        found = [moment for answer in answers for moment in answer["came"]]
        if missing := found.count(None):
            faults = {fault for each in self.asked(self.processes, "figures") for fault in each["faults"]}
            print(f"{missing} of {len(found)} hosts do not know all in time: {'; '.join(faults)}", file=sys.stderr)
        return [math.inf if moment is None else moment for moment in found]

    def figures(self) -> Figures:
        """All figures up to now."""
        answers = self.asked(self.processes, "figures")
        puts, deletions, lists = (
            sum(each["told"].get(kind, 0) for each in answers) for kind in ("Put", "Deleted", "Listed")
        )
        spent = sum(process.usage.cpu_seconds for process in self.processes)
        blocks = sum(each["blocks"] for each in answers)
        return Figures(self.hosts, spent, self.store_cpu_seconds, puts, deletions, lists, blocks)
