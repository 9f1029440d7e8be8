"""The table of docs/reference/networks.md: each kind of network is made, and each cell is what subscribers get there.

Real traffic is the judge. What hostwatch publishes is reached. What it withholds has no address that is reached.
"""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import docker
import pytest
from docker.models.containers import Container

from tests import engine as engines
from tests.conftest import Lab, environment, eventually
from tests.image import REPOSITORY

PAGE = REPOSITORY / "docs/reference/networks.md"
VERSIONS = (engines.VERSIONS[0], engines.VERSIONS[-1])
SERVE = "mkdir /www; echo ok >/www/index.html; exec httpd -f -h /www -p "
SERVICE_PORT, HOST_PORT = 80, 8080
IDLE = "exec sleep 1000"
SEVERAL = "--network=a --network=b"
ASK = 'for host in {}; do (timeout 1 wget -q -O /dev/null "http://$host:{}/" 2>/dev/null && echo "$host") & done; wait'
CARD = [
    "ip link add card type veth peer name wire",
    "ip address add 192.168.77.200/24 dev card",
    "ip link set card up",
    "ip link set wire up",
    "ip link add lan type veth peer name lan-wire",
]


class Row(NamedTuple):
    """A row of the table."""

    number: int
    made: str
    """How the network is made."""
    since: str
    """The oldest engine that has it."""
    on_it: str
    """What a container on it gets for a service on it."""
    on_host: str
    """What the host gets for it."""
    of_host: str
    """What a container on it gets for a service of the host."""

    @property
    def network(self) -> str:
        """The name of its network."""
        return f"net-{self.number}"

    @property
    def driver(self) -> str:
        """The driver of its network."""
        found = re.search(r"--driver=(\w+)", self.made)
        return found[1] if found is not None else "bridge"

    def name(self, role: str) -> str:
        """The name of the container with this role."""
        return f"{role}-{self.number}"


def rows() -> list[Row]:
    """The rows of the table."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    cells = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in lines)
    return [Row(number, made.strip("`"), *others) for number, (made, *others) in enumerate(cells)]


def reasons() -> dict[str, str]:
    """The reasons that the cells refer to, by their marks."""
    return dict(re.findall(r"^- \((\w)\) `(.*)`$", PAGE.read_text(), re.MULTILINE))


@dataclass(frozen=True)
class World:
    """One engine with every kind of network, and what hostwatch has made of it."""

    lab: Lab
    missing: dict[str, str]
    """The kinds that this machine's kernel lacks, with the engine's error."""

    @cached_property
    def status(self) -> dict[str, Any]:
        """What `status` says of each subscriber, by its name."""
        told = json.loads(self.lab.command("status", "--json", "-c", str(self.lab.directory / "hostwatch.yaml")).stdout)
        return {subscriber["name"]: subscriber for subscriber in told["subscribers"]}

    def container(self, name: str) -> Container:
        """A container."""
        return self.lab.client.containers.get(name)

    def host_addresses(self) -> list[str]:
        """All addresses of the host."""
        told = subprocess.check_output(
            self.lab.engine.enter("ip", "-o", "address", "show", "scope", "global"), text=True
        )
        return re.findall(r"inet6? (\S+)/", told)

    def addresses(self, name: str) -> list[str]:
        """All addresses of a container."""
        networks = self.container(name).attrs["NetworkSettings"]["Networks"].values()
        return [found[key] for found in networks for key in ("IPAddress", "GlobalIPv6Address") if found[key]]

    def published(self, subscriber: str, name: str) -> list[str]:
        """The addresses under a name in a subscriber's file."""
        text = Path(self.status[subscriber]["path"]).read_text()
        lines = text.partition("# hostwatch: begin\n")[2].partition("# hostwatch: end\n")[0].splitlines()
        fields = [line.partition("#")[0].split() for line in lines]
        return [address for address, *names in filter(None, fields) if name in names]

    def cell(self, row: Row, subscriber: str, name: str) -> str:
        """What a subscriber gets under a name, in the words of the table."""
        found = ["IPv6" if ":" in address else "IPv4" for address in self.published(subscriber, name)]
        return " and ".join(found) or f"none ({self.mark(row, subscriber, name)})"

    def mark(self, row: Row, subscriber: str, name: str) -> str:
        """The mark of the reason for which nothing is published under a name; the reason itself if it has none."""
        withheld = self.status[subscriber]["withheld"]
        [reason] = {line["reason"].removeprefix(f"{name}: ") for line in withheld if line["line"].split()[-1] == name}
        told = (
            reason.replace(row.network, "NETWORK")
            .replace(f"{row.driver} NETWORK", "DRIVER NETWORK")
            .replace(row.name("db"), "CONTAINER")
        )
        return next((mark for mark, text in reasons().items() if text == told), told)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    """The engine of a version with every kind of network that it has, started once."""
    with ExitStack() as stack:
        yield cache(lambda version: stack.enter_context(world(version, tmp_path_factory.mktemp("networks"))))


