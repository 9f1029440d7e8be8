"""The address that a subscriber gets: each row and column of the contract's section 7, in one world of containers."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from tests import engine as engines
from tests.conftest import Lab, eventually, make_lab, make_network

SERVICES = ("db", "multi", "chosen", "hosted", "joined", "joined-host", "lone", "far")
TEMPLATE = "\n".join(f"@{{{name}.ip}}  {name}" for name in SERVICES)
LABELS = {"hostwatch.hosts": TEMPLATE}
REPLICAS = """\
@{db.ip}     db
@{db.ip[0]}  first
@{db.ip[2]}  third
@{db.ip[1]}  @{db.name[1]}.internal
@{db.ip[3]}  fourth
@{self.ip}   me @{self.name}.internal
"""
SIDECAR = """\
@{db.ip}      side db
@{multi.ip}   side-multi
@{hosted.ip}  side-hosted
@{joined.ip}  side-joined
@{far.ip}     side-far
@{self.ip}    side-self
"""
SIX = "@{dual.ip} four\n@{dual.ip6} six"
CONFIGURATION = f"""\
subscribers:
  anyone: {{match: {{name: anyone}}, scope: any, hosts: {TEMPLATE!r}}}
""".replace("'", '"')


@dataclass
class World:
    """Services and subscribers of all kinds on one engine, hostwatch beside it."""

    lab: Lab
    containers: dict[str, Container]

    def records(self, name: str) -> dict[str, list[str]]:
        """The names in a container's block with their addresses."""
        return self.lab.records(self.containers[name])

    def withheld(self, name: str) -> set[str]:
        """The names that are withheld in a container's block."""
        lines = [line for line in self.lab.block(self.containers[name]) if line.startswith("# withheld: ")]
        return {line.partition("  (")[0].split()[-1] for line in lines}

    def settled(self) -> bool:
        """Whether every file is right, by a second hostwatch that reads everything."""
        return self.plan().returncode == 0

    def plan(self) -> subprocess.CompletedProcess[str]:
        """The changes that a second hostwatch would make."""
        configuration = str(self.lab.directory / "hostwatch.yaml")
        return self.lab.command("plan", "--exit-code", "-c", configuration, status=None)

    def add(self, name: str, *networks: str, labels: dict[str, str] | None = None, mode: str | None = None) -> None:
        """Start a container on these networks, or in a network mode."""
        place = {"network_mode": mode} if mode is not None else {"network": networks[0]}
        container = self.lab.create(name, labels=labels, **place)
        for network in networks[1:]:
            self.lab.client.networks.get(network).connect(container)
        container.start()
        container.reload()
        self.containers[name] = container

    def address(self, name: str, network: str, key: str = "IPAddress") -> list[str]:
        """A container's address on a network, from the engine."""
        return [self.containers[name].attrs["NetworkSettings"]["Networks"][network][key]]


