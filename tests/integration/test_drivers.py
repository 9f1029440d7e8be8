"""Containers that reach the host, and those that the host reaches, over each driver's networks; pings check it.

`test_networks.py` has a table of all kinds of networks.
"""

import subprocess
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

from tests.conftest import Lab, eventually, newest_only

HOSTED = {"hostwatch.hosts": "@{hosted.ip} hosted"}


@pytest.fixture
def card(lab: Lab) -> Iterator[str]:
    """A network card of the engine's host, with the address 192.168.77.200."""
    holder = lab.engine.holder
    assert holder is not None

    def ip(*arguments: str) -> None:
        subprocess.run(["nsenter", f"--target={holder.pid}", "--net", "ip", *arguments], check=True)

    ip("link", "add", "card", "type", "veth", "peer", "name", "wire")
    ip("address", "add", "192.168.77.200/24", "dev", "card")
    ip("link", "set", "card", "up")
    ip("link", "set", "wire", "up")
    yield "card"
    lab.clear()
    ip("link", "delete", "card")


def network(
    lab: Lab, name: str, subnet: str, gateway: str | None = None, router: str | None = None, **options: object
) -> None:
    """A network with this gateway. `router` is the gateway that its containers get instead."""
    aux = {"DefaultGatewayIPv4": router} if router is not None else None
    pool = docker.types.IPAMPool(subnet=subnet, gateway=gateway, aux_addresses=aux)
    ipam = docker.types.IPAMConfig(pool_configs=[pool])
    lab.client.networks.create(name, ipam=ipam, **options)  # type: ignore[arg-type]


def on_networks(lab: Lab, name: str, *networks: str, labels: dict[str, str] | None = None) -> Container:
    """A running container on these networks."""
    found = lab.create(name, network=networks[0], labels=labels)
    for other in networks[1:]:
        lab.client.networks.get(other).connect(found)
    found.start()
    return found


def answers(container: Container, host: str) -> bool:
    """Whether a ping from within a container is answered."""
    return bool(container.exec_run(["ping", "-c", "1", "-W", "1", host]).exit_code == 0)


def reasons(lab: Lab, container: Container) -> list[str]:
    """The reasons for the withheld lines in a container's block."""
    return [line.partition("  (")[2].removesuffix(")") for line in lab.block(container) if line.startswith("#")]


@newest_only
def test_the_host_and_a_macvlan_network_do_not_reach_each_other(lab: Lab, card: str) -> None:
    """A bridge is used if there is one, by any name. Otherwise the line is withheld, and the doctor explains it."""
    network(lab, "a-lan", "192.168.77.0/24", "192.168.77.254", driver="macvlan", options={"parent": card})
    lan = on_networks(lab, "lan", "a-lan", labels=HOSTED)
    both = on_networks(lab, "both", "a-lan", "front", labels=HOSTED)
    hosted = lab.run("hosted", network_mode="host", labels={"hostwatch.hosts": "@{lan.ip} lan\n@{both.ip} both"})
    anyone = lab.run("anyone", network_mode="host")
    scope = 'subscribers: {anyone: {match: {name: anyone}, scope: any, hosts: "@{lan.ip} lan\\n@{both.ip} both"}}'
    lab.command("sync", "-c", lab.configured(scope))
    assert reasons(lab, lan) == [
        "hosted: the subscriber is only on macvlan a-lan, from which the host cannot be reached"
    ]
    assert reasons(lab, hosted) == ["lan: only on macvlan a-lan, which the host cannot reach"]
    both.reload()
    address = both.attrs["NetworkSettings"]["Networks"]
    assert lab.records(hosted) == {"both": [address["front"]["IPAddress"]]}
    lan.reload()
    beyond = lan.attrs["NetworkSettings"]["Networks"]["a-lan"]["IPAddress"]
    assert lab.records(anyone) == {"lan": [beyond], "both": [address["front"]["IPAddress"]]}
    # The pings confirm this.
    eventually(lambda: answers(both, "hosted"))
    eventually(lambda: answers(hosted, "both"))
    eventually(lambda: answers(both, beyond))
    assert not answers(hosted, beyond)
    assert not answers(lan, "192.168.77.200")
    told = lab.command("doctor", status=None).stdout
    assert "note     lan: withheld: @{hosted.ip} hosted (hosted: the subscriber is only on macvlan a-lan" in told
    assert "connect this subscriber to a bridge network too, or, where a route that you have made leads there" in told
    assert "note     hosted: withheld: @{lan.ip} lan (lan: only on macvlan a-lan, which the host cannot reach)" in told
    assert "connect that container to a bridge network too, or, where a route that you have made leads there" in told


def test_the_host_is_at_a_bridge_s_own_address(lab: Lab) -> None:
    """The containers' gateway may be another one: a router, or none."""
    network(lab, "routed", "10.131.0.0/24", router="10.131.0.9")
    network(lab, "told", "10.132.0.0/24", "10.132.0.77", router="10.132.0.9")
    network(lab, "inner", "10.133.0.0/24", internal=True)
    inhibited = {"com.docker.network.bridge.inhibit_ipv4": "true"}
    network(lab, "bare", "10.134.0.0/24", options=inhibited)
    on_host = "\n".join(f"@{{{name}.ip}} {name}" for name in ("routed", "told", "inner", "bare"))
    hosted = lab.run("hosted", network_mode="host", labels={"hostwatch.hosts": on_host})
    found = {name: on_networks(lab, name, name, labels=HOSTED) for name in ("routed", "told", "inner", "bare")}
    lab.command("sync")
    addresses = {"routed": "10.131.0.1", "told": "10.132.0.77", "inner": "10.133.0.1"}
    for name, address in addresses.items():
        assert lab.records(found[name]) == {"hosted": [address]}
        eventually(lambda name=name: answers(found[name], "hosted"))  # type: ignore[misc]
        eventually(lambda name=name: answers(hosted, name))  # type: ignore[misc]
    assert lab.records(hosted).keys() == addresses.keys()
    assert reasons(lab, hosted) == ["bare: only on bridge bare, which the host cannot reach"]
    assert "from which the host cannot be reached" in reasons(lab, found["bare"])[0]


@newest_only
@pytest.mark.usefixtures("card")
def test_an_overlay_network_s_way_to_the_host_is_another_bridge(lab: Lab) -> None:
    """The engine adds this bridge for the way out. The host itself is not on an overlay network."""
    lab.client.swarm.init(advertise_addr="192.168.77.200", listen_addr="192.168.77.200:2377")
    try:
        lab.client.networks.create("a-mesh", driver="overlay", attachable=True)
        mesh = on_networks(lab, "mesh", "a-mesh", labels=HOSTED)
        hosted = lab.run("hosted", network_mode="host", labels={"hostwatch.hosts": "@{mesh.ip} mesh"})
        lab.command("sync")
        way_out = lab.client.networks.get("docker_gwbridge").attrs["IPAM"]["Config"][0]["Gateway"]
        assert lab.records(mesh) == {"hosted": [way_out]}
        eventually(lambda: answers(mesh, "hosted"))
        assert reasons(lab, hosted) == ["mesh: only on overlay a-mesh, which the host cannot reach"]
        mesh.reload()
        assert not answers(hosted, mesh.attrs["NetworkSettings"]["Networks"]["a-mesh"]["IPAddress"])
    finally:
        lab.clear()
        lab.client.swarm.leave(force=True)
