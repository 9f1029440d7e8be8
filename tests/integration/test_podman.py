"""Podman behind its Docker-compatible API, an engine with other habits: see tests/engine/README.md."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from hostwatch.docker.connect import located_engine
from hostwatch.docker.engine import DockerEngine
from tests import engine as engines
from tests.conftest import Lab, eventually, make_lab, make_network

WANTS_DB = {"hostwatch.hosts": "@{db.ip} db"}


class PodmanLab(Lab):
    """Podman keeps hosts files below its run root, not its data root."""

    def hosts_path(self, container: Container) -> Path:
        """The file's path, from the engine; a container that was never started has none."""
        container.reload()
        return Path(container.attrs["HostsPath"])


@pytest.fixture(scope="module", params=engines.PODMANS[:1])
def podman(request: pytest.FixtureRequest) -> Iterator[engines.Engine]:
    """A private Podman service."""
    started = engines.start(request.param, f"podman-{os.getpid()}")
    yield started
    started.stop()


@pytest.fixture
def lab(podman: engines.Engine, tmp_path: Path) -> Iterator[Lab]:
    """The lab of the other tests, on Podman."""
    with (
        closing(docker.DockerClient(base_url=podman.docker_host, timeout=60)) as client,
        make_lab(podman, client, tmp_path, PodmanLab) as made,
    ):
        yield made


# Needs to know where Podman keeps hosts files (HostsPath, or runRoot of GET /libpod/info), for all that follows.


def test_a_subscriber_follows_a_service(lab: Lab) -> None:
    """The block is there, in the container too. It follows the service to a new address and to new names."""
    with lab.hostwatch():
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


def test_an_image_goes_by_its_short_name(lab: Lab) -> None:
    """Podman tells the full name. A glob matches as with Docker."""
    lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels={"hostwatch.hosts": "@{boxes.ip[0]} boxes"})
    lab.command("sync", "-c", lab.configured("services: {boxes: {match: {image: busybox, name: db}}}\n"))
    assert lab.records(web)["boxes"] == ["10.123.7.7"]


def test_the_default_network_serves_too(lab: Lab) -> None:
    """Podman calls it by two names."""
    with lab.hostwatch():
        db = lab.run("db", network_mode="bridge")
        web = lab.run("web", labels=WANTS_DB, network_mode="bridge")
        settled(lab, web, address(lab, db))


def test_the_block_is_back_at_each_start(lab: Lab) -> None:
    """Podman writes a new file, with another inode."""
    with lab.hostwatch():
        lab.run("db", address="10.123.7.7")
        web = lab.run("web", labels=WANTS_DB)
        settled(lab, web, "10.123.7.7")
        web.restart(timeout=0)
        settled(lab, web, "10.123.7.7")
        web.kill()
        web.wait()
        web.start()
        settled(lab, web, "10.123.7.7")


def test_the_block_is_there_at_the_first_instruction(lab: Lab) -> None:
    """Podman writes the file some 50 ms before: in time for a restart. Its event of a new container is late."""
    command = "cat /etc/hosts >>/seen; exec sleep 1000"
    with lab.hostwatch():
        lab.run("db", address="10.123.7.7")
        web = lab.run("web", command, labels=WANTS_DB)
        for _ in range(4):
            web.restart(timeout=0)
        eventually(lambda: read(web, "/seen").count("localhost ip6-localhost") == 5)
        _, _, *restarts = read(web, "/seen").split("localhost ip6-localhost")
        assert ["10.123.7.7      db\n" in seen for seen in restarts] == [True] * 4


# Needs our own lines to be known again when the engine has dropped the markers around them.


def test_a_disconnect_leaves_no_line_behind(lab: Lab) -> None:
    """Podman drops all comments, so the markers, and keeps our lines. The file then has one block and no line twice."""
    back = make_network(lab.client, "back")
    with lab.hostwatch():
        db = lab.run("db", address="10.123.7.7")
        web = lab.run("web", labels=WANTS_DB)
        settled(lab, web, "10.123.7.7")
        back.connect(web)
        settled(lab, web, "10.123.7.7")
        back.disconnect(web)
        settled(lab, web, "10.123.7.7")
        db.remove(force=True)
        lab.run("db", address="10.123.7.8")
        settled(lab, web, "10.123.7.8")
        back.connect(web)
        settled(lab, web, "10.123.7.8")


