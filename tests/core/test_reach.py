"""The address that a subscriber gets: each cell of the contract's table, and unknown facts."""

import dataclasses

import pytest

from hostwatch.core.model import Container, Endpoint, Network, NetworkMode
from hostwatch.core.resolve.reach import LOST_NETWORK, in_reach, reach
from hostwatch.core.resolve.reached import NotKnown, Reach, Reached, Unreached
from hostwatch.core.rules import Rules
from hostwatch.core.store.network_context import NetworkContext
from hostwatch.core.store.store import Store
from tests.core.build import STOPPED, UNKNOWN, box, ip, key, net, on, store

HOST = NetworkMode.HOST
NOT_PLACED = "the subscriber's networks are not known yet"
NOT_JOINED = "whose network the subscriber uses is not known"
WORLD = store(
    net("front", "10.1.0.0/16", gateways=("10.1.0.1", "fd01::1")),
    net("back", "10.2.0.0/16", gateways=("10.2.0.1",)),
    net("bridge", "10.9.0.0/16", gateways=("10.9.0.1",)),
    net("shop_data", "10.4.0.0/16", compose="shop/data"),
    net("shop_odd", "10.5.0.0/16", compose="shop/other"),
    # Services.
    box("db", on("front", "10.1.0.5", "fd01::5", mac="02::5")),
    box("multi", on("bridge", "10.9.0.6"), on("front", "10.1.0.6"), on("back", "10.2.0.6")),
    box("hosted", mode=HOST),
    box("joined", join="db"),
    box("rejoined", join="joined"),
    box("hostjoined", join="hosted"),
    box("lone"),
    box("orphan", join="gone"),
    box("reorphan", join="orphan"),
    box("lost", join="unread"),
    box("loop", join="pool"),
    box("pool", join="loop"),
    box("composed", on("shop_data", "10.4.0.7"), on("front", "10.1.0.7"), compose="shop/db"),
    box("odd", on("shop_odd", "10.5.0.7"), compose="shop/odd"),
    box("unread_net", on("shop_new", "10.6.0.7"), on("front", "10.1.0.8"), compose="shop/new"),
    box("six", on("front", "fd01::9")),
    box("empty", on("front")),
    # Subscribers.
    box("web", on("front", "10.1.0.50")),
    box("both", on("bridge", "10.9.0.51"), on("back", "10.2.0.51"), on("front", "10.1.0.51", gateways=("10.1.0.99",))),
    box("mixed", on("bridge", "10.9.0.53"), on("front", "10.1.0.53")),
    box("bridged", on("bridge", "10.9.0.52")),
    box("onhost", mode=HOST),
    box("sidecar", join="web"),
    box("hostcar", join="onhost"),
    box("none"),
    box("wide", *(on(name) for name in ("front", "shop_data", "shop_odd", "shop_new", "far"))),
)


WORLD.drop(key("gone"))


def reached(
    source: str, target: str, network: str | None = None, any_scope: bool = False, made: Store = WORLD
) -> Reach:
    """The reach from one container to another."""
    return reach(made, context(source, made), of(target, made), network, any_scope)


def on_front(ipv4: str | None, ipv6: str | None = None, mac: str | None = None) -> Reached:
    """A container's addresses on the network `front`."""
    found = on("front", *filter(None, [ipv4, ipv6]), mac=mac)
    return Reached(found.ipv4, found.ipv6, mac, found.network, "front")


def context(name: str, made: Store = WORLD) -> NetworkContext:
    """The network context of a container."""
    found = of(name, made)
    return made.context(found)


