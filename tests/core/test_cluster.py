"""What a host publishes to others, and what it makes of what they publish."""

import dataclasses
import ipaddress
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostwatch.core.cluster.publication import Publication, publication_of
from hostwatch.core.cluster.publishing import Publishing
from hostwatch.core.cluster.values import (
    HOST,
    VALUE_LIMIT,
    BadValueError,
    Node,
    Replica,
    endpoints_of,
    node_name,
    node_value,
    parsed_node,
    parsed_replicas,
    value_of,
)
from hostwatch.core.model import Container, EngineId, Health, HostAddresses, NetworkMode
from hostwatch.core.remote import CLUSTER, remote_container, remote_key
from hostwatch.core.rules import Rules
from hostwatch.core.store.store import Store
from tests.core.build import ENGINE, STOPPED, UNKNOWN, box, hosts, ip, key, net, on, service, store, told
from tests.core.histories import Step, histories, watched
from tests.effort import examples

BACK = Publishing(everything=True, networks=frozenset(("back",)))
DB = box("shop-db-1", on("back", "10.77.1.2"), on("front", "172.20.0.2"), compose="shop/db")


def published(made: Store, publishing: Publishing = BACK) -> dict[str, list[str]]:
    """What a store publishes: of each service the names and addresses of its replicas."""
    found = publication_of(made, publishing, ENGINE)
    while found.advance(1) is not None:
        pass
    return {
        name: [
            " ".join((str(each.ipv4 or "-"), *([str(each.ipv6)] if each.ipv6 else []), *each.names))
            for each in found.replicas(name, ())
        ]
        for name in found.services
        if found.replicas(name, ())
    }


def only(*names: str, **more: Any) -> Publishing:
    """The publishing of these services, with the addresses on the network `back`."""
    return Publishing(frozenset(names), networks=frozenset(("back",)), **more)


CASES = [
    (BACK, "compose/shop/db"),
    (only("db"), "compose/shop/db"),
    (only("db.shop"), "compose/shop/db"),
    (only("shop-db-1"), "container/shop-db-1"),
    (only("db.blog"), None),
    (Publishing(everything=True), None),
    (Publishing(everything=True, networks=frozenset(("other",))), None),
]


@pytest.mark.parametrize(("publishing", "service_key"), CASES)
def test_a_compose_service_is_published(publishing: Publishing, service_key: str | None) -> None:
    """By its name, with or without its project; or one container of it, by its own."""
    expected = {} if service_key is None else {service_key: ["10.77.1.2"]}
    assert {
        key: [line.split()[0] for line in lines] for key, lines in published(store(DB), publishing).items()
    } == expected


def test_others_look_it_up_by_all_its_names() -> None:
    """Those of its service first; labels count as on this host."""
    made = store(dataclasses.replace(DB, labels=dict(DB.labels) | {"hostwatch.names": "mysql.internal"}))
    assert published(made) == {"compose/shop/db": ["10.77.1.2 db db.shop shop-db-1 mysql.internal"]}


def test_a_service_of_the_configuration_comes_first() -> None:
    """A container is published once, unless it stands behind two services that are."""
    rules = Rules(services=(service("db", ("db", "sql")), service("shop")))
    containers = (box("db-1", on("back", "10.77.1.3")), DB)
    assert published(store(*containers, rules=rules), only("sql", "db.shop")) == {
        "config/db": ["10.77.1.3 db sql db-1"],
        "compose/shop/db": ["10.77.1.2 db db.shop shop-db-1"],
    }
    assert published(store(DB, rules=rules), only("db")) == {}, "the name is that of another service here"
    both = Rules(services=(service("shop"), service("shop-db", ("sql",))))
    assert published(store(DB, rules=both)) == {
        "config/shop": ["10.77.1.2 shop db db.shop shop-db-1"],
        "config/shop-db": ["10.77.1.2 shop-db sql"],
    }


def test_the_network_may_be_called_as_in_its_compose_file() -> None:
    """Only in that of the service's own project."""
    network = net("shop_net", compose="shop/back")
    assert list(published(store(network, box("a", on("shop_net", "10.0.0.2"), compose="shop/a")))) == ["compose/shop/a"]
    assert published(store(network, box("a", on("shop_net", "10.0.0.2"), compose="blog/a"))) == {}


def test_the_networks_of_a_service_count() -> None:
    """A service that publishes one network only is not published on another one."""
    label = {"hostwatch.network": "front"}
    made = store(dataclasses.replace(DB, labels=dict(DB.labels) | label))
    assert published(made) == {}
    both = Publishing(everything=True, networks=frozenset(("front", "back")))
    assert [line.split()[0] for line in published(made, both)["compose/shop/db"]] == ["172.20.0.2"]
    assert [line.split()[0] for line in published(store(DB), both)["compose/shop/db"]] == ["10.77.1.2"], "by name"