def test_a_move_during_a_disconnect_leaves_no_line_behind(lab: Lab) -> None:
    """The old line has lost its marker, and must not shadow the new one for ever."""
    back = make_network(lab.client, "back")
    with lab.hostwatch():
        lab.run("db", address="10.123.7.7")
        web = lab.run("web", labels=WANTS_DB)
        back.connect(web)
        settled(lab, web, "10.123.7.7")
        for number in range(8, 12):
            lab.client.containers.get("db").remove(force=True)
            back.disconnect(web)
            lab.run("db", address=f"10.123.7.{number}")
            back.connect(web)
            settled(lab, web, f"10.123.7.{number}")


def test_a_subscriber_that_changes_networks_gets_its_line(lab: Lab) -> None:
    """The event does not have the addresses, so the container is read."""
    back = make_network(lab.client, "back")
    with lab.hostwatch():
        db = lab.run("db", network="back")
        web = lab.run("web", labels=WANTS_DB)
        eventually(lambda: "# withheld" in lab.hosts(web))
        back.connect(web)
        settled(lab, web, address(lab, db, "back"))
        back.disconnect(web)
        eventually(lambda: not bindings(lab, web))


# Needs an identity of the engine that lasts: the ID of Podman's /info is another one at each request.


async def test_the_engine_has_one_identity(lab: Lab) -> None:
    """It is part of the key of each container."""
    async with DockerEngine(located_engine(lab.engine.docker_host, {})) as source:
        first, second = await source.info(), await source.info()
    assert first.id == second.id


def test_a_service_that_is_restarted_is_the_same_engine(lab: Lab) -> None:
    """Its containers live on, and none is taken for two."""
    with lab.hostwatch() as hostwatch:
        lab.run("db", address="10.123.7.7")
        web = lab.run("web", labels=WANTS_DB)
        settled(lab, web, "10.123.7.7")
        for number in (8, 9):
            lab.engine.restart()
            eventually(lambda number=number: hostwatch.log.count("connected to engine") == number - 6)  # type: ignore[misc]
            lab.client.containers.get("db").remove(force=True)
            lab.run("db", address=f"10.123.7.{number}")
            settled(lab, web, f"10.123.7.{number}")
    # A container that is known under two identities has two blocks in turn: its line goes and comes back.
    changes = re.findall(r"web: db (\S+ → \S+) ", hostwatch.log)
    assert changes == ["- → 10.123.7.7", "10.123.7.7 → 10.123.7.8", "10.123.7.8 → 10.123.7.9"], hostwatch.log


def test_the_commands(lab: Lab) -> None:
    """`sync` writes a block, `status` finds it right, and `clean` removes it."""
    lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels=WANTS_DB)
    before = lab.hosts(web)
    assert "10.123.7.7      db" in lab.command("plan").stdout
    lab.command("sync")
    settled(lab, web, "10.123.7.7")
    status = json.loads(lab.command("status", "--json").stdout)
    assert status["engine"]["version"].startswith(lab.engine.version.removeprefix("podman-"))
    [subscriber] = status["subscribers"]
    assert (subscriber["path"], subscriber["in_sync"]) == (str(lab.hosts_path(web)), True)
    [record] = subscriber["records"]
    assert (record["address"], record["names"], record["service"]) == ("10.123.7.7", ["db"], "db")
    lab.command("clean")
    assert lab.hosts(web) == before


def test_status_needs_no_file(lab: Lab) -> None:
    """It shows services and their addresses."""
    lab.run("db", address="10.123.7.7")
    status = json.loads(lab.command("status", "--json").stdout)
    [service] = status["services"]
    assert service["containers"][0]["addresses"] == {"front": ["10.123.7.7"]}


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
