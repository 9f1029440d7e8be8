"""Endpoints on other hosts: where they are looked up, who comes first, and which addresses are refused."""

import ipaddress
from dataclasses import replace
from typing import Any

import pytest

from hostwatch.core.model import Container, EngineId, Network, NetworkId
from hostwatch.core.remote import RemoteEndpoint, catalog_group, config_group, remote_container, remote_key
from hostwatch.core.resolve.remote_reach import OwnRanges
from hostwatch.core.rules import Match, Rules, ServiceRule, Subscription
from hostwatch.core.store.store import Store
from tests.core.build import ENGINE, STOPPED, box, desired_block, hosts, key, net, on, service, store, subscriber, told

SOURCE = "source"


def elsewhere(name: str, address: str, *names: str, network: str = "", host: str = "b", **more: Any) -> RemoteEndpoint:
    """An endpoint on another host; without a network it is routed."""
    found = ipaddress.IPv4Address(address)
    identity = NetworkId(f"id-{network}" if network else "")
    return RemoteEndpoint(
        name, name, host, names or (name,), ipv4=found, network=identity, network_name=network, **more
    )


def put(made: Store, *endpoints: RemoteEndpoint, engine: EngineId = ENGINE) -> frozenset[object]:
    """Put the endpoints into the store; returns the files that may be affected."""
    files: frozenset[object] = frozenset()
    for endpoint in endpoints:
        place = remote_key(engine, SOURCE, endpoint.id)
        files |= made.put_remote(place, remote_container(place, endpoint))
    return files


def web(*template: str, network: str = "mesh", **labels: str) -> Container:
    """The subscriber."""
    return box("web", on(network, "10.0.0.2"), compose="shop/web", labels=hosts(*template, **labels))


def said(*lister: Container | Network, remotes: tuple[RemoteEndpoint, ...], rules: Rules | None = None) -> list[str]:
    """The outcomes in the subscriber's file."""
    made = store(*lister, rules=rules)
    put(made, *remotes)
    return told(made, "web")


MESH = net("mesh", "10.0.0.0/24", driver="overlay")
DB = elsewhere("db", "10.0.0.9", network="mesh")


def test_a_name_of_another_host_is_found_on_a_common_overlay_network() -> None:
    assert said(MESH, web("@{db.ip} db"), remotes=(DB,)) == ["10.0.0.9 db"]


def test_it_is_not_found_from_another_network() -> None:
    assert said(MESH, web("@{db.ip} db", network="front"), remotes=(DB,)) == ["Gone db: no running container"]


def test_a_container_of_this_host_comes_first() -> None:
    assert said(MESH, web("@{db.ip} db"), box("db", on("mesh", "10.0.0.3")), remotes=(DB,)) == ["10.0.0.3 db"]


def test_a_container_of_this_host_that_has_ended_yields_in_time() -> None:
    """A restart is no reason to send clients to another host."""
    own = box("db", on("mesh", "10.0.0.3"))
    made = store(MESH, web("@{db.ip} db"), own)
    put(made, DB)
    made.put(replace(own, state=STOPPED))
    assert told(made, "web") == ["Gone db: no running container"]
    made.yield_names(own.key)
    assert told(made, "web") == ["10.0.0.9 db"]


def test_all_on_one_overlay_network_are_replicas() -> None:
    """So they are for the engine's DNS."""
    other = elsewhere("other", "10.0.0.10", "db", network="mesh")
    assert said(MESH, web("@{db.ip} db"), remotes=(DB, other)) == ["10.0.0.9 db", "10.0.0.10 db"]


def test_a_routed_endpoint_is_found_from_any_network() -> None:
    assert said(web("@{db.ip} db", network="front"), remotes=(elsewhere("db", "10.9.0.9"),)) == ["10.9.0.9 db"]


def test_an_overlay_network_comes_before_the_cluster() -> None:
    assert said(MESH, web("@{db.ip} db"), remotes=(elsewhere("routed", "10.9.0.9", "db"), DB)) == ["10.0.0.9 db"]


def test_two_services_of_other_hosts_with_one_name_are_ambiguous() -> None:
    both = (elsewhere("db", "10.9.0.9"), elsewhere("db-2", "10.9.1.9", "db", host="c"))
    assert said(web("@{db.ip} db"), remotes=both) == ["Refused db: claimed by db on b and db-2 on c"]


def test_replicas_on_several_hosts_are_one_service() -> None:
    both = tuple(elsewhere(f"db-{n}", f"10.9.{n}.9", "db", group=config_group("db"), number=str(n)) for n in (2, 1))
    assert said(web("@{db.ip} db"), remotes=both) == ["10.9.1.9 db", "10.9.2.9 db"]


