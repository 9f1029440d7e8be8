"""Podman behind its Docker-compatible API, an engine with other habits: see tests/engine/README.md."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from hostwatch.docker.connect import located_engine
from hostwatch.docker.engine import DockerEngine
from tests import engine as engines
from tests.conftest import Hostwatch, Lab, eventually, make_lab, make_network
from tests.integration.test_init import crowded, does_what_it_says

WANTS_DB = {"hostwatch.hosts": "@{db.ip} db"}
IMAGE = "docker.io/library/busybox:latest"
MARK = "--start--"
everywhere = pytest.mark.parametrize("world", engines.PODMANS, indirect=True)
"""For what matters most: on the newest version, too."""


class PodmanLab(Lab):
    """Podman keeps hosts files below its run root, not its data root."""

    def hosts_path(self, container: Container) -> Path:
        """The file's path, from the engine; a container that was never started has none."""
        container.reload()
        return Path(container.attrs["HostsPath"])


@dataclass(frozen=True)
class World:
    """A Podman service with the daemon beside it."""

    lab: Lab
    hostwatch: Hostwatch


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    """The world of a version, started once."""
    with ExitStack() as stack:

        @cache
        def started(version: str) -> World:
            lab = stack.enter_context(podman_lab(version, "d", tmp_path_factory.mktemp("podman")))
            return World(lab, stack.enter_context(lab.hostwatch()))

        yield started


@pytest.fixture(params=engines.PODMANS[:-1])
def world(request: pytest.FixtureRequest, worlds: Callable[[str], World]) -> Iterator[World]:
    """The world of each version but the newest, which is tested in short."""
    found = worlds(request.param)
    yield found
    found.lab.clear()
    for left in found.lab.client.networks.list(names=["back"]):
        left.remove()


@pytest.fixture
def lab(world: World) -> Lab:
    """The lab of the other tests, on Podman, with the daemon beside it."""
    return world.lab


@contextmanager
def podman_lab(version: str, role: str, directory: Path) -> Iterator[Lab]:
    """A private Podman service. The path of its directory must be short."""
    engine = engines.start(version, f"{version.removeprefix('podman-')}{role}-{os.getpid()}")
    try:
        with (
            closing(docker.DockerClient(base_url=engine.docker_host, timeout=60)) as client,
            make_lab(engine, client, directory, PodmanLab) as made,
        ):
            yield made
    finally:
        engine.stop()


# Needs to know where Podman keeps hosts files (HostsPath, or runRoot of GET /libpod/info), for all that follows.


@everywhere
def test_a_subscriber_follows_a_service(lab: Lab) -> None:
    """The block is there, in the container too. It follows the service to a new address and to new names."""
    db = lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels=WANTS_DB)
    settled(lab, web, "10.123.7.7")
    db.remove(force=True)
    db = lab.run("db", address="10.123.7.8")
    settled(lab, web, "10.123.7.8")
    db.restart(timeout=0)
    db.rename("other")
    eventually(lambda: not bindings(lab, web))
    db.rename("db")
    settled(lab, web, address(lab, db))
    # On the default network, which Podman calls by two names.
    other = lab.run("other", network_mode="bridge")
    near = lab.run("near", labels={"hostwatch.hosts": "@{other.ip} db"}, network_mode="bridge")
    settled(lab, near, address(lab, other))


@everywhere
def test_the_block_is_there_at_the_first_instruction(lab: Lab) -> None:
    """Podman makes the file anew, with another inode: in time for a restart. Its event of a new container is late."""
    command = f"(echo {MARK}; cat /etc/hosts) >>/seen; exec sleep 1000"
    lab.run("db", address="10.123.7.7")
    web = lab.run("web", command, labels=WANTS_DB)
    settled(lab, web, "10.123.7.7")
    for start in range(1, 4):
        web.restart(timeout=0)
        eventually(lambda start=start: read(web, "/seen").count(MARK) == start + 1)  # type: ignore[misc]
    web.kill()
    web.wait()
    web.start()
    settled(lab, web, "10.123.7.7")
    eventually(lambda: read(web, "/seen").count("10.123.7.7      db\n") >= 4)
    _, _, *restarts = read(web, "/seen").split(MARK)
    assert ["10.123.7.7      db\n" in seen for seen in restarts] == [True] * 4


# Needs Podman's other containers: those of its own command, of units, in pods, in the host's network.


