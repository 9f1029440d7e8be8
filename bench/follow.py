"""Follow: from `network connect` published to every subscriber's file right.

For 1, 10 and 100 subscribers and three ways of changing the address. A file may be right before the event is published:
the figure is negative then.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import docker
from asyncinotify import Inotify, Mask
from docker.models.containers import Container

from bench.contenders import running
from tests import engine as engines

SUBSCRIBERS = (1, 10, 100)
LABELS = {"hostwatch.hosts": "@{db.ip} db"}
PATIENCE_SECONDS = 5.0
NETWORK, SUBNET = "front", "10.123.0.0/16"


@dataclass(frozen=True)
class Followed:
    """One way, one contender, so many subscribers: milliseconds."""

    contender: str
    way: str
    subscribers: int
    times_ms: list[float]

    def figures(self) -> dict[str, Any]:
        """Median and p99, or none where it never followed."""
        if not self.times_ms:
            return {"median_ms": None, "p99_ms": None}
        p99 = quantiles(self.times_ms, n=100)[98] if len(self.times_ms) > 1 else self.times_ms[0]
        return {"median_ms": round(median(self.times_ms), 2), "p99_ms": round(p99, 2)}


class Bench:
    """An engine with a network, `db`, and subscribers."""

    def __init__(self, engine: engines.Engine, client: docker.DockerClient, subscribers: int) -> None:
        self.engine, self.client, self._number = engine, client, 0
        pool = docker.types.IPAMPool(subnet=SUBNET)
        self.network = client.networks.create(NETWORK, ipam=docker.types.IPAMConfig(pool_configs=[pool]))
        self.subscribers = [self._started(f"web-{number}", labels=LABELS) for number in range(subscribers)]
        self.db = self._started("db", self.address())

    def address(self) -> str:
        """One that the service does not have."""
        self._number += 1
        return f"10.123.200.{1 + self._number % 250}"

    def _started(self, name: str, address: str | None = None, **options: Any) -> Container:
        settings: dict[str, Any] = {"network": NETWORK, "stop_signal": "SIGKILL"} | options
        if address is not None:
            endpoint = self.client.api.create_endpoint_config(ipv4_address=address)
            settings["networking_config"] = {NETWORK: endpoint}
        container = self.client.containers.create("busybox", ["sleep", "100000"], name=name, **settings)
        container.start()
        return container

    def paths(self) -> list[Path]:
        """The subscribers' hosts files."""
        return [self.engine.data_root / "containers" / str(web.id) / "hosts" for web in self.subscribers]

    # Ways of changing the address; each returns the container that has it.

    def reconnect(self, address: str) -> Container:
        """Off the network, and on it again."""
        self.network.disconnect(self.db)
        self.network.connect(self.db, ipv4_address=address)
        return self.db

    def stop_and_start(self, address: str) -> Container:
        """The container stops, gets another address, and starts."""
        self.db.stop()
        self.network.disconnect(self.db)
        self.network.connect(self.db, ipv4_address=address)
        self.db.start()
        return self.db

    def recreate(self, address: str) -> Container:
        """Another container takes its place."""
        self.db.remove(force=True)
        self.db = self._started("db", address)
        return self.db

    def ways(self) -> dict[str, Callable[[str], Container]]:
        """All ways by their names."""
        return {"reconnect": self.reconnect, "stop and start": self.stop_and_start, "recreate": self.recreate}

    def close(self) -> None:
        """Remove everything."""
        for container in self.client.containers.list(all=True):
            container.remove(force=True, v=True)
        self.network.remove()


@contextmanager
def bench(engine: engines.Engine, subscribers: int) -> Iterator[Bench]:
    """A bench on the engine."""
    with (
        closing(docker.DockerClient(base_url=engine.docker_host, timeout=120)) as client,
        closing(Bench(engine, client, subscribers)) as made,
    ):
        yield made


class Watch:
    """Notes when each file came to hold a line, and when the engine published which connection."""

    def __init__(self, made: Bench) -> None:
        self._paths = made.paths()
        self._client = made.client
        self._published: dict[str, float] = {}
        self._line = b""
        self._right: dict[Path, float] = {}
        self._events = made.client.events(decode=True, filters={"type": "network", "event": "connect"})
        self._inotify = Inotify(sync_timeout=0.2)
        self._ended = threading.Event()
        for path in self._paths:
            self._inotify.add_watch(path, Mask.MODIFY)
        for follow in (self._follow_events, self._follow_files):
            threading.Thread(target=follow, daemon=True).start()

    def _follow_events(self) -> None:
        for event in self._events:
            self._published[event["Actor"]["Attributes"]["container"]] = event["timeNano"] / 1e9

    def _follow_files(self) -> None:
        while not self._ended.is_set():
            for event in self._inotify:
                path = event.path
                if path is not None and path not in self._right and self._line in path.read_bytes():
                    self._right[path] = time.time()

    def latency(self, change: Callable[[str], Container], address: str) -> float | None:
        """Seconds from the connection's publication to the last file right; `None` if it never was."""
        self._line, self._right = f"{address:<16}db".encode(), {}
        identity = str(change(address).id)
        until = time.monotonic() + PATIENCE_SECONDS
        while len(self._right) < len(self._paths) or identity not in self._published:
            if time.monotonic() > until:
                return None
            time.sleep(0.002)
        return max(self._right.values()) - self._published[identity]

    def close(self) -> None:
        """Stop watching."""
        self._ended.set()
        self._events.close()
        self._inotify.close()


def followed(made: Bench, contender: str, way: str, rounds: int) -> Followed:
    """How a contender that runs already follows one way of changing the address."""
    with closing(Watch(made)) as watch:
        found = [watch.latency(made.ways()[way], made.address()) for _ in range(rounds)]
    return Followed(contender, way, len(made.subscribers), [1000 * seconds for seconds in found if seconds is not None])