def test_a_compose_service_is_found_in_its_own_project_by_its_name() -> None:
    mine = elsewhere("x", "10.9.0.9", "db.shop", service="db", project="shop")
    assert said(web("@{db.ip} db"), remotes=(mine,)) == ["10.9.0.9 db"]
    assert said(web("@{db.ip} db"), remotes=(replace(mine, project="other"),)) == ["Gone db: no running container"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "db: 127.0.0.1 is a loopback address, which means another machine on each host"),
        ("169.254.1.1", "db: 169.254.1.1 is a link-local address, which means another machine on each host"),
        ("172.17.0.2", "db: 172.17.0.2 is inside the network bridge of this engine, which other hosts do not see"),
    ],
)
def test_an_address_that_means_something_else_here_is_refused(address: str, reason: str) -> None:
    bridge = net("bridge", "172.17.0.0/16")
    assert said(bridge, web("@{db.ip} db"), remotes=(elsewhere("db", address),)) == [f"Gone {reason}"]


def test_an_address_outside_its_overlay_network_is_refused() -> None:
    (line,) = said(MESH, web("@{db.ip} db"), remotes=(elsewhere("db", "10.1.0.9", network="mesh"),))
    assert line == "Gone db: 10.1.0.9 is outside the network mesh"


def test_a_routed_address_may_be_inside_an_overlay_network() -> None:
    assert said(MESH, web("@{db.ip} db"), remotes=(elsewhere("db", "10.0.0.77"),)) == ["10.0.0.77 db"]


def test_a_network_made_later_refuses_its_addresses() -> None:
    made = store(web("@{db.ip} db", network="front"))
    put(made, elsewhere("db", "172.30.0.2"))
    assert told(made, "web") == ["172.30.0.2 db"]
    assert key("web") in made.put_network(net("back", "172.30.0.0/16"))
    assert told(made, "web") == [
        "Gone db: 172.30.0.2 is inside the network back of this engine, which other hosts do not see"
    ]


def test_replicas_of_two_hosts_are_counted_by_themselves() -> None:
    both = [elsewhere(f"{host}/db-1", f"10.9.{n}.9", "db", group="g", number="1") for n, host in enumerate("bc")]
    assert said(web("@{db.ip[0]} db0\n@{db.ip[1]} db1"), remotes=tuple(both)) == ["10.9.0.9 db0", "10.9.1.9 db1"]


def test_the_host_of_a_remote_endpoint_is_not_this_one() -> None:
    rules = Rules(advertise=ipaddress.IPv4Address("192.0.2.1"))
    for reference in ("PublicIp", "HostIp"):
        (line,) = said(web(f"@{{db.{reference}}} db"), remotes=(elsewhere("db", "10.9.0.9"),), rules=rules)
        assert "db runs on b, whose address this host does not know" in line
    assert said(web("@{db.ip} @{db.hostname}.x"), remotes=(elsewhere("db", "10.9.0.9"),)) == ["10.9.0.9 db.x"]


# Services of the configuration.


@pytest.mark.parametrize("prefers_any", [False, True])
def test_a_service_prefers_this_host_unless_it_says_any(prefers_any: bool) -> None:
    rules = Rules(services=(replace(service("db"), prefers_any=prefers_any),))
    other = elsewhere("b/db-1", "10.9.0.9", group=config_group("db"))
    found = said(web("@{db.ip} db"), box("db-1", on("mesh", "10.0.0.3")), remotes=(other,), rules=rules)
    assert found == ["10.0.0.3 db"] + ["10.9.0.9 db"] * prefers_any
    assert said(web("@{db.ip} db"), remotes=(other,), rules=rules) == ["10.9.0.9 db"]


def test_a_service_from_a_catalog_has_its_instances_alone() -> None:
    rules = Rules(services=(ServiceRule("db", Match(), ("db",), is_from_catalog=True),))
    instance = elsewhere("10.9.0.9:3306", "10.9.0.9", "ignored", group=catalog_group("db"))
    here = box("db", on("mesh", "10.0.0.3"))
    assert said(web("@{db.ip} db"), here, remotes=(instance,), rules=rules) == ["10.9.0.9 db"]
    assert said(web("@{db.ip} db"), here, remotes=(), rules=rules) == ["Gone db: no instance in its catalog"]


def test_what_a_source_may_still_tell_is_unknown() -> None:
    rules = Rules(services=(ServiceRule("db", Match(), ("db",), is_from_catalog=True),))
    made = store(MESH, web("@{db.ip} db"), rules=rules)
    assert made.remotes.await_source(catalog_group("db"), is_awaited=True)
    assert told(made, "web") == ["Unknown db: its catalog has not told any yet"]
    assert made.remotes.await_source(catalog_group("db"), is_awaited=False)
    assert told(made, "web") == ["Gone db: no instance in its catalog"]


@pytest.mark.parametrize("source", ["cluster", "overlay:mesh"])
def test_a_name_is_unknown_until_other_hosts_are_heard(source: str) -> None:
    made = store(MESH, web("@{db.ip} db"))
    made.remotes.await_source(source, is_awaited=True)
    assert told(made, "web") == ["Unknown db: what other hosts have is not known yet"]
    made.remotes.await_source(source, is_awaited=False)
    assert told(made, "web") == ["Gone db: no running container here, and no other host has it"]