def of(name: str, made: Store = WORLD) -> Container:
    """A container that is known."""
    found = made.container(key(name))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("source", "target", "address"),
    [
        # On a shared network: its address there; several: user-defined before `bridge`, then by name.
        ("web", "db", "10.1.0.5"),
        ("web", "multi", "10.1.0.6"),
        ("both", "multi", "10.2.0.6"),
        ("mixed", "multi", "10.1.0.6"),
        ("bridged", "multi", "10.9.0.6"),
        ("db", "db", "10.1.0.5"),
        # The service in the host's network: the gateway of the subscriber's network.
        ("web", "hosted", "10.1.0.1"),
        ("both", "hosted", "10.2.0.1"),
        ("mixed", "hosted", "10.1.0.1"),
        ("bridged", "hosted", "10.9.0.1"),
        ("web", "hostjoined", "10.1.0.1"),
        # The service in another container's network: that one's address, however long the chain.
        ("web", "joined", "10.1.0.5"),
        ("web", "rejoined", "10.1.0.5"),
        # The subscriber in the host's network: the first address by the same order.
        ("onhost", "db", "10.1.0.5"),
        ("onhost", "multi", "10.2.0.6"),
        ("onhost", "hosted", "127.0.0.1"),
        ("onhost", "joined", "10.1.0.5"),
        ("onhost", "hostjoined", "127.0.0.1"),
        ("onhost", "onhost", "127.0.0.1"),
        # The subscriber in another container's network: as that one.
        ("sidecar", "db", "10.1.0.5"),
        ("sidecar", "multi", "10.1.0.6"),
        ("sidecar", "hosted", "10.1.0.1"),
        ("sidecar", "joined", "10.1.0.5"),
        ("joined", "db", "10.1.0.5"),
        ("hostcar", "hosted", "127.0.0.1"),
        ("hostcar", "multi", "10.2.0.6"),
    ],
)
def test_the_address_that_a_subscriber_gets(source: str, target: str, address: str) -> None:
    """Each cell of the table that has an address."""
    found = reached(source, target)
    assert isinstance(found, Reached)
    assert found.ipv4 == ip(address)
    assert in_reach(WORLD, context(source), of(target), any_scope=False)


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("bridged", "db", "no shared network with db (on front)"),
        ("none", "multi", "no shared network with multi (on back, bridge, front)"),
        ("none", "hosted", "the subscriber is on no network with a gateway to the host"),
        ("web", "lone", "lone is on no network"),
        ("lone", "lone", "lone is on no network"),
        ("onhost", "lone", "lone has no address"),
        ("web", "empty", "empty has no address"),
        ("web", "orphan", "the container whose network orphan uses is gone"),
        ("web", "reorphan", "the container whose network reorphan uses is gone"),
        ("orphan", "db", LOST_NETWORK),
        ("reorphan", "hosted", LOST_NETWORK),
        ("orphan", "orphan", LOST_NETWORK),
    ],
)
def test_without_a_way_there_is_no_address(source: str, target: str, reason: str) -> None:
    """The result has the reason."""
    assert reached(source, target) == Unreached(reason)


@pytest.mark.parametrize("target", ["lost", "loop"])
def test_a_container_that_was_joined_and_not_read_may_be_there(target: str) -> None:
    """It is gone only after the engine's answer."""
    assert reached("web", target) == NotKnown(f"the container whose network {target} uses is not known yet")


@pytest.mark.parametrize(
    ("source", "target", "address"),
    [
        ("bridged", "db", "10.1.0.5"),
        ("none", "multi", "10.2.0.6"),
        ("bridged", "joined", "10.1.0.5"),
        ("both", "multi", "10.2.0.6"),
        ("bridged", "multi", "10.9.0.6"),
    ],
)
def test_any_scope_publishes_without_a_shared_network(source: str, target: str, address: str) -> None:
    """The first address by the order of networks. A shared network still comes first."""
    found = reached(source, target, any_scope=True)
    assert isinstance(found, Reached)
    assert found.ipv4 == ip(address)
    assert in_reach(WORLD, context(source), of(target), any_scope=True)


@pytest.mark.parametrize(
    ("source", "target", "network", "address"),
    [
        ("both", "multi", "bridge", "10.9.0.6"),
        ("both", "multi", "front", "10.1.0.6"),
        ("onhost", "multi", "front", "10.1.0.6"),
        ("wide", "composed", "shop_data", "10.4.0.7"),
        ("wide", "composed", "data", "10.4.0.7"),
        ("wide", "unread_net", "new", "10.6.0.7"),
    ],
)
def test_a_service_s_own_network_decides(source: str, target: str, network: str, address: str) -> None:
    """By the engine's name, or by the name in its compose file (even before that network has been read)."""
    found = reached(source, target, network)
    assert isinstance(found, Reached)
    assert found.ipv4 == ip(address)


