"""Fixtures for tests on real engines: an engine of each version, a client for it, hostwatch beside it."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import docker
import pytest
from docker.errors import APIError
from docker.models.containers import Container
from docker.models.networks import Network

from manual import answers
from tests import engine as engines
from tests.built import packages
from tests.effort import choose_examples
from tests.noise import crowd
from tests.proxy import Proxy, proxied

# A machine may forbid it, as images do. Each of the thousand processes of a run would then compile all modules anew,
# which takes longer than most of what it is started for.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
choose_examples()

T = TypeVar("T")
_REMOVALS = 4
"""Containers that are removed at a time."""
_BUILD_SECONDS = 600
"""For a test that may be the first one to need the packages. Who waits for another process has as much."""

newest_only = pytest.mark.parametrize("engine", engines.VERSIONS[-1:], indirect=True)
"""For a test that does not depend on the engine's version, as of labels and commands."""


def eventually(check: Callable[[], T], seconds: float = 20.0) -> T:
    """The first true value of `check`; fails with its last one if that takes too long, which is longer in a crowd."""
    seconds *= crowd()
    deadline, pause = time.monotonic() + seconds, 0.002
    while not (value := check()):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)  # most things come within some milliseconds
    return value


@dataclass
class Hostwatch:
    """A running `hostwatch run`."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        """The whole log."""
        return self.log_file.read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; returns its exit status."""
        self.process.send_signal(number)
        return self.process.wait(5 * crowd())