NOT_THERE: list[tuple[Container, ...]] = [
    (dataclasses.replace(DB, state=STOPPED),),
    (box("db", mode=NetworkMode.HOST),),
    (box("db", join="gone"),),
    (dataclasses.replace(DB, labels=dict(DB.labels) | {"hostwatch.enable": "false"}),),
    (dataclasses.replace(DB, labels=dict(DB.labels) | {"com.docker.compose.oneoff": "True"}),),
    (box("db", on("back", "10.77.1.4"), labels={"hostwatch.health": "required"}, health=Health.STARTING),),
]


@pytest.mark.parametrize("containers", NOT_THERE)
def test_what_others_cannot_use_is_not_published(containers: tuple[Container, ...]) -> None:
    """It has ended, has no address of its own, is left alone, is no service, or is not healthy."""
    assert published(store(*containers)) == {}


def test_a_container_has_the_address_of_the_one_whose_network_it_uses() -> None:
    """As on this host."""
    made = store(DB, box("exporter", join="shop-db-1"))
    assert published(made)["container/exporter"] == ["10.77.1.2 exporter"]


def test_replicas_are_in_their_order() -> None:
    """By their numbers."""
    second, third = (
        box(f"shop-db-{number}", on("back", f"10.77.1.{8 - number}"), compose="shop/db", number=number)
        for number in (2, 3)
    )
    assert published(store(second, DB, third))["compose/shop/db"] == [
        "10.77.1.2 db db.shop shop-db-1",
        "10.77.1.6 db db.shop shop-db-2",
        "10.77.1.5 db db.shop shop-db-3",
    ]


def test_the_hosts_own_address_is_told_once() -> None:
    """However many replicas there are, and only while it is known."""
    second = box("shop-db-2", on("front", "172.20.0.3"), compose="shop/db", number=2)
    publishing = Publishing(frozenset(("db", "x")), host_address=frozenset(("db",)))
    made = store(DB, second, rules=Rules(advertise=ip("192.0.2.7")))
    assert published(made, publishing) == {"compose/shop/db": ["192.0.2.7 db db.shop shop-db-1"]}
    assert published(store(DB), publishing) == {}


def test_an_early_address_is_published() -> None:
    """A stopped container that is being started has it before its first instruction."""
    starting = box("db", on("back"), state=STOPPED)
    made = store(net("back", "10.77.1.0/24", gateways=("10.77.1.1",)), starting)
    assert published(made) == {}
    made.put_early_addresses(key("db"), [ip("10.77.1.9")])
    assert published(made) == {"container/db": ["10.77.1.9 db"]}


def replicas_after(before: Publication, name: str, known: tuple[Replica, ...]) -> tuple[Replica, ...]:
    """The replicas of a service that was published with `known`."""
    while before.advance(1) is not None:
        pass
    return before.replicas(name, known)


def test_what_is_unknown_stays_as_it_was() -> None:
    """Until the address is another container's, or something is known."""
    made = store(box("db", on("back", "10.77.1.9")))
    found = publication_of(made, BACK, ENGINE)
    known = replicas_after(found, "container/db", ())
    assert [each.ipv4 for each in known] == [ip("10.77.1.9")]
    made.put(box("db", on("back"), state=UNKNOWN))
    assert replicas_after(found, "container/db", known) == known
    assert replicas_after(found, "container/db", ()) == ()
    made.put(box("new", on("back", "10.77.1.9")))
    assert replicas_after(found, "container/db", known) == ()


def test_an_address_that_would_come_first_is_waited_for() -> None:
    """Early addresses come network by network."""
    both = Publishing(everything=True, networks=frozenset(("front", "back")))
    made = store(box("db", on("back", "10.77.1.9"), on("front", "10.0.0.9")))
    found = publication_of(made, both, ENGINE)
    known = replicas_after(found, "container/db", ())
    made.put(box("db", on("back"), on("front", "10.0.0.8"), state=UNKNOWN))
    assert replicas_after(found, "container/db", known) == known
    made.put(box("db", on("back"), on("front", "10.0.0.8")))
    assert [each.ipv4 for each in replicas_after(found, "container/db", known)] == [ip("10.0.0.8")]