@pytest.mark.parametrize(
    ("source", "target", "network", "reason"),
    [
        ("web", "multi", "back", "no shared network with multi (on back)"),
        ("web", "db", "back", "db is not on network back"),
        ("wide", "odd", "odd", "odd is not on network odd"),
        ("web", "db", "a\nb\u202e", "db is not on network a\\nb\\u202e"),
        ("onhost", "db", "back", "db is not on network back"),
    ],
)
def test_a_service_publishes_on_its_own_network_only(source: str, target: str, network: str, reason: str) -> None:
    """Addresses on other networks do not count. A name in a compose file is valid for that file alone."""
    assert reached(source, target, network) == Unreached(reason)
    if "is not on" in reason:
        assert reached(source, target, network, any_scope=True) == Unreached(reason)


def test_both_families_come_from_one_network() -> None:
    """The gateway to the host may have both, too."""
    assert reached("web", "db") == on_front("10.1.0.5", "fd01::5", "02::5")
    assert reached("web", "six") == on_front(None, "fd01::9")
    assert reached("web", "hosted") == Reached(ip("10.1.0.1"), ip("fd01::1"))  # type: ignore[arg-type]


# The host on networks of each driver, and its address there.

LAN = net("lan", "192.168.7.0/24", gateways=("192.168.7.254",), driver="macvlan")
IPV = net("ipv", "192.168.8.0/24", gateways=("192.168.8.254",), driver="ipvlan")
MESH = net("mesh", "10.0.1.0/24", gateways=("10.0.1.1",), driver="overlay")
INNER_MESH = net("inner-mesh", "10.0.2.0/24", gateways=("10.0.2.1",), driver="overlay", internal=True)
WAY_OUT = net("docker_gwbridge", "172.19.0.0/24", gateways=("172.19.0.1",))
SITE = net("site", "10.7.0.0/16", driver="weave")
PLAIN = net("zone", "10.3.0.0/16", gateways=("10.3.0.1",))
UNTOLD = net("untold", "10.4.0.0/16", "fd04::/64", internal=True)
ROUTED = net("routed", "10.5.0.0/16", auxiliary=frozenset([ip("10.5.0.9")]))
INHIBITED = net("inhibited", "10.6.0.0/16", "fd06::/64", hostless=frozenset([4]))
ISOLATED = net("isolated", "10.8.0.0/16", hostless=frozenset([4, 6]))
DRIVERS = store(
    *(LAN, IPV, MESH, INNER_MESH, WAY_OUT, SITE, PLAIN, UNTOLD, ROUTED, INHIBITED, ISOLATED),
    box("hosted", mode=HOST),
    rules=Rules(advertise=ip("192.0.2.9")),
)


def there(*names: str, address: int = 5) -> list[Endpoint]:
    """Endpoints on these networks, with an IPv4 address and an IPv6 one where there are such subnets."""
    networks = [network for network in DRIVERS.networks if network.name in names]
    found = {
        network.name: [str(subnet.network_address + address) for subnet in network.subnets] for network in networks
    }
    return [on(name, *found[name]) for name in names]


@pytest.mark.parametrize(
    ("endpoints", "address"),
    [
        ([on("zone", "10.3.0.5", gateways=("10.3.0.1",))], "10.3.0.1"),
        # The network's own gateway comes first, as the endpoint's gateway may be an `--aux-address`.
        ([on("zone", "10.3.0.5", gateways=("10.3.0.99",))], "10.3.0.1"),
        ([on("routed", "10.5.0.5", gateways=("10.5.0.9",))], "10.5.0.1"),
        ([on("untold", "10.4.0.5")], "10.4.0.1"),
        # A plugin's network is believed.
        ([on("site", "10.7.0.5", gateways=("10.7.0.77",))], "10.7.0.77"),
        # A bridge is used, with any other networks and any name.
        (there("lan", "zone"), "10.3.0.1"),
        (there("ipv", "isolated", "mesh", "zone"), "10.3.0.1"),
        # The way out of an overlay network is a bridge that no inspection shows.
        (there("mesh"), "172.19.0.1"),
        (there("lan", "mesh"), "172.19.0.1"),
    ],
)
def test_the_host_is_at_its_own_address_on_the_way_there(endpoints: list[Endpoint], address: str) -> None:
    """Never at a LAN's router."""
    DRIVERS.put(box("web", *endpoints))
    found = reached("web", "hosted", made=DRIVERS)
    assert isinstance(found, Reached)
    assert found.ipv4 == ip(address)


