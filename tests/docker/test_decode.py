"""Decoding of answers: Podman's JSON, as version 4.3.1 sent it, with the same results as Docker's; lists; networks."""

import ipaddress
import json
from typing import Any

import pytest

from hostwatch.control.source import Event
from hostwatch.core.model import (
    Binding,
    Claim,
    ContainerId,
    ContainerKey,
    EngineId,
    Health,
    Network,
    NetworkMode,
    State,
)
from hostwatch.docker.decode import containers, events, framing, networks
from hostwatch.docker.decode.engine_info import clock, has_other_nodes

ENGINE = EngineId("engine")
WEB = "069cfda18f30ee03953b1119876d180fb7eceb4f230c89f3f1e6b9262357470b"
PLAIN = "68f11e69804137a95bdb3458a202e8d6e0e5fc7c4a6e5729b0315847cce03f09"

CONNECT = (
    '{"status":"connect","id":"' + WEB + '","Type":"network","Action":"connect","Actor":{"ID":"' + WEB + '",'
    '"Attributes":{"containerExitCode":"0","image":"","name":"web","podId":""}},"scope":"local","time":1795449168,'
    '"timeNano":1795449168077012903}'
)
REMOVE = (
    '{"status":"remove","id":"' + WEB + '","from":"docker.io/library/busybox:latest","Type":"container",'
    '"Action":"remove","Actor":{"ID":"' + WEB + '","Attributes":{"a":"b","containerExitCode":"0",'
    '"image":"docker.io/library/busybox:latest","name":"web","podId":""}},"scope":"local","time":1795449174,'
    '"timeNano":1795449174354905096}'
)
DOCKER_CONNECT = (
    '{"Type":"network","Action":"connect","Actor":{"ID":"5123d7adb0e8","Attributes":{"container":"' + WEB + '",'
    '"name":"front","type":"bridge"}},"scope":"local","time":1795449168,"timeNano":1795449168077012903}'
)


def event(line: str) -> Event:
    """The event of a line."""
    found = events.event(ENGINE, json.loads(line))
    assert found is not None
    return found


def inspected(mode: str = "bridge", network: str = "front", identity: str = "front") -> dict[str, object]:
    """The container of an inspection."""
    settings = {
        "NetworkID": identity,
        "Gateway": "10.123.0.1",
        "IPAddress": "10.123.0.2",
        "GlobalIPv6Address": "",
        "MacAddress": "e2:a3:1c:e1:60:b0",
        "Aliases": ["al", "069cfda18f30"],
    }
    return {
        "Id": WEB,
        "Created": "2026-11-23T15:52:46.700493966Z",
        "Name": "/web",
        "State": {"Status": "running", "Running": True, "Health": {"Status": "", "FailingStreak": 0, "Log": None}},
        "HostConfig": {"NetworkMode": mode},
        "Mounts": [],
        "Config": {"Hostname": "069cfda18f30", "Image": "docker.io/library/busybox:latest", "Labels": {"a": "b"}},
        "NetworkSettings": {"Networks": {network: settings}},
    }


def test_a_network_event_of_podman_is_about_its_container() -> None:
    """The event does not name the network, so the container must be read again. Docker's event names both."""
    key = ContainerKey(ENGINE, ContainerId(WEB))
    found = event(CONNECT)
    assert (found.kind, found.action, found.container, found.network) == ("container", "connect", key, None)
    docker = event(DOCKER_CONNECT)
    assert docker.kind == "network"
    assert docker.container == key
    assert docker.network is not None
    assert docker.network.id == "5123d7adb0e8"


def test_remove_is_destroy() -> None:
    """Both become the same action."""
    assert event(REMOVE).action == "destroy"


def test_a_network_name_is_no_network_id() -> None:
    """Endpoints are identified by their network's name then. The default network has its name in the list."""
    [endpoint] = containers.inspected_container(ENGINE, inspected()).endpoints
    assert (endpoint.network, endpoint.network_name) == ("", "front")
    assert endpoint.ipv4 == ipaddress.ip_address("10.123.0.2")
    assert endpoint.aliases == frozenset({"al", "069cfda18f30"})
    [endpoint] = containers.inspected_container(ENGINE, inspected(network="podman", identity="podman")).endpoints
    assert (endpoint.network, endpoint.network_name) == ("", "bridge")
    identity = "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9"  # from 5.4 on, always
    [endpoint] = containers.inspected_container(ENGINE, inspected(network="podman", identity=identity)).endpoints
    assert (endpoint.network, endpoint.network_name) == (identity, "bridge")
    [endpoint] = containers.inspected_container(ENGINE, inspected(network="podman", identity="5123d7adb0e8")).endpoints
    assert (endpoint.network, endpoint.network_name) == ("5123d7adb0e8", "podman")