@pytest.mark.parametrize("world", engines.PODMANS[-1:], indirect=True)
def test_a_quadlet_s_container(lab: Lab, tmp_path: Path) -> None:
    """The unit's command, as Podman's generator writes it, makes the container anew at each start of the unit."""
    label = '"hostwatch.hosts=@{db.ip} db"'
    unit = "[Container]\nContainerName=web\nExec=sleep 1000\nNetwork=front\nPodmanArgs=--stop-signal=KILL\n"
    unit += f"Image={IMAGE}\nLabel={label}\n"
    (tmp_path / "web.container").write_text(unit)
    generate = lab.engine.enter("env", f"QUADLET_UNIT_DIRS={tmp_path}", "/usr/libexec/podman/quadlet", "-dryrun")
    made = subprocess.run(generate, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^ExecStart=/usr/bin/podman (run .*)$", made, re.MULTILINE)
    assert found is not None, made
    words = [word.replace(r"\x20", " ").replace("%t/%N", str(tmp_path / "web")) for word in shlex.split(found[1])]
    # Without the service manager there is nobody to notify, and no group of the unit.
    command = [word for word in words if not word.startswith(("--sdnotify=", "--cgroups="))]
    lab.run("db", address="10.123.7.7")
    for _ in range(2):
        lab.engine.podman(*command)
        settled(lab, lab.client.containers.get("web"), "10.123.7.7")
    lab.client.containers.get("db").remove(force=True)
    lab.run("db", address="10.123.7.8")
    settled(lab, lab.client.containers.get("web"), "10.123.7.8")


@pytest.mark.parametrize("world", engines.PODMANS[1:2], indirect=True)
def test_a_pod_and_the_host_s_network(lab: Lab) -> None:
    """The containers of a pod have its file and its address. A container in host mode has a file of its own."""
    lab.run("db", address="10.123.7.7")
    infra = [f"--infra-image={IMAGE}", "--infra-command=/bin/sleep 1000", "--infra-name=infra"]
    lab.engine.podman("pod", "create", "--name=pod", "--network=front", *infra)
    run = ["run", "--detach", "--stop-signal=KILL", "--label=hostwatch.hosts=@{db.ip} db"]
    lab.engine.podman(*run, "--pod=pod", "--name=member", IMAGE, "sleep", "1000")
    on_host = lab.run("on-host", network_mode="host", labels={"hostwatch.hosts": "@{db.ip} db\n@{member.ip} pod"})
    web = lab.run("web", labels={"hostwatch.hosts": "@{member.ip} member\n@{on-host.ip} host"})
    member, infra_ = lab.client.containers.get("member"), lab.client.containers.get("infra")
    assert lab.hosts_path(member) == lab.hosts_path(infra_)
    settled(lab, member, "10.123.7.7")
    pod = address(lab, infra_)
    eventually(lambda: lab.records(on_host) == {"db": ["10.123.7.7"], "pod": [pod]})
    eventually(lambda: lab.records(web) == {"member": [pod], "host": ["10.123.0.1"]})
    lab.engine.podman("rm", "--force", "--time=0", "member")
    lab.engine.podman("pod", "rm", "--force", "--time=0", "pod")


# Needs our own lines to be known again when the engine has dropped the markers around them.


def test_a_disconnect_leaves_no_line_behind(lab: Lab) -> None:
    """Podman drops all comments, so the markers, and keeps our lines: the old one must not shadow the new one."""
    back = make_network(lab.client, "back")
    lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels=WANTS_DB)
    settled(lab, web, "10.123.7.7")
    back.connect(web)
    settled(lab, web, "10.123.7.7")
    back.disconnect(web)
    settled(lab, web, "10.123.7.7")
    back.connect(web)
    for number in (8, 9):
        lab.client.containers.get("db").remove(force=True)
        back.disconnect(web)
        lab.run("db", address=f"10.123.7.{number}")
        back.connect(web)
        settled(lab, web, f"10.123.7.{number}")


def test_a_subscriber_that_changes_networks_gets_its_line(lab: Lab) -> None:
    """The event does not have the addresses, so the container is read."""
    back = make_network(lab.client, "back")
    db = lab.run("db", network="back")
    web = lab.run("web", labels=WANTS_DB)
    eventually(lambda: "# withheld" in lab.hosts(web))
    back.connect(web)
    settled(lab, web, address(lab, db, "back"))
    back.disconnect(web)
    eventually(lambda: not bindings(lab, web))