@pytest.mark.parametrize(
    ("names", "where"),
    [
        (["lan"], "macvlan lan"),
        (["ipv"], "ipvlan ipv"),
        (["inner-mesh", "lan"], "macvlan lan and overlay inner-mesh"),
        (["isolated"], "bridge isolated"),
    ],
)
def test_on_networks_without_the_host_neither_reaches_the_other(names: list[str], where: str) -> None:
    """With any scope the address is published all the same: for the host, the advertised one."""
    made = DRIVERS
    made.put(box("web", *there(*names)))
    away = Unreached(f"the subscriber is only on {where}, from which the host cannot be reached")
    assert reached("web", "hosted", made=made) == away
    assert reached("web", "hosted", any_scope=True, made=made) == Reached(ip("192.0.2.9"), None)  # type: ignore[arg-type]
    assert reached("hosted", "web", made=made) == Unreached(f"only on {where}, which the host cannot reach")
    found = reached("hosted", "web", any_scope=True, made=made)
    assert isinstance(found, Reached)
    assert found.network_name == min(names)


def test_the_host_reaches_a_container_on_a_bridge_whatever_else_it_is_on() -> None:
    """In each family in which the bridge has an address."""
    DRIVERS.put(box("web", *there("lan", "ipv", "mesh", "zone")))
    assert reached("hosted", "web", made=DRIVERS) == Reached(ip("10.3.0.5"), None, None, "id-zone", "zone")  # type: ignore[arg-type]
    DRIVERS.put(box("web", *there("inhibited")))
    found = Reached(None, ip("fd06::5"), None, "id-inhibited", "inhibited")  # type: ignore[arg-type]
    assert reached("hosted", "web", made=DRIVERS) == found
    assert reached("web", "hosted", made=DRIVERS) == Reached(None, ip("fd06::1"))  # type: ignore[arg-type]


def test_containers_that_are_kept_apart_do_not_reach_each_other() -> None:
    """Over that network. A container reaches itself, also through one that joined it, and the host reaches all."""
    made = store(
        net("apart", "10.1.0.0/24", secluded=True),
        net("front", "10.2.0.0/24"),
        *(box(name, on("apart", address)) for name, address in (("db", "10.1.0.5"), ("web", "10.1.0.6"))),
        box("car", join="db"),
        box("onhost", mode=HOST),
    )
    away = Unreached("only on apart with this subscriber, where containers do not reach each other")
    assert reached("web", "db", made=made) == away
    for source in ("db", "car", "onhost"):
        assert reached(source, "db", made=made) == Reached(ip("10.1.0.5"), None, None, "id-apart", "apart")  # type: ignore[arg-type]
    assert isinstance(reached("web", "db", any_scope=True, made=made), Reached)
    for name, number in (("db", 5), ("web", 6)):
        made.put(box(name, on("apart", f"10.1.0.{number}"), on("front", f"10.2.0.{number}")))
    assert reached("web", "db", made=made) == Reached(ip("10.2.0.5"), None, None, "id-front", "front")  # type: ignore[arg-type]


def test_a_network_that_has_not_been_read_may_be_of_any_driver() -> None:
    """The result is unknown, unless an earlier network decides."""
    unread = NotKnown("the network new is not known yet")
    DRIVERS.put(box("web", on("new", "10.99.0.5", gateways=("10.99.0.1",))))
    assert reached("web", "hosted", made=DRIVERS) == unread
    assert reached("hosted", "web", made=DRIVERS) == unread
    DRIVERS.put(box("web", on("zone", "10.3.0.5"), on("zoo", "10.99.0.5")))
    assert isinstance(reached("web", "hosted", made=DRIVERS), Reached)
    assert isinstance(reached("hosted", "web", made=DRIVERS), Reached)