def test_a_container_that_joined_another_has_no_address_of_its_own() -> None:
    """Podman lists the other one's networks as if they were its own."""
    found = containers.inspected_container(ENGINE, inspected(mode=f"container:{PLAIN}"))
    assert (found.network_mode, found.joined, found.endpoints) == (NetworkMode.CONTAINER, PLAIN, ())


def test_an_empty_health_status_is_no_healthcheck() -> None:
    """Podman always has a `Health`."""
    found = containers.inspected_container(ENGINE, inspected())
    assert (found.state, found.health) == (State.RUNNING, Health.NONE)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-02T03:04:05.678901234Z", 1767323045.678901),
        ("2026-01-02T03:04:05.678901234+02:00", 1767315845.678901),
        ("2026-01-02T03:04:05-07:30", 1767350045.0),
        ("2026-01-02T03:04:05.6", 1767323045.6),
        ("yesterday", 0.0),
        ("", 0.0),
        (None, 0.0),
        (7, 0.0),
    ],
)
def test_times(text: object, seconds: float) -> None:
    """In UTC or with an offset, with any number of digits. A text that is no time gives none."""
    found = containers.inspected_container(ENGINE, inspected() | {"Created": text, "State": {"StartedAt": text}})
    assert found.created == found.started == pytest.approx(seconds, abs=1e-6)
    assert clock({"SystemTime": text}) == (int(seconds) * 10**9 if seconds else None)


@pytest.mark.parametrize("wanted", [[], [1], [{"a": "]"}, [], "x,y"], [None, 2.5, {"b": [1, {}]}]])
@pytest.mark.parametrize("indent", [None, 1])
def test_the_items_of_a_list_come_one_by_one(wanted: list[object], indent: int | None) -> None:
    """The same items as if the list is parsed as a whole, with any spacing."""
    assert list(framing.items(f" {json.dumps(wanted, indent=indent)}\n")) == wanted


@pytest.mark.parametrize("text", ["", "{}", "null", "[", "[1", "[1,", "[{]", '[{"a": 1}, '])
def test_an_incomplete_list_is_an_error(text: str) -> None:
    """It must not count as a shorter list, as the missing containers would count as gone."""
    with pytest.raises(ValueError, match=r"."):
        list(framing.items(text))


def names_on_front(**settings: object) -> frozenset[str] | None:
    """The aliases of a container with the host name `kafka` on the network `front`."""
    data = inspected()
    data["Config"] = {"Hostname": "kafka"}
    data["NetworkSettings"] = {"Networks": {settings.pop("network", "front"): settings}}
    [endpoint] = containers.inspected_container(ENGINE, data).endpoints
    return endpoint.aliases


def test_aliases_are_the_names_of_the_engine_s_dns() -> None:
    """In the forms of 28.5, 26.1, 20.10 and Podman, with the same result. The default bridge has no names."""
    everything = frozenset(("al", WEB[:12], "kafka"))
    assert names_on_front(DNSNames=["web", "al", WEB[:12], "kafka"], Aliases=["al"]) == everything
    assert names_on_front(DNSNames=None, Aliases=["al", WEB[:12], "kafka"]) == everything
    assert names_on_front(Aliases=["al", WEB[:12]]) == everything
    assert names_on_front(Aliases=None) == everything - {"al"}
    assert names_on_front(network="bridge", Aliases=None, DNSNames=None) == frozenset()


@pytest.mark.parametrize(
    ("status", "claim"),
    [("created", Claim.NONE), ("initialized", Claim.NONE), ("exited", Claim.FULL), ("restarting", Claim.FULL)],
)
def test_a_container_that_was_never_started_claims_no_name(status: str, claim: Claim) -> None:
    """By an inspection, by a list, and by the event of a new container."""
    data = inspected()
    data["State"] = {"Status": status, "Running": False}
    assert containers.inspected_container(ENGINE, data).claim is claim
    listed = {"Id": WEB, "Names": ["/web"], "State": status}
    assert containers.listed_container(ENGINE, listed).claim is claim


