"""Two projects of a real Compose with the same service names: each finds its own services, at every step.

All containers of both share one network besides their own project's, where each name is an alias of both projects.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from tests import engine as engines
from tests import image
from tests.conftest import Hostwatch, Lab, eventually, make_lab, newest_only

oldest_and_newest = pytest.mark.parametrize("engine", [engines.VERSIONS[0], engines.VERSIONS[-1]], indirect=True)

FILE = """\
x-service: &service
  image: busybox
  pull_policy: never
  command: sleep 1000
  stop_signal: SIGKILL
  networks: [default, front]
services:
  db: *service
  cache: *service
  web:
    <<: *service
    labels:
      hostwatch.hosts: "@{db.ip[1]} second"
      hostwatch.services: "db, cache"
networks:
  front: {external: true}
"""
CONFIGURATION = """\
timing: {linger: 1s}
services:
  shop-db: {match: {project: shop, service: db}}
  blog-db: {match: {project: blog, service: "d*"}}
subscribers:
  outside: {match: {name: outside}, services: [shop-db, blog-db]}
"""
RECREATIONS = 2


@dataclass
class Project:
    """One project of the compose file."""

    lab: Lab
    name: str

    def compose(self, *arguments: str) -> None:
        """Run `docker-compose`."""
        file = self.lab.directory / "compose.yaml"
        file.write_text(FILE)
        command: list[str | Path] = [image.compose(), "--project-name", self.name, "--file", file, *arguments]
        environ = self.lab.environ | {"DOCKER_CONFIG": str(self.lab.directory)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    def containers(self, service: str) -> list[Container]:
        """The containers of a service, by number."""
        found = {"project": self.name, "service": service, "oneoff": "False"}
        labels = [f"com.docker.compose.{label}={value}" for label, value in found.items()]
        listed = self.lab.client.containers.list(all=True, filters={"label": labels})
        return sorted(listed, key=lambda container: int(container.labels["com.docker.compose.container-number"]))

    def addresses(self, service: str) -> list[str]:
        """Their addresses from the engine, on the first by name of the two networks that all share."""
        places = [container.attrs["NetworkSettings"]["Networks"] for container in self.containers(service)]
        return [place[min(place)]["IPAddress"] for place in places]

    def owned(self, service: str) -> set[str]:
        """All their addresses. During a start the engine tells one network after the other."""
        places = [container.attrs["NetworkSettings"]["Networks"] for container in self.containers(service)]
        return {endpoint["IPAddress"] for place in places for endpoint in place.values()}

    @property
    def web(self) -> Container:
        """The subscriber."""
        (found,) = self.containers("web")
        return found

    def wanted(self) -> dict[str, list[str]]:
        """The desired records in web's file: each name with the containers of its own project, in order."""
        db, cache = self.addresses("db"), self.addresses("cache")
        return {"second": db[1:2], "db": db, "cache": cache} if db[1:] else {"db": db, "cache": cache}

    def follows(self) -> None:
        """Wait until web's file has these records."""
        wanted = self.wanted()
        eventually(lambda: self.lab.records(self.web) == wanted)


@dataclass
class World:
    """Both projects, a container outside of them, and hostwatch beside them."""

    lab: Lab
    hostwatch: Hostwatch
    shop: Project
    blog: Project
    outside: Container

    def outside_follows(self) -> None:
        """Wait until the file of `outside` has the databases of both."""
        wanted = {f"{project.name}-db": project.addresses("db") for project in (self.shop, self.blog)}
        eventually(lambda: self.lab.records(self.outside) == wanted)

    def told(self) -> list[tuple[str, dict[str, list[str]]]]:
        """The changes of files in the log so far: the subscriber, and each changed name with its new addresses."""
        lines = [json.loads(line) for line in self.hostwatch.log.rpartition("\n")[0].splitlines()]
        return [
            (line["subscriber"], {change["name"]: change["new"] for change in line["changes"]})
            for line in lines
            if "changes" in line
        ]

    def told_all(self) -> int:
        """The number of changes in the log, once it has all changes of the three files so far."""
        files = {"shop-web-1": self.shop.web, "blog-web-1": self.blog.web, "outside": self.outside}
        for name, container in files.items():
            wanted = self.lab.records(container)
            eventually(lambda name=name, wanted=wanted: self.addresses(name).items() >= wanted.items())  # type: ignore[misc]
        return len(self.told())

    def addresses(self, subscriber: str) -> dict[str, list[str]]:
        """The records in a subscriber's file by the log."""
        found: dict[str, list[str]] = {}
        for name, changes in self.told():
            found |= changes if name == subscriber else {}
        return found