def test_a_starting_container_is_known_to_be_where_the_host_is_not() -> None:
    """Once its networks are known. After early addresses alone, one on a bridge may follow."""
    starting = box("web", *there("lan"), state=UNKNOWN)
    DRIVERS.put(starting)
    assert isinstance(reached("hosted", "web", made=DRIVERS), Unreached)
    assert isinstance(reached("web", "hosted", made=DRIVERS), Unreached)
    DRIVERS.put(dataclasses.replace(starting, network_mode=None))
    assert isinstance(reached("hosted", "web", made=DRIVERS), NotKnown)
    assert isinstance(reached("web", "hosted", made=DRIVERS), NotKnown)


def test_networks_without_a_known_id_are_compared_by_name() -> None:
    """Engine 20.10 does not tell the id before a container's first start."""
    made = store(box("db", on("front", "10.1.0.5", known=False)), box("web", on("front")), box("far", on("back")))
    assert isinstance(reached("web", "db", made=made), Reached)
    assert isinstance(reached("far", "db", made=made), Unreached)


# Unknown facts.

NEW = {"state": UNKNOWN, "mode": None}


@pytest.mark.parametrize(
    ("lister", "reason"),
    [
        ([box("web", on("front")), box("db", mode=None)], "the networks of db are not known yet"),
        ([box("web", mode=None), box("db", on("front"))], NOT_PLACED),
        ([box("web", on("front")), box("db", join="x"), box("x", mode=None)], "the networks of x are not known yet"),
        ([box("web", on("front")), box("db", state=UNKNOWN)], "the networks of db are not known yet"),
        ([box("web", state=UNKNOWN), box("db", on("front", "10.1.0.5"))], NOT_PLACED),
        ([box("web", on("front")), box("db", on("front"), state=UNKNOWN)], "the address of db is not known yet"),
        (
            [box("web", on("front")), box("db", on("back", "10.2.0.5"), state=UNKNOWN, mode=None)],
            "the networks of db are not known yet",
        ),
        (
            [box("web", on("back", "10.2.0.6"), state=UNKNOWN, mode=None), box("db", on("front", "10.1.0.5"))],
            NOT_PLACED,
        ),
        ([box("web", join="gone"), box("db", on("front", "10.1.0.5"))], NOT_JOINED),
        (
            [box("web", on("front"), state=UNKNOWN), box("db", mode=HOST), net("front", driver="weave")],
            "the gateway of the subscriber is not known yet",
        ),
    ],
)
def test_unknown_facts_give_an_unknown_result(lister: list[Container | Network], reason: str) -> None:
    """The result is neither an address nor its absence."""
    assert reached("web", "db", made=store(*lister)) == NotKnown(reason)


def test_the_last_address_of_a_stale_container_counts() -> None:
    """A container that is changing keeps it until a newer fact arrives."""
    made = store(box("web", on("front")), box("db", on("front", "10.1.0.5")))
    made.mark_stale(key("db"))
    assert isinstance(reached("web", "db", made=made), Reached)


def test_a_starting_service_is_not_published_on_its_second_choice() -> None:
    """The address on the first network is still to come. One start must not be two changes."""
    first, second = on("back"), on("front", "10.0.0.3")
    web = box("web", on("back", "10.1.0.2"), on("front", "10.0.0.2"))
    starting, running = box("db", first, second, state=UNKNOWN), box("db", first, second)
    assert isinstance(reached("web", "db", made=store(web, starting)), NotKnown)
    assert reached("web", "db", made=store(web, running)) == on_front("10.0.0.3")


def test_a_container_that_another_one_joined_may_have_stopped() -> None:
    """Then there is no network that the other could use."""
    made = store(box("web", on("front")), box("db", join="x"), box("x", on("front"), state=STOPPED))
    assert reached("web", "db", made=made) == Unreached("x has no address")
    made.put(dataclasses.replace(of("x", made), state=UNKNOWN))
    assert reached("web", "db", made=made) == NotKnown("the address of x is not known yet")