def test_a_resolv_conf(lab: Lab) -> None:
    """The block is there at the first instruction of a restart, and of a start of a container that had ended.

    It goes back to the head where networks change.
    """
    back = make_network(lab.client, "back")
    lab.run("dns", address="10.123.7.7")
    command = f"(echo {MARK}; cat /etc/resolv.conf) >>/seen; exec sleep 1000"
    web = lab.run("web", command, labels={"hostwatch.resolv": "nameserver @{dns.ip}"})
    path = lab.hosts_path(web).with_name("resolv.conf")
    at_head = "# hostwatch: begin\nnameserver 10.123.7.{}"
    eventually(lambda: path.read_text().startswith(at_head.format(7)))
    for start in range(1, 4):
        web.restart(timeout=0)
        eventually(lambda start=start: read(web, "/seen").count(MARK) == start + 1)  # type: ignore[misc]
    web.kill()
    eventually(lambda: "no running container subscribes" in lab.command("status").stdout)
    web.start()
    eventually(lambda: read(web, "/seen").count(MARK) == 5)
    _, _, *restarts = read(web, "/seen").split(f"{MARK}\n")
    assert [seen.startswith(at_head.format(7)) for seen in restarts] == [True] * 4
    for number in (8, 9):
        back.connect(web)
        lab.client.containers.get("dns").remove(force=True)
        back.disconnect(web)
        lab.run("dns", address=f"10.123.7.{number}")
        eventually(lambda number=number: path.read_text().startswith(at_head.format(number)))  # type: ignore[misc]
        assert path.read_text().count("10.123.7.") == 1


# Needs an identity of the engine that lasts: the ID of Podman's /info is another one at each request.


async def test_the_engine_has_one_identity(lab: Lab) -> None:
    """It is part of the key of each container."""
    async with DockerEngine(located_engine(lab.engine.docker_host, {})) as source:
        first, second = await source.info(), await source.info()
    assert first.id == second.id


def test_a_service_that_is_restarted_is_the_same_engine(world: World) -> None:
    """Its containers live on, and none is taken for two."""
    lab, before = world.lab, len(world.hostwatch.log)
    lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels=WANTS_DB)
    settled(lab, web, "10.123.7.7")
    lab.engine.restart()
    eventually(lambda: "connected to engine" in world.hostwatch.log[before:])
    lab.client.containers.get("db").remove(force=True)
    lab.run("db", address="10.123.7.8")
    settled(lab, web, "10.123.7.8")
    # A container that is known under two identities has two blocks in turn: its line goes and comes back.
    changes = re.findall(r"web: db (\S+ → \S+) ", world.hostwatch.log[before:])
    assert changes == ["- → 10.123.7.7", "10.123.7.7 → 10.123.7.8"], world.hostwatch.log


@pytest.mark.parametrize("version", engines.PODMANS[:1])
def test_the_commands(version: str, tmp_path: Path) -> None:
    """`sync` writes a block, `status` finds it right, and `clean` removes it: beside the daemon of another Podman.

    Podman tells the full name of an image. A glob matches as with Docker.
    """
    with podman_lab(version, "c", tmp_path) as lab:
        lab.run("db", address="10.123.7.7")
        web = lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db\n@{boxes.ip} boxes"})
        before = lab.hosts(web)
        boxes = ("-c", lab.configured("services: {boxes: {match: {image: busybox, name: db}}}\n"))
        lab.command("sync", *boxes)
        assert lab.records(web) == {"db": ["10.123.7.7"], "boxes": ["10.123.7.7"]}
        status = json.loads(lab.command("status", "--json", *boxes).stdout)
        assert status["engine"]["version"].startswith(version.removeprefix("podman-"))
        [subscriber] = status["subscribers"]
        assert (subscriber["path"], subscriber["in_sync"]) == (str(lab.hosts_path(web)), True)
        records = [(record["address"], record["service"]) for record in subscriber["records"]]
        assert records == [("10.123.7.7", "db"), ("10.123.7.7", "boxes")]
        lab.command("clean", *boxes)
        assert lab.hosts(web) == before


def settled(lab: Lab, web: Container, address: str) -> None:
    """Wait until `db` has this address: in the one block, in no line outside of it, and in the container."""
    eventually(lambda: lab.records(web) == {"db": [address]} and bindings(lab, web) == [address])
    assert bindings(lab, web, lab.seen(web)) == [address]


def bindings(lab: Lab, web: Container, text: str | None = None) -> list[str]:
    """The addresses of all lines that name `db`, in any place; by default in the file on the host."""
    lines = (line.partition("#")[0].split() for line in (text or lab.hosts(web)).splitlines())
    return [fields[0] for fields in lines if "db" in fields[1:]]


def address(lab: Lab, container: Container, network: str | None = None) -> str:
    """The container's address on its only network, or on this one."""
    networks = lab.client.containers.get(str(container.id)).attrs["NetworkSettings"]["Networks"]
    found = networks[network] if network else next(iter(networks.values()))
    return str(found["IPAddress"])


def read(container: Container, path: str) -> str:
    """The text of a file in the container."""
    output = container.exec_run(["cat", path]).output
    assert isinstance(output, bytes)
    return output.decode()


@pytest.mark.parametrize("world", ["podman-5.4"], indirect=True)
def test_a_first_configuration_does_what_it_says(lab: Lab, tmp_path: Path) -> None:
    """Its default network has another name."""
    crowded(lab)
    does_what_it_says(lab, tmp_path / "hostwatch.yaml")