# Networks, in the form of engine 28.5.


def network(options: dict[str, str] | None = None, **config: Any) -> Network:
    """The network with this subnet."""
    ipam = {"Driver": "default", "Options": {}, "Config": [config] if config else []}
    return networks.network(ENGINE, {"Id": "5123", "Name": "x", "Driver": "bridge", "IPAM": ipam, "Options": options})


@pytest.mark.parametrize(
    ("config", "first"),
    [
        ({"Subnet": "192.168.20.0/24"}, ["192.168.20.1"]),
        ({"Subnet": "192.168.20.0/24", "IPRange": "192.168.20.128/25"}, ["192.168.20.128"]),
        ({"Subnet": "192.168.20.0/24", "IPRange": "192.168.20.0/25"}, ["192.168.20.1"]),
        ({"Subnet": "fd00:5::/64"}, ["fd00:5::1"]),
        ({"Subnet": "192.168.20.9/32"}, []),
        ({"Subnet": "x", "IPRange": "y"}, []),
        ({}, []),
    ],
)
def test_the_address_of_a_bridge_without_a_given_gateway(config: dict[str, str], first: list[str]) -> None:
    """The first one of the range, or of the subnet."""
    assert [str(address) for address in network(None, **config).firsts] == first


@pytest.mark.parametrize(
    ("options", "versions"),
    [
        (None, set()),
        ({"com.docker.network.bridge.inhibit_ipv4": "true"}, {4}),
        ({"com.docker.network.bridge.inhibit_ipv4": "false"}, set()),
        ({"com.docker.network.bridge.gateway_mode_ipv4": "isolated"}, {4}),
        ({"com.docker.network.bridge.gateway_mode_ipv6": "isolated"}, {6}),
        ({"com.docker.network.bridge.gateway_mode_ipv4": "routed"}, set()),
        ({"com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected"}, set()),
    ],
)
def test_a_bridge_may_be_without_an_address(options: dict[str, str] | None, versions: set[int]) -> None:
    """Its options decide."""
    assert network(options=options).hostless == versions


@pytest.mark.parametrize(
    ("options", "secluded"),
    [
        (None, False),
        ({"com.docker.network.bridge.enable_icc": "true"}, False),
        ({"com.docker.network.bridge.enable_icc": "false"}, True),
        ({"macvlan_mode": "bridge"}, False),
        ({"macvlan_mode": "private"}, True),
        ({"ipvlan_flag": "private"}, True),
    ],
)
def test_containers_of_a_network_may_be_kept_apart(options: dict[str, str] | None, secluded: bool) -> None:
    """By an option of the driver."""
    assert network(options=options).secluded is secluded


def test_reserved_addresses() -> None:
    """Under any name. A value that is no address is skipped."""
    found = network(Subnet="192.168.20.0/24", AuxiliaryAddresses={"DefaultGatewayIPv4": "192.168.20.7", "x": "y"})
    assert [str(address) for address in found.auxiliary] == ["192.168.20.7"]


def test_an_endpoint_that_is_not_joined_to_its_container_yet_is_found_by_name() -> None:
    """The engine lists it so before it writes the container's file. The container's id comes first."""
    entry = {"Name": "web", "MacAddress": "", "IPv6Address": ""}
    other = entry | {"Name": "w", "IPv4Address": "10.0.0.3/24"}
    unjoined = {"ep-5123": entry | {"IPv4Address": "10.0.0.2/24"}, "ep-6": other}
    joined = {WEB: entry | {"IPv4Address": "10.0.0.4/24"}}
    data: dict[str, Any] = {"Id": "5123", "Name": "x", "Containers": unjoined}

    def found(name: str) -> str | None:
        endpoint = networks.network_endpoint(data, ContainerId(WEB), name)
        return str(endpoint.ipv4) if endpoint is not None else None

    assert found("web") == "10.0.0.2"
    assert found("db") is None
    data["Containers"] = {"a" * 64: entry, "b" * 64: None}
    assert found("web") is None
    data["Containers"] = unjoined | joined
    assert found("web") == "10.0.0.4"


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 2 minutes (healthy)", Health.HEALTHY),
        ("Up 2 minutes (unhealthy)", Health.UNHEALTHY),
        ("Up 1 second (health: starting)", Health.STARTING),
        ("Up 2 minutes", None),
        ("Up 2 minutes (Paused)", None),
        ("Exited (0) 2 minutes ago", None),
        (None, None),
    ],
)
def test_a_list_has_the_health_of_a_running_container_in_words(status: object, health: Health | None) -> None:
    """In the form of `docker ps`. Without these words the health is unknown."""
    data = {"Id": "a" * 64, "Names": ["/web"], "State": "running", "Status": status}
    assert containers.listed_container(ENGINE, data).health is health