@contextmanager
def world(version: str, directory: Path) -> Iterator[World]:
    """An engine with every kind of network that it has. Nothing is removed in the end: the engine goes as a whole."""
    engine = engines.start(version, f"networks-{version}-{os.getpid()}")
    try:
        for command in CARD:
            subprocess.run(engine.enter(*command.split()), check=True)
        with closing(docker.DockerClient(base_url=engine.docker_host, timeout=60)) as client:
            lab = Lab(engine, client, client.networks.get("bridge"), directory, environment(engine))
            yield populated(lab, [row for row in rows() if is_in(row, version)])
    finally:
        engine.stop()


def is_in(row: Row, version: str) -> bool:
    """Whether an engine of this version has this kind of network."""
    return engines.VERSIONS.index(row.since) <= engines.VERSIONS.index(version)


def populated(lab: Lab, here: list[Row]) -> World:
    """Make a network of each kind, a service and a subscriber on it, and the subscribers in the host's network."""
    everything = [row.name("db") for row in here]
    hosts = lab.directory / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    lab.run("hosted", f"{SERVE}{HOST_PORT}", network_mode="host")
    lab.run("on-host", network_mode="host")
    with ThreadPoolExecutor(2) as pool:
        faults = pool.map(lambda row: fault(lab, row), here)
        missing = {row.made: error for row, error in zip(here, faults, strict=True) if error is not None}
    listed = json.dumps(everything)
    configuration = lab.configured(
        f"subscribers:\n  on-host: {{match: {{name: on-host}}, services: {listed}}}\n"
        f"  this-host: {{file: {hosts}, services: {listed}}}\n"
    )
    lab.command("sync", "-c", configuration)
    return World(lab, missing)


def fault(lab: Lab, row: Row) -> str | None:
    """Make the network and the containers of a row; returns the engine's error if the kernel has no such network."""
    try:
        make(lab, row)
    except engines.EngineError as error:
        if "not supported" in str(error):
            return str(error)
        raise
    return None


def make(lab: Lab, row: Row) -> None:
    """Make the network and the containers of a row."""
    service = row.name("db")
    where = [row.made] if row.made.startswith("--network") else [f"--network={row.network}"]
    if row.made == SEVERAL:
        where = row.made.split()
        for network in where:
            lab.engine.docker("network", "create", network.partition("=")[2])
    elif row.made not in where:
        lab.engine.docker("network", "create", *shlex.split(row.made), row.network)

    def run(role: str, place: list[str], command: str, label: str = "role") -> None:
        options = ["--detach", "--stop-signal=SIGKILL", f"--name={row.name(role)}", f"--label={label}", *place]
        lab.engine.docker("run", *options, "busybox", "sh", "-c", command)

    run("db", where, f"{SERVE}{SERVICE_PORT}")
    run("web", where, IDLE, f"hostwatch.services={service}, hosted")
    joined = f"hostwatch.hosts=@{{{service}.ip}} joined\n@{{hosted.ip}} host-joined"
    run("car", [f"--network=container:{row.name('web')}"], IDLE, joined)


def answering(container: Container, addresses: list[str], port: int) -> set[str]:
    """Those of the addresses that answer to a request from within a container."""
    hosts = " ".join(f"[{address}]" if ":" in address else address for address in addresses)
    output = container.exec_run(["sh", "-c", ASK.format(hosts, port)]).output
    assert isinstance(output, bytes)
    return {line.strip("[]") for line in output.decode().split()}


def agrees(container: Container, published: list[str], others: list[str], port: int) -> None:
    """What is published is reached; if nothing is, none of the others is."""
    if published:
        eventually(lambda: answering(container, published, port) == set(published))
    else:
        assert answering(container, others, port) == set()


CASES = {f"{version}: {row.made}": (version, row) for version in VERSIONS for row in rows() if is_in(row, version)}


@pytest.mark.parametrize("case", CASES)
def test_a_row_of_the_table(worlds: Callable[[str], World], case: str) -> None:
    """Each subscriber gets what the table says, and traffic agrees."""
    version, row = CASES[case]
    world = worlds(version)
    if row.made in world.missing:
        pytest.skip(world.missing[row.made])
    db, web = row.name("db"), row.name("web")
    service, subscriber, host = (world.container(name) for name in (db, web, "on-host"))
    own = world.addresses(db)
    eventually(lambda: answering(service, own, SERVICE_PORT) == set(own))
    # A container on the network, and one that joins it.
    assert world.cell(row, web, db) == row.on_it
    assert world.published(web, "joined") == world.published(web, db)[:1]
    agrees(subscriber, world.published(web, db), own, SERVICE_PORT)
    # A container in the host's network, and a file on the host.
    assert world.cell(row, "on-host", db) == row.on_host
    assert world.published("this-host", db) == world.published("on-host", db)
    agrees(host, world.published("on-host", db), own, SERVICE_PORT)
    # The host, for a container on the network.
    assert world.cell(row, web, "hosted") == row.of_host
    assert world.published(web, "host-joined") == world.published(web, "hosted")[:1]
    agrees(subscriber, world.published(web, "hosted"), world.host_addresses(), HOST_PORT)


def test_every_reason_is_in_the_table() -> None:
    """No reason is listed that no row has."""
    marks = {mark for row in rows() for cell in row[3:] for mark in re.findall(r"\((\w)\)", cell)}
    assert marks == reasons().keys()