@pytest.fixture(scope="module")
def world(
    engine: engines.Engine, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The world is built once for each engine: its tests only read it."""
    directory: Path = tmp_path_factory.mktemp("world")
    with make_lab(engine, client, directory) as lab, lab.hostwatch("-c", lab.configured(CONFIGURATION)):
        make_network(client, "back", "10.124.0.0/16")
        make_network(client, "far", "10.125.0.0/16")
        make_network(client, "dual", "fd00:77::/64", enable_ipv6=True)
        world = World(lab, {})
        _add_services(world)
        _add_subscribers(world)
        eventually(world.settled)
        yield world


def _add_services(world: World) -> None:
    world.add("db", "front")
    world.add("multi", "front", "bridge", "back")
    world.add("chosen", "front", "back", labels={"hostwatch.network": "front"})
    world.add("hosted", mode="host")
    world.add("joined", mode="container:db")
    world.add("joined-host", mode="container:hosted")
    world.add("lone", mode="none")
    world.add("far", "far")
    world.add("dual", "dual")
    for number in (3, 1, 2):
        world.add(f"shop-db-{number}", "front", labels=_compose("db", number))


def _add_subscribers(world: World) -> None:
    world.add("web", "front", "back", labels=LABELS)
    world.add("sidecar", mode="container:web", labels={"hostwatch.hosts": SIDECAR})
    world.add("bridged", "bridge", labels=LABELS)
    world.add("anyone", "bridge")
    world.add("everywhere", mode="host", labels=LABELS)
    world.add("loner", mode="none", labels=LABELS)
    world.add("sixer", "dual", labels={"hostwatch.hosts": SIX, "hostwatch.services": "dual"})
    world.add("shop-app-1", "front", labels={"hostwatch.hosts": REPLICAS} | _compose("app", 1))


def _compose(service: str, number: int) -> dict[str, str]:
    prefix = "com.docker.compose"
    return {f"{prefix}.project": "shop", f"{prefix}.service": service, f"{prefix}.container-number": str(number)}


def test_one_shared_network_gives_the_address_on_it(world: World) -> None:
    """The plain case."""
    assert world.records("web")["db"] == world.address("db", "front")


def test_of_several_shared_networks_the_user_defined_one_comes_first_and_then_the_name(world: World) -> None:
    """`back` comes before `front`, and `bridge` counts only if no other network is shared."""
    assert world.records("web")["multi"] == world.address("multi", "back")
    assert world.records("bridged")["multi"] == world.address("multi", "bridge")


def test_of_several_shared_networks_the_service_may_choose(world: World) -> None:
    """`hostwatch.network` wins over the order of names."""
    assert world.records("web")["chosen"] == world.address("chosen", "front")


def test_a_service_without_a_shared_network_is_withheld(world: World) -> None:
    """An address that cannot be reached is worse than none."""
    assert world.withheld("web") == {"lone", "far", "side-far"}
    assert world.withheld("bridged") == {"db", "chosen", "joined", "lone", "far"}


def test_any_scope_publishes_addresses_without_a_shared_network(world: World) -> None:
    """A shared network still comes first. A service on no network has no address."""
    assert world.records("anyone") == {
        "db": world.address("db", "front"),
        "multi": world.address("multi", "bridge"),
        "chosen": world.address("chosen", "front"),
        "hosted": world.address("anyone", "bridge", "Gateway"),
        "joined": world.address("db", "front"),
        "joined-host": world.address("anyone", "bridge", "Gateway"),
        "far": world.address("far", "far"),
    }
    assert world.withheld("anyone") == {"lone"}


def test_a_host_mode_service_is_at_the_gateway(world: World) -> None:
    """The subscriber's own gateway: the host has that address on the subscriber's network."""
    assert world.records("bridged")["hosted"] == world.address("bridged", "bridge", "Gateway")
    assert world.records("web")["hosted"] in (["10.123.0.1"], ["10.124.0.1"])


def test_a_service_that_joined_another_container_has_its_address(world: World) -> None:
    """`container:X` has the address of X, on networks and in host mode."""
    assert world.records("web")["joined"] == world.address("db", "front")
    assert world.records("web")["joined-host"] == world.records("web")["hosted"]


def test_a_host_mode_subscriber_gets_first_addresses(world: World) -> None:
    """The host is on every network. Its file is the engine's copy, not the machine's own."""
    assert world.records("everywhere") == {
        "db": world.address("db", "front"),
        "multi": world.address("multi", "back"),
        "chosen": world.address("chosen", "front"),
        "hosted": ["127.0.0.1"],
        "joined": world.address("db", "front"),
        "joined-host": ["127.0.0.1"],
        "far": world.address("far", "far"),
    }
    assert world.withheld("everywhere") == {"lone"}
    assert "hostwatch" not in Path("/etc/hosts").read_text()


def test_containers_that_share_a_file_are_one_subscriber(world: World) -> None:
    """Their file has one block with the union of both requests. A name that both request is there once."""
    assert world.records("web")["side"] == world.address("db", "front")
    assert world.records("web")["db"] == world.address("db", "front")
    assert not world.lab.hosts_path(world.containers["sidecar"]).exists()
    assert world.lab.seen(world.containers["sidecar"]) == world.lab.hosts(world.containers["web"])


def test_a_joined_subscriber_reaches_the_services_of_the_container_that_it_joins(world: World) -> None:
    """This holds for each kind of service. Its own address is that of the container that it joins."""
    for name in ("multi", "hosted", "joined"):
        assert world.records("web")[f"side-{name}"] == world.records("web")[name]
    assert world.records("web")["side-self"] in (world.address("web", "front"), world.address("web", "back"))
    assert "side-far" in world.withheld("web")


def test_a_subscriber_on_no_network_gets_nothing(world: World) -> None:
    """No service is in its reach."""
    assert world.records("loner") == {}
    assert world.withheld("loner") == set(SERVICES)


def test_replicas_stand_in_the_order_of_their_compose_numbers(world: World) -> None:
    """They were created as 3, 1, 2. The Compose service of the subscriber's project wins over a container's name."""
    first, second, third = (world.address(f"shop-db-{number}", "front") for number in (1, 2, 3))
    assert world.records("shop-app-1") == {
        "db": first + second + third,
        "first": first,
        "third": third,
        "shop-db-2.internal": second,
        "me": world.address("shop-app-1", "front"),
        "shop-app-1.internal": world.address("shop-app-1", "front"),
    }
    assert world.withheld("shop-app-1") == {"fourth"}


def test_both_families_are_published_with_ipv4_first(world: World) -> None:
    """A template's `ip` is IPv4 if there is one. A service by name has both families."""
    four = world.address("dual", "dual")
    six = world.address("dual", "dual", "GlobalIPv6Address")
    assert world.records("sixer") == {"four": four, "six": six, "dual": four + six}


def test_a_restarted_hostwatch_would_change_nothing(world: World) -> None:
    """Following events one by one and reading everything have the same result."""
    assert world.plan().stdout == ""