def test_a_health_that_is_not_known_changes_nothing() -> None:
    """As on this host."""
    required = {"hostwatch.health": "required"}
    made = store(box("db", on("back", "10.77.1.9"), labels=required, health=Health.HEALTHY))
    found = publication_of(made, BACK, ENGINE)
    known = replicas_after(found, "container/db", ())
    made.put(box("db", on("back", "10.77.1.9"), labels=required, health=None))
    assert replicas_after(found, "container/db", known) == known
    made.put(box("db", on("back", "10.77.1.9"), labels=required, health=Health.UNHEALTHY))
    assert replicas_after(found, "container/db", known) == ()


publishings = st.builds(
    Publishing,
    st.sets(st.sampled_from(["db", "web.p", "a", "x", "mq"])).map(frozenset),
    st.booleans(),
    st.sets(st.sampled_from(["front", "back", "bridge"])).map(frozenset),
    st.sets(st.sampled_from(["db", "a"])).map(frozenset),
)


@settings(max_examples=examples(300), deadline=None)
@given(histories, publishings)
def test_each_change_is_taken_in(history: list[Step], publishing: Publishing) -> None:
    """After any history, all is as a new computation finds it, and each service that differs was named."""
    made = watched()
    before: dict[str, list[str]] = {}
    for method, arguments in history:
        method(made, *arguments)
        found, named = publication_of(made, publishing, ENGINE), set[str]()
        while (services := found.advance(2)) is not None:
            named |= services
        after = published(made, publishing)
        fresh = Publication(made, publishing, ENGINE)
        while fresh.advance(100) is not None:
            pass
        assert {name: fresh.replicas(name, ()) for name in fresh.services} == {
            name: found.replicas(name, ()) for name in found.services
        }
        fresh.close()
        assert {name for name in {*before, *after} if before.get(name) != after.get(name)} <= named
        before = after


# Values.

words = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
names = st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8})?", fullmatch=True).filter(lambda name: name != "localhost")
replicas = st.builds(
    Replica,
    words,
    words,
    st.lists(names, unique=True, max_size=4).map(tuple),
    st.one_of(st.none(), words),
    words,
    st.integers(0, 10**9 - 1).map(str),
    st.one_of(st.none(), st.ip_addresses(v=4)),
    st.one_of(st.none(), st.ip_addresses(v=6)),
)


@pytest.mark.slow
@given(st.lists(replicas, max_size=5, unique_by=lambda replica: replica.id))
def test_a_value_means_the_same_to_another_host(told: list[Replica]) -> None:
    """Every field, in the same order."""
    assert parsed_replicas(value_of(told)) == tuple(told)
    for replica, endpoint in zip(told, endpoints_of("v1/services/a/config/db", value_of(told)), strict=True):
        assert (endpoint.id, endpoint.host, endpoint.group) == (f"a/config/db/{replica.id}", "a", "config:db")
        assert (endpoint.name, endpoint.names, endpoint.number) == (replica.name, replica.names, replica.number)
        assert (endpoint.ipv4, endpoint.ipv6, endpoint.project) == (replica.ipv4, replica.ipv6, replica.project)


FIELDS = st.sampled_from(("replicas", "id", "name", "names", "ipv4", "ipv6", "number", "project", "service", "?"))
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
json_values = st.recursive(
    st.one_of(scalars, st.sampled_from(["10.0.0.1", "a", "::1"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(FIELDS, inner, max_size=6)),
    max_leaves=12,
)


@settings(max_examples=examples(500), deadline=None)
@given(st.one_of(st.binary(), json_values.map(lambda value: json.dumps(value).encode())), st.text())
def test_no_value_and_no_key_does_harm(value: bytes, tail: str) -> None:
    """It is read, or refused."""
    for read in (parsed_replicas, parsed_node, lambda value: endpoints_of(f"v1/services/{tail}", value)):
        with suppress(BadValueError):
            read(value)


def replica(**fields: Any) -> bytes:
    """The value of a service with one replica."""
    return json.dumps({"replicas": [{"id": "c1", "name": "db", "ipv4": "10.0.0.1"} | fields]}).encode()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "no JSON"),
        (b"[" * 60_000, "no JSON"),
        (b"[]", "no JSON object"),
        (None, "longer than 65536 bytes"),
        (b" " * (VALUE_LIMIT + 1), "longer than 65536 bytes"),
        (b'{"replicas": {}}', "`replicas` is no list"),
        (b'{"replicas": [1]}', "a replica is no object"),
        (b'{"replicas": [{"name": "db"}]}', "a replica has no `id`"),
        (replica(name="a b"), "`name` is no name: a b"),
        (replica(name="a" * 254), "`name` is no text of at most 253"),
        (replica(names=["localhost"]), "the name localhost: never published"),
        (replica(names=["a\nb"]), "the name a\\nb: not a host name"),
        (replica(names=[1]), "the name 1: not a host name"),
        (replica(names="a"), "`names` is no list"),
        (replica(names=["a"] * 2_001), "more than 2000 names"),
        (replica(ipv4="10.0.0"), "`ipv4` is no IPv4 address"),
        (replica(ipv4="::1"), "`ipv4` is no IPv4 address"),
        (replica(ipv6="fe80::1%eth0"), "`ipv6` is no IPv6 address without a zone"),
        (replica(project="../x"), "`project` is no name"),
    ],
)
def test_a_bad_value_is_refused(value: bytes | None, reason: str) -> None:
    """With what is wrong."""
    with pytest.raises(BadValueError) as refused:
        parsed_replicas(value)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "tail", ["", "a", "a/config", "a/config/", "a/b/c", "a/compose/db", "a/config/d b", "a/config/b/c"]
)
def test_a_bad_key_is_refused(tail: str) -> None:
    """Whatever its value."""
    with pytest.raises(BadValueError):
        endpoints_of(f"v1/services/{tail}", replica())