@pytest.fixture(scope="module")
def lasting(
    engine: engines.Engine, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Both projects. `outside` is in the host's network and subscribes to the databases of both."""
    directory = tmp_path_factory.mktemp("compose")
    with make_lab(engine, client, directory) as lab:
        configuration = lab.configured(CONFIGURATION)
        with lab.hostwatch("-c", configuration, "--log-format", "json") as hostwatch:
            outside = lab.run("outside", network_mode="host")
            yield World(lab, hostwatch, Project(lab, "shop"), Project(lab, "blog"), outside)


@pytest.fixture
def world(lasting: World) -> World:
    """Each test finds both projects up, with one container of each service."""
    for project in (lasting.shop, lasting.blog):
        project.compose("up", "--detach")
        project.follows()
    lasting.outside_follows()
    return lasting


@newest_only
def test_each_project_finds_its_own_services(world: World) -> None:
    """Scaled up, a name has a line for each replica in the order of their numbers. Scaled down, it has one line."""
    shop, blog = world.shop, world.blog
    untouched = world.lab.hosts(blog.web)
    assert not {*shop.addresses("db")} & {*blog.addresses("db")}
    shop.compose("up", "--detach", "--scale", "db=3")
    assert len(shop.addresses("db")) == 3
    shop.follows()
    world.outside_follows()
    shop.compose("run", "--detach", "--no-deps", "db")  # it has no name: it runs a single command
    shop.compose("up", "--detach", "--scale", "db=1")
    shop.follows()
    reason = "# withheld: @{db.ip[1]} second  (db: no replica 1 (there are 1))"
    eventually(lambda: reason in world.lab.block(shop.web))
    assert world.lab.hosts(blog.web) == untouched


@oldest_and_newest
def test_a_recreated_service_is_never_announced_at_a_wrong_address(world: World) -> None:
    """Compose creates under other names, stops, removes, renames and starts. Addresses go from one to another."""
    shop, blog = world.shop, world.blog
    shop.compose("up", "--detach", "--scale", "db=3")
    shop.follows()
    world.outside_follows()
    untouched = world.lab.hosts(blog.web)
    told = world.told_all()
    said = world.lab.records(shop.web)
    owned = {service: shop.owned(service) for service in ("db", "cache")}
    for _ in range(RECREATIONS):
        shop.compose("up", "--detach", "--force-recreate", "--no-deps", "--scale", "db=3", "db", "cache")
        shop.follows()
        for service, addresses in owned.items():
            addresses.update(shop.owned(service))
    world.outside_follows()
    world.told_all()
    for subscriber, changes in world.told()[told:]:
        if subscriber == "outside":
            assert {*changes["shop-db"]} <= owned["db"]
            continue
        assert subscriber == "shop-web-1"
        said |= changes
        assert {*said["db"], *said["second"]} <= owned["db"]
        assert {*said["cache"]} <= owned["cache"]
        assert not {*said["db"], *said["second"]} & {*said["cache"]}, world.hostwatch.log
    assert said == world.lab.records(shop.web)
    assert world.lab.hosts(blog.web) == untouched


@newest_only
def test_a_recreated_project_ends_right(world: World) -> None:
    """The subscriber is recreated, too, and may get an address that a database had before."""
    for project in (world.shop, world.blog):
        told = world.told_all()
        before = project.web.id
        owned = project.owned("db")
        project.compose("up", "--detach", "--force-recreate")
        assert project.web.id != before
        project.follows()
        owned |= project.owned("db")
        world.told_all()
        new = [changes for subscriber, changes in world.told()[told:] if "web" in subscriber]
        assert {address for changes in new for address in changes.get("db", [])} <= owned
    world.outside_follows()
    world.shop.follows()


@newest_only
def test_a_project_that_is_down_leaves_nothing(world: World) -> None:
    """A subscriber from outside gets the reason. The other project's files and log lines do not change."""
    shop, blog = world.shop, world.blog
    untouched = world.lab.hosts_path(blog.web).stat().st_mtime_ns
    told = world.told_all()
    shop.compose("down", "--remove-orphans")
    gone = "# withheld: @{shop-db.ip} shop-db  (shop-db: no running container)"
    eventually(lambda: gone in world.lab.block(world.outside))
    assert world.lab.records(world.outside) == {"blog-db": blog.addresses("db")}
    assert world.lab.hosts_path(blog.web).stat().st_mtime_ns == untouched
    blog.follows()
    assert {subscriber for subscriber, _ in world.told()[told:]} <= {"outside", "shop-web-1"}
    status = world.lab.command("status").stdout
    assert "shop-db-1" not in status
    assert "shop-web" not in status
    shop.compose("up", "--detach")
    shop.follows()
    world.outside_follows()