# Published ports, in the forms of 20.10, 26.1, 28.5 and Podman.


@pytest.mark.parametrize(
    ("ports", "bindings"),
    [
        (None, set()),
        ({}, set()),
        ([], set()),
        ({"5432/tcp": None}, set()),
        ({"5432/tcp": []}, set()),
        (
            {"5432/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5433"}], "80/tcp": None},
            {("5432/tcp", "127.0.0.1", False)},
        ),
        (
            {"53/udp": [{"HostIp": "0.0.0.0", "HostPort": "53"}, {"HostIp": "::", "HostPort": "53"}]},
            {("53/udp", "0.0.0.0", True), ("53/udp", "::", True)},
        ),
        ({"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}, {("80/tcp", "0.0.0.0", False)}),
        ({"80/tcp": [{"HostIp": "", "HostPort": "8"}]}, {("80/tcp", "0.0.0.0", False)}),
        ({"80/tcp": [{"HostIp": "10.0.0.1", "HostPort": ""}]}, set()),
        ({"80/tcp": [None]}, None),
        ({"80/tcp": 7}, None),
        ({"80/tcp": [{"HostPort": "8080"}]}, None),
        (7, None),
    ],
)
def test_published_ports_of_an_inspection(ports: object, bindings: set[Binding] | None) -> None:
    """A port that is only exposed is none. Podman leaves the address out if it is any. Another form is unknown."""
    data = inspected()
    data["NetworkSettings"] = {"Networks": {}, "Ports": ports}
    assert containers.inspected_container(ENGINE, data).bindings == bindings


@pytest.mark.parametrize(
    ("ports", "bindings"),
    [
        (None, set()),
        ({}, set()),
        ([{"PrivatePort": 5432, "Type": "tcp"}], set()),
        (
            [
                {"IP": "127.0.0.1", "PrivatePort": 5432, "PublicPort": 5433, "Type": "tcp"},
                {"IP": "::", "PrivatePort": 53, "PublicPort": 53, "Type": "udp"},
            ],
            {("5432/tcp", "127.0.0.1", False), ("53/udp", "::", True)},
        ),
        ([{"PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}], {("80/tcp", "0.0.0.0", False)}),
        ([{"PublicPort": 8080}], None),
        ([None], None),
        (7, None),
    ],
)
def test_published_ports_of_a_list(ports: object, bindings: set[Binding] | None) -> None:
    """The same as those of an inspection."""
    data = {"Id": WEB, "Names": ["/web"], "State": "running", "Ports": ports}
    assert containers.listed_container(ENGINE, data).bindings == bindings


def test_a_new_container_s_ports_are_not_known_yet() -> None:
    """Its event does not tell them."""
    attributes = {"name": "web", "image": "busybox"}
    key = ContainerKey(ENGINE, ContainerId(WEB))
    found = containers.created_container(Event("container", "create", key, None, attributes))
    assert found is not None
    assert found.bindings is None


@pytest.mark.parametrize(
    ("swarm", "expected"),
    [
        ({"NodeID": "a", "Nodes": 2, "RemoteManagers": [{"NodeID": "a"}]}, True),
        ({"NodeID": "b", "Nodes": 0, "RemoteManagers": [{"NodeID": "a", "Addr": "10.250.0.1:2377"}]}, True),
        ({"NodeID": "a", "Nodes": 0, "RemoteManagers": [{"NodeID": "a"}, {"NodeID": "c"}]}, True),
        ({"NodeID": "a", "Nodes": 1, "RemoteManagers": [{"NodeID": "a"}]}, False),
        ({"NodeID": "", "RemoteManagers": None}, False),
        (None, False),
    ],
    ids=["a manager", "a worker", "a manager without a leader", "alone", "no swarm", "nothing"],
)
def test_whether_a_swarm_has_other_nodes(swarm: dict[str, Any] | None, *, expected: bool) -> None:
    """A manager counts them, whether they are heard or not; a worker knows managers."""
    assert has_other_nodes({"Swarm": swarm}) is expected