def test_versions_understand_each_other() -> None:
    """Unknown fields are ignored, and missing ones have defaults."""
    (found,) = parsed_replicas(replica(weight=3, zone={"a": []}, names=None, number="07x"))
    assert found == Replica("c1", "db", ipv4=ipaddress.IPv4Address("10.0.0.1"))
    assert parsed_replicas(b'{"version": 9, "more": 1}') == ()
    assert parsed_node(b'{"engine": "E", "zone": 1}') == Node(EngineId("E"), HostAddresses())


def test_services_of_two_hosts_are_one_and_containers_are_not() -> None:
    """By their groups."""
    groups = {
        key: endpoints_of(f"v1/services/{key}", replica())[0].group
        for key in ("a/config/db", "b/config/db", "a/compose/p/db", "a/container/db", "b/container/db")
    }
    assert list(groups.values()) == ["config:db", "config:db", "compose:p/db", "container:a/db", "container:b/db"]


def claims(*endpoints: tuple[str, bytes]) -> list[str]:
    """The lines of a subscriber of `db`, with these keys and values of other hosts."""
    made = store(box("web", on("front", "172.20.0.2"), labels=hosts("@{db.ip} db")))
    for service_key, value in endpoints:
        (found,) = endpoints_of(f"v1/services/{service_key}", value)
        place = remote_key(ENGINE, CLUSTER, found.id)
        made.put_remote(place, remote_container(place, found))
    return told(made, "web")


@pytest.mark.parametrize("identity", ["c1", HOST])
def test_a_container_under_two_names_of_its_host_is_one(identity: str) -> None:
    """The earlier name of a host may still be there. Containers of hosts that were cloned have ids in common."""
    value = replica(id=identity, names=["db"])
    other = replica(id=identity, names=["db"], ipv4="10.0.0.2")
    assert claims(("b/container/db", value), ("new/container/db", value)) == ["10.0.0.1 db"]
    refused = ["Refused db: claimed by db on b and db on new"]
    assert claims(("b/container/db", value), ("new/container/db", other)) == refused


def test_two_services_at_the_address_of_one_host_are_two() -> None:
    """Of no more than their names and the address may be the same."""
    value = replica(id=HOST, names=["db"])
    keys = [(f"b/compose/{project}/db", value) for project in ("shop", "blog")]
    assert claims(*keys) == ["Refused db: claimed by db on b and db on b"]


def test_a_value_is_cut_where_it_is_too_long() -> None:
    """Others would refuse it as a whole."""
    many = [Replica(f"c{number}", "x" * 250) for number in range(1_000)]
    value = value_of(many)
    assert VALUE_LIMIT - 400 < len(value) <= VALUE_LIMIT
    assert parsed_replicas(value) == tuple(many[: len(parsed_replicas(value))])
    named = [Replica(f"c{number}", "x", tuple(f"n{each}" for each in range(300))) for number in range(10)]
    assert parsed_replicas(value_of(named)) == tuple(named[:6])


def test_a_node_tells_of_itself() -> None:
    """Its engine, its addresses and its version."""
    node = Node(EngineId("E"), HostAddresses(ipaddress.IPv4Address("192.0.2.1")), "1.2")
    assert parsed_node(node_value(node)) == node
    assert node_name("v1/nodes/a") == node_name("v1/services/a/config/db") == "a"
    assert node_name("v1/other/a") is node_name("v1/nodes/") is None