@dataclass
class Lab:
    """One real engine with a network and a client, and the means to run hostwatch beside it."""

    engine: engines.Engine
    client: docker.DockerClient
    network: Network
    directory: Path
    environ: dict[str, str]
    within: tuple[str, ...] = ()
    """A command in front of hostwatch's own command line, to run it elsewhere, as in a network namespace."""

    def command(self, *arguments: str, status: int | None = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a hostwatch command to its end."""
        found = subprocess.run(
            [*self.within, sys.executable, "-m", "hostwatch", *arguments],
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert status is None or found.returncode == status, found
        assert "Traceback" not in found.stderr, found.stderr
        if "--json" in arguments and not found.returncode:
            told = [word for word in arguments if word in ("status", "why", "history", "plan")]
            answers.check(told[0], found.stdout)
        return found

    @contextmanager
    def hostwatch(self, *arguments: str, ready: str = "connected to engine", **environ: str) -> Iterator[Hostwatch]:
        """Run the daemon; it must neither fail nor show a traceback."""
        log_file = self.directory / f"hostwatch-{time.monotonic_ns()}.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [*self.within, sys.executable, "-m", "hostwatch", "run", *arguments],
                env=self.environ | environ,
                stderr=log,
            )
        running = Hostwatch(process, log_file)
        try:
            eventually(lambda: ready in running.log, 30)  # a busy machine takes long to start an interpreter
            yield running
            if process.poll() is None:
                assert running.stop() == 0
            assert "Traceback" not in running.log, running.log
        finally:
            process.kill()
            process.wait()

    def run(
        self, name: str, command: str = "exec sleep 1000", address: str | None = None, **options: object
    ) -> Container:
        """Start a container with a shell command, by default on the lab's network."""
        container = self.create(name, command, address, **options)
        container.start()
        return container

    def create(
        self, name: str, command: str = "exec sleep 1000", address: str | None = None, **options: object
    ) -> Container:
        """Create a container; `address` is a fixed one on the lab's network."""
        settings: dict[str, object] = {"network": self.network.name, "stop_signal": "SIGKILL"} | options
        if "network_mode" in settings:
            del settings["network"]
        if address is not None:
            endpoint = self.client.api.create_endpoint_config(ipv4_address=address)
            settings["networking_config"] = {self.network.name: endpoint}
        return self.client.containers.create("busybox", ["sh", "-c", command], name=name, **settings)  # type: ignore[arg-type]

    def hosts(self, container: Container) -> str:
        """The container's /etc/hosts, as the host sees it."""
        return self.hosts_path(container).read_text()

    def seen(self, container: Container) -> str:
        """The container's /etc/hosts, as a program in the container sees it."""
        output = container.exec_run(["cat", "/etc/hosts"]).output
        assert isinstance(output, bytes)
        return output.decode()

    def first_read(self, container: Container) -> str:
        """The /etc/hosts that a container read as its first act, which was to copy it to /seen."""
        eventually(lambda: container.exec_run(["test", "-s", "/seen"]).exit_code == 0)
        output = container.exec_run(["cat", "/seen"]).output
        assert isinstance(output, bytes)
        return output.decode()

    def hosts_path(self, container: Container) -> Path:
        """The path of the container's /etc/hosts on the host."""
        return self.engine.data_root / "containers" / str(container.id) / "hosts"

    def block(self, container: Container) -> list[str]:
        """The lines of the block in the container's /etc/hosts, between the markers; there is one block at most."""
        _, *blocks = self.hosts(container).split("# hostwatch: begin\n")
        assert len(blocks) <= 1
        return blocks[0].partition("# hostwatch: end\n")[0].splitlines() if blocks else []

    def records(self, container: Container) -> dict[str, list[str]]:
        """The names in the container's block with their addresses, in the block's order."""
        found: dict[str, list[str]] = {}
        for line in self.block(container):
            address, *names = line.partition("#")[0].split() or [""]
            for name in names:
                found.setdefault(name, []).append(address)
        return found

    def configured(self, text: str) -> str:
        """The path of a configuration file with this text."""
        path = self.directory / "hostwatch.yaml"
        path.write_text(text)
        return str(path)

    def clear(self) -> None:
        """Remove all containers, some at a time: the engine mostly waits for the kernel."""
        found = [each["Id"] for each in self.client.api.containers(all=True)]
        with ThreadPoolExecutor(_REMOVALS) as pool:
            list(pool.map(partial(self.client.api.remove_container, force=True, v=True), found))


@pytest.hookimpl(trylast=True)  # pytest has put tests of one engine together by then
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests take seconds come first, so that no processor is left alone with one of them at the end.

    Those with a test that may take longer than others by a mark come before those with many tests: the random histories
    are a single test, and came last.
    """
    for item in items:
        if "built" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(_BUILD_SECONDS))
    counts = Counter(item.path for item in items)
    longest: dict[Path, float] = defaultdict(float)
    for item in items:
        longest[item.path] = max(longest[item.path], _granted_seconds(item))
    items.sort(
        key=lambda item: (
            item.path.parent.name != "integration",
            -longest[item.path],
            -counts[item.path],
            item.path,
        )
    )


def _granted_seconds(item: pytest.Item) -> float:
    """The time that a test may take, if that is longer than usual; else 0."""
    mark = item.get_closest_marker("timeout")
    seconds = float(mark.args[0]) if mark is not None else 0.0
    return seconds if seconds > float(item.config.getini("timeout")) else 0.0


@pytest.fixture(scope="session")
def built() -> Path:
    """The directory with the packages of this tree."""
    return packages()


@pytest.fixture(scope="session")
def started() -> Iterator[dict[str, engines.Engine]]:
    """The private engines of this session, by version: each is started once, and ends with the session."""
    found: dict[str, engines.Engine] = {}
    yield found
    for engine in found.values():
        engine.stop()


@pytest.fixture(scope="session", params=engines.VERSIONS)
def engine(request: pytest.FixtureRequest, started: dict[str, engines.Engine]) -> engines.Engine:
    """A private engine of each version."""
    version = request.param
    if version not in started:
        started[version] = engines.start(version, f"pytest-{version}-{os.getpid()}")
    return started[version]


@pytest.fixture(scope="session")
def client(engine: engines.Engine) -> Iterator[docker.DockerClient]:
    """A client of the engine, another one than hostwatch's."""
    with closing(docker.DockerClient(base_url=engine.docker_host, timeout=60)) as client:
        yield client


@pytest.fixture
def lab(engine: engines.Engine, client: docker.DockerClient, tmp_path: Path) -> Iterator[Lab]:
    """An engine without containers, with one user-defined network `front` (10.123.0.0/16)."""
    with make_lab(engine, client, tmp_path) as made:
        yield made


@contextmanager
def make_lab(
    engine: engines.Engine, client: docker.DockerClient, directory: Path, kind: type[Lab] = Lab
) -> Iterator[Lab]:
    """Makes a lab, also for fixtures that last longer than a test."""
    network = make_network(client, "front", "10.123.0.0/16")
    made = kind(engine, client, network, directory, environment(engine))
    try:
        yield made
    finally:
        made.clear()
        for left in client.networks.list():
            if left.name not in ("bridge", "host", "none"):
                eventually(partial(is_removed, left))


@contextmanager
def lab_on(engine: engines.Engine, directory: Path) -> Iterator[Lab]:
    """A lab on an engine of the test's own."""
    with (
        closing(docker.DockerClient(base_url=engine.docker_host, timeout=60)) as client,
        make_lab(engine, client, directory) as made,
    ):
        yield made


def environment(engine: engines.Engine) -> dict[str, str]:
    """The variables of commands beside this engine: those of the test, without any other setting."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "HOSTWATCH_"))}
    return environ | {"DOCKER_HOST": engine.docker_host}


def is_removed(network: Network) -> bool:
    """Remove a network; returns whether that worked. 20.10 has an endpoint for a moment after its container is gone."""
    try:
        network.remove()
    except APIError as error:
        if error.status_code != 403:
            raise
        return False
    return True


@pytest.fixture
def proxy(lab: Lab, tmp_path: Path) -> Iterator[Proxy]:
    """A proxy that hostwatch takes for the engine."""
    with proxied(lab.engine.socket, tmp_path / "proxy.sock") as made:
        lab.environ["DOCKER_HOST"] = made.host
        yield made


def make_network(client: docker.DockerClient, name: str, subnet: str | None = None, **options: object) -> Network:
    """A user-defined network."""
    pool = docker.types.IPAMPool(subnet=subnet)
    ipam = docker.types.IPAMConfig(pool_configs=[pool]) if subnet is not None else None
    return client.networks.create(name, ipam=ipam, **options)  # type: ignore[arg-type]