def test_hosts_that_could_not_be_meant_are_not_spoken_of() -> None:
    """Those on an overlay network where the subscriber is not."""
    made = store(MESH, web("@{db.ip} db", network="front"))
    for is_awaited in (True, False):
        made.remotes.await_source("overlay:mesh", is_awaited=is_awaited)
    assert told(made, "web") == ["Gone db: no running container"]


def test_a_service_that_no_container_matches_may_be_another_hosts() -> None:
    made = store(MESH, web("@{db.ip} db"), rules=Rules(services=(service("db"),)))
    assert told(made, "web") == ["Gone db: no running container"]
    for is_awaited in (True, False):
        made.remotes.await_source("cluster", is_awaited=is_awaited)
    assert told(made, "web") == ["Gone db: no running container here, and no other host has it"]


# Every name.


def test_every_name_has_those_of_other_hosts() -> None:
    remotes = (DB, elsewhere("queue", "10.9.0.9", "queue", "queue.shop"))
    found = said(MESH, box("web", on("mesh", "10.0.0.2"), labels={"hostwatch.services": "*"}), remotes=remotes)
    assert found == ["10.0.0.9 db", "10.9.0.9 queue queue.shop", "10.0.0.2 web"]


def test_every_name_follows_what_comes_and_goes() -> None:
    made = store(MESH, box("web", on("mesh", "10.0.0.2"), labels={"hostwatch.services": "*"}))
    assert told(made, "web") == ["10.0.0.2 web"]
    assert put(made, DB) == {key("web")}
    assert told(made, "web") == ["10.0.0.9 db", "10.0.0.2 web"]
    assert made.put_remote(remote_key(ENGINE, SOURCE, "db"), None) == {key("web")}
    assert told(made, "web") == ["10.0.0.2 web"]


# What a change affects.


def test_only_readers_of_the_name_are_affected() -> None:
    made = store(MESH, web("@{db.ip} db"), box("other", on("mesh", "10.0.0.4"), labels=hosts("@{queue.ip} queue")))
    assert put(made, DB) == {key("web")}
    assert put(made, DB) == frozenset()
    assert put(made, replace(DB, ipv4=ipaddress.IPv4Address("10.0.0.11"))) == {key("web")}
    assert told(made, "web") == ["10.0.0.11 db"]


def test_a_line_lingers_and_its_address_is_lost_to_another() -> None:
    made = store(MESH, web("@{db.ip} db"))
    put(made, DB)
    memory = desired_block(made, key("web"), {}, 0.0, 2.0).memory
    made.put_remote(remote_key(ENGINE, SOURCE, "db"), None)
    held = desired_block(made, key("web"), memory, 1.0, 2.0)
    assert [str(record.address) for record in held.block.records] == ["10.0.0.9"]
    put(made, elsewhere("queue", "10.0.0.9", network="mesh"))
    lost = desired_block(made, key("web"), held.memory, 1.5, 2.0)
    assert not lost.block.records


def test_a_container_here_does_not_take_an_address_from_a_remote_endpoint() -> None:
    """Its own source says when it is gone."""
    made = store(MESH, web("@{db.ip} db"))
    put(made, DB)
    made.put(box("late", on("mesh", "10.0.0.9")))
    assert told(made, "web") == ["10.0.0.9 db"]


def test_remote_endpoints_are_no_containers_of_the_engine() -> None:
    made = store(MESH, web("@{db.ip} db"))
    put(made, DB)
    assert [container.name for container in made.containers] == ["web"]
    made.adopt(made.adoption(Rules(subscribers=(subscriber("web", Subscription(services=("db",))),))))
    assert "10.0.0.9 db" in told(made, "web")


def test_the_own_network_around_an_address_is_found_whatever_its_range() -> None:
    networks = [net("a", "10.1.0.0/16", "fd00:1::/64"), net("b", "10.2.3.0/24"), net("c", "10.2.4.128/25")]
    ranges = OwnRanges(networks)
    found = {text: ranges.around(ipaddress.ip_address(text)) for text in (
        "10.1.255.255", "10.2.3.1", "10.2.4.127", "10.2.4.128", "10.2.0.1", "fd00:1::9", "fd00:2::9",
    )}  # fmt: skip
    assert list(found.values()) == ["a", "b", None, "c", None, "a", None]


def test_many_own_networks_cost_a_look_up_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with every name has thousands of addresses from elsewhere."""
    made = store(*(net(f"n{n}", f"10.{n}.0.0/16") for n in range(100)), web("@{db.ip} db", network="front"))
    put(made, elsewhere("db", "192.0.2.9"))
    assert told(made, "web") == ["192.0.2.9 db"]
    monkeypatch.setattr(Network, "has", lambda *_: pytest.fail("each network is asked"))
    put(made, elsewhere("db", "192.0.2.10"))
    assert told(made, "web") == ["192.0.2.10 db"]
