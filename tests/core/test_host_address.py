"""The addresses of the host in lines: `PublicIp` with `advertise: auto`, and `HostIp`, where ports are published."""

import ipaddress
from dataclasses import replace

import pytest

from hostwatch.core.model import Container, FileKind, HostAddresses, NetworkMode
from hostwatch.core.resolve import desired
from hostwatch.core.resolve.bearers import Bearers
from hostwatch.core.resolve.explained import Explanation
from hostwatch.core.resolve.linger import Desired
from hostwatch.core.resolve.outcome import Published
from hostwatch.core.rules import Rules, Subscription
from hostwatch.core.store.store import Store
from tests.core.build import (
    STOPPED,
    UNKNOWN,
    box,
    desired_block,
    hosts,
    ip,
    key,
    lines,
    net,
    on,
    only,
    service,
    store,
    subscriber,
    told,
)

OWN = HostAddresses(ipaddress.IPv4Address("192.0.2.1"), ipaddress.IPv6Address("2001:db8::1"))
AUTO = Rules(advertise="auto")
UNSET = "`advertise` is not set in the configuration; write `advertise: auto` or an address"
NO_ROUTE = "this host has no default route, so that it has no address to others"
WHICH = "; HostIp[PORT] says which port of the container is meant"
EVERYWHERE = ("5432/tcp 0.0.0.0", "5432/tcp ::")


def web(*template: str, mode: NetworkMode = NetworkMode.OWN) -> Container:
    """The subscriber, on a network of its own."""
    places = (on("front", "10.0.0.2"),) if mode is NetworkMode.OWN else ()
    return box("web", *places, mode=mode, labels=hosts(*template))


def db(*ports: str, **options: object) -> Container:
    """The service, on another network, with these published ports."""
    return box("db", on("back", "10.1.0.5"), ports=ports, **options)  # type: ignore[arg-type]


def said(*facts: Container, line: str = "@{db.HostIp} db", own: HostAddresses | None = OWN, rules: Rules = AUTO) -> str:
    """The outcome of the line, if the host has these addresses."""
    made = store(*facts, web(line), rules=rules)
    made.put_host_addresses(own)
    return "\n".join(told(made, "web"))


# The host's own address.


@pytest.mark.parametrize(
    ("own", "outcome"),
    [
        (OWN, "192.0.2.1 db"),
        (HostAddresses(ipv6=OWN.ipv6), "2001:db8::1 db"),
        (HostAddresses(), f"Gone PublicIp: {NO_ROUTE}"),
        (None, "Unknown PublicIp: this host's own address is not known yet"),
    ],
)
def test_the_host_s_own_address_is_present_absent_or_unknown(own: HostAddresses | None, outcome: str) -> None:
    """Of both families IPv4 comes first, as for a container's address."""
    here = box("db", on("front", "10.0.0.5"))
    assert said(here, line="@{db.PublicIp} db", own=own) == outcome


def test_the_configuration_s_address_needs_no_route() -> None:
    """What is found counts only with `auto`, and without either the reason says what to write."""
    here = box("db", on("front", "10.0.0.5"))
    fixed = Rules(advertise=ip("198.51.100.1"))
    assert said(here, line="@{db.PublicIp} db", rules=fixed) == "198.51.100.1 db"
    assert said(here, line="@{db.PublicIp} db", own=None, rules=fixed) == "198.51.100.1 db"
    assert said(here, line="@{db.PublicIp} db", rules=Rules()) == f"Refused PublicIp: {UNSET}"


def aged(made: Store, before: Desired | None, now: float) -> Desired:
    """The desired block, with two seconds of linger."""
    return desired_block(made, key("web"), before.memory if before is not None else {}, now, 2.0)


def test_a_lost_default_route_lingers_and_an_unknown_one_changes_nothing() -> None:
    """As for a service that is gone."""
    made = store(box("db", on("front", "10.0.0.5")), web("@{db.PublicIp} db"), rules=AUTO)
    made.put_host_addresses(OWN)
    first = aged(made, None, 0.0)
    made.put_host_addresses(None)
    assert aged(made, first, 100.0).block.records == first.block.records
    made.put_host_addresses(HostAddresses())
    gone = aged(made, first, 200.0)
    assert (gone.block.records, gone.again_at) == (first.block.records, 202.0)
    assert aged(made, gone, 202.0).block.records == ()
    made.put_host_addresses(OWN)
    assert aged(made, gone, 201.0).block == first.block


def test_only_files_with_such_a_line_are_affected() -> None:
    """Those with `scope: any` too: they get it for a service in the host's network that they cannot reach otherwise."""
    roaming = subscriber("roaming", Subscription(services=("db",), any_scope=True))
    made = store(
        box("plain", on("front", "10.0.0.3"), labels=hosts("@{db.ip} db")),
        box("public", on("front", "10.0.0.4"), labels=hosts("@{db.PublicIp} db")),
        box("ports", on("front", "10.0.0.5"), labels=hosts("192.0.2.9 x\n@{db.HostIp[80]} db")),
        box("joined", join="public"),
        box("roaming", on("front", "10.0.0.6")),
        rules=replace(AUTO, subscribers=(roaming,)),
    )
    assert made.put_host_addresses(OWN) == {key("public"), key("ports"), key("roaming")}
    assert made.put_host_addresses(OWN) == frozenset()


@pytest.mark.parametrize(
    ("own", "outcome"),
    [
        (OWN, ["192.0.2.1 api", "2001:db8::1 api"]),
        (None, ["Unknown api: this host's own address is not known yet"]),
        (HostAddresses(), ["Gone api: the subscriber is only on macvlan lan, from which the host cannot be reached"]),
    ],
)
def test_any_scope_gives_it_for_a_service_in_host_mode(own: HostAddresses | None, outcome: list[str]) -> None:
    """If the subscriber has no other way to the host."""
    rules = replace(AUTO, subscribers=(subscriber("web", Subscription(services=("api",), any_scope=True)),))
    lan = net("lan", "10.0.0.0/24", driver="macvlan")
    made = store(lan, box("web", on("lan", "10.0.0.2")), box("api", mode=NetworkMode.HOST), rules=rules)
    made.put_host_addresses(own)
    assert told(made, "web") == outcome


# Published ports.


@pytest.mark.parametrize(
    ("line", "ports", "outcome"),
    [
        ("@{db.HostIp}", ("5432/tcp 198.51.100.7",), "198.51.100.7 db"),
        ("@{db.HostIp}", ("80/tcp 198.51.100.7", "81/tcp 198.51.100.7"), "198.51.100.7 db"),
        ("@{db.HostIp}", ("5432/tcp fd00::7",), "fd00::7 db"),
        ("@{db.HostIp}", ("53/udp 198.51.100.7", "53/udp fd00::7"), "198.51.100.7 db"),
        ("@{db.HostIp}", EVERYWHERE, "192.0.2.1 db"),
        ("@{db.HostIp}", ("80/tcp 0.0.0.0", "81/tcp 192.0.2.1"), "192.0.2.1 db"),
        ("@{db.HostIp}", ("5432/tcp ::",), "2001:db8::1 db"),
        ("@{db.HostIp[53]}", ("53/udp 198.51.100.7", "80/tcp 198.51.100.8"), "198.51.100.7 db"),
        ("@{db.HostIp[53]}", ("53/udp 198.51.100.7", "53/tcp 198.51.100.7", "530/tcp 127.0.0.1"), "198.51.100.7 db"),
        ("@{db.HostIp[80]}", ("80/tcp 127.0.0.1", "80/tcp 198.51.100.7"), "198.51.100.7 db"),
        (
            "@{db.HostIp[80]}",
            ("80/tcp 127.0.0.1", "81/tcp 198.51.100.7"),
            "Gone db: db publishes its ports on 127.0.0.1, which only the host itself reaches",
        ),
        ("@{db.HostIp}", (), "Gone db: db publishes no port"),
        (
            "@{db.HostIp[5433]}",
            EVERYWHERE,
            "Gone db: db does not publish its port 5433; it publishes 5432/tcp",
        ),
        (
            "@{db.HostIp}",
            ("53/udp 198.51.100.7", "80/tcp 198.51.100.8"),
            "Refused db: db publishes its ports on several addresses: 198.51.100.7 (53/udp), 198.51.100.8 (80/tcp)"
            + WHICH,
        ),
        (
            "@{db.HostIp[53]}",
            ("53/udp 198.51.100.7", "53/tcp 198.51.100.8", "80/tcp 198.51.100.7"),
            "Refused db: db publishes its port 53 on several addresses: 198.51.100.7 (53/udp), 198.51.100.8 (53/tcp)",
        ),
        (
            "@{db.HostIp}",
            ("80/tcp 127.0.0.1", "81/tcp 0.0.0.0"),
            "Refused db: db publishes its ports on several addresses: 0.0.0.0 (81/tcp), 127.0.0.1 (80/tcp)" + WHICH,
        ),
        (
            "@{db.HostIp}",
            ("80/tcp 127.0.0.1", "80/tcp ::1"),
            "Gone db: db publishes its ports on 127.0.0.1, ::1, which only the host itself reaches",
        ),
        ("@{db.HostIp}", ("80/tcp x",), "Gone db: db publishes its ports on no address that this host has"),
        ("@{db.HostIp}", ("80/tcp fe80::1%eth0",), "Gone db: db publishes its ports on no address that this host has"),
    ],
)
def test_the_address_of_published_ports(line: str, ports: tuple[str, ...], outcome: str) -> None:
    """As they are bound, whichever networks the two containers are on."""
    assert said(db(*ports), line=f"{line} db") == outcome


def test_many_ports_are_a_short_reason() -> None:
    """A range of ports may be thousands."""
    many = [f"{port}/udp {address}" for port in range(8_000, 9_000) for address in ("198.51.100.7", "198.51.100.8")]
    assert "8000/udp, 8001/udp, 8002/udp, 8003/udp and 996 more" in said(db(*many))
    assert "port 80; it publishes 8000/udp, 8" in said(db(*many[::2]), line="@{db.HostIp[80]} db")
    assert said(db(*many[::2]), line="@{db.HostIp[8500]} db") == "198.51.100.7 db"


@pytest.mark.parametrize(
    ("own", "rules", "outcome"),
    [
        (
            None,
            AUTO,
            "Unknown db: db publishes its ports on all addresses of this host, and this host's own address is",
        ),
        (HostAddresses(), AUTO, f"Gone db: db publishes its ports on all addresses of this host, and {NO_ROUTE}"),
        (OWN, Rules(), f"Refused db: db publishes its ports on all addresses of this host, and {UNSET}"),
        (OWN, Rules(advertise=ip("198.51.100.1")), "198.51.100.1 db"),
    ],
)
def test_all_addresses_are_the_host_s_own(own: HostAddresses | None, rules: Rules, outcome: str) -> None:
    """Ports that are bound to one address need none of that."""
    assert said(db(*EVERYWHERE), own=own, rules=rules).startswith(outcome)
    assert said(db("80/tcp 198.51.100.7"), own=own, rules=rules) == "198.51.100.7 db"


def test_all_addresses_of_a_family_that_the_host_has_none_of() -> None:
    """It is withheld if there is no other."""
    alone = Rules(advertise=ip("198.51.100.1"))
    assert said(db("80/tcp ::"), rules=alone) == "Gone db: db publishes its ports on no address that this host has"


def test_the_families_are_those_that_are_asked_for() -> None:
    """In the order in which they are."""
    for families, outcome in (
        (Subscription(ipv6_first=True), "2001:db8::1 db"),
        (Subscription(ipv4=False), "2001:db8::1 db"),
        (Subscription(ipv6=False), "192.0.2.1 db"),
    ):
        asked = subscriber("web", replace(families, lines=lines("@{db.HostIp} db")))
        made = store(db(*EVERYWHERE), box("web", on("front", "10.0.0.2")), rules=replace(AUTO, subscribers=(asked,)))
        made.put_host_addresses(OWN)
        assert told(made, "web") == [outcome]
    assert said(db("80/tcp fd00::7")) == "fd00::7 db"
    four = subscriber("web", Subscription(ipv6=False, lines=lines("@{db.HostIp} db")))
    made = store(db("80/tcp fd00::7"), box("web", on("front", "10.0.0.2")), rules=Rules(subscribers=(four,)))
    assert told(made, "web") == ["Gone db: fd00::7 is not of the families that are asked for"]


def test_a_loopback_address_is_for_the_host_alone() -> None:
    """For a container in the host's network, one that joins it, and a file on the host."""
    local = db("5432/tcp 127.0.0.1")
    assert told(store(local, web("@{db.HostIp} db", mode=NetworkMode.HOST)), "web") == ["127.0.0.1 db"]
    joined = box("j", join="web", labels=hosts("@{db.HostIp} db"))
    assert told(store(local, web(mode=NetworkMode.HOST), joined), "web") == ["127.0.0.1 db"]
    assert said(local) == "Gone db: db publishes its ports on 127.0.0.1, which only the host itself reaches"
    unread = box("j", join="nobody", labels=hosts("@{db.HostIp} db"))
    outcome = only(store(local, unread), "j")
    assert not isinstance(outcome, Published)


def test_a_container_has_the_ports_of_the_one_whose_network_it_uses() -> None:
    """The host's network has none."""
    front = box("proxy", on("back", "10.1.0.9"), ports=("80/tcp 198.51.100.7",))
    assert said(front, box("db", join="proxy")) == "198.51.100.7 db"
    in_host = box("db", mode=NetworkMode.HOST)
    assert said(in_host) == "Gone db: db uses the host's network and publishes no port; PublicIp is its address"
    assert said(box("db", join="nobody")) == "Unknown db: the container whose network db uses is not known yet"
    made = store(front, box("db", join="proxy"), web("@{db.HostIp} db"))
    made.drop(front.key)
    assert told(made, "web") == ["Gone db: the container whose network db uses is gone"]


def test_ports_that_are_not_known_change_nothing() -> None:
    """Of a container that starts; one that has ended publishes none."""
    starting = box("db", on("back"), state=UNKNOWN, ports=None)
    assert said(starting) == "Unknown db: the published ports of db are not known yet"
    made = store(db("80/tcp 198.51.100.7"), web("@{db.HostIp} db"))
    made.mark_stale(key("db"))
    assert told(made, "web") == ["198.51.100.7 db"]
    made.put(db("80/tcp 198.51.100.8"), asked=0)  # the answer may be older than the change
    assert told(made, "web") == ["198.51.100.7 db"]
    made.put(box("db", on("back"), state=STOPPED))
    assert told(made, "web") == ["Gone db: no running container"]
    made.mark_starting(key("db"))
    assert told(made, "web") == ["Unknown db: the published ports of db are not known yet"]


def test_the_container_behind_the_line_is_told() -> None:
    """The host has the address, so that no other container can have got it."""
    outcome = only(store(db("80/tcp 198.51.100.7"), web("@{db.HostIp} db")), "web")
    assert isinstance(outcome, Published)
    (origin,) = outcome.origins
    assert (origin.container, origin.service_container) == (None, "db")


def test_a_nameserver_may_be_a_published_port() -> None:
    """In a resolv.conf the same rules count."""
    requested = {"hostwatch.resolv": "nameserver @{dns.HostIp[53]}"}
    dns = box("dns", on("back", "10.1.0.53"), ports=("53/udp 0.0.0.0", "53/tcp 0.0.0.0", "80/tcp 127.0.0.1"))
    made = store(dns, box("web", on("front", "10.0.0.2"), labels=requested), rules=AUTO)
    assert made.put_host_addresses(OWN) == {key("web")}
    (outcome,) = desired.outcomes(made, made.sharing(key("web"), FileKind.RESOLV).requests)
    assert isinstance(outcome, Published)
    assert [str(record.address) for record in outcome.records] == ["192.0.2.1"]


def test_each_replica_has_a_line() -> None:
    """Two on the same address are one record; one that publishes nothing is left out."""
    compose = {"compose": "shop/db"}
    one = box("db-1", on("back", "10.1.0.1"), number=1, ports=("80/tcp 198.51.100.7",), **compose)  # type: ignore[arg-type]
    two = box("db-2", on("back", "10.1.0.2"), number=2, ports=("80/tcp 198.51.100.8",), **compose)  # type: ignore[arg-type]
    bare = box("db-3", on("back", "10.1.0.3"), number=3, **compose)  # type: ignore[arg-type]
    rules = replace(AUTO, services=(service("db"),))
    assert said(one, two, bare, rules=rules) == "198.51.100.7 db\n198.51.100.8 db"


def test_no_network_in_common_is_needed_and_a_name_in_reach_comes_first() -> None:
    """A container out of reach is found by its own name alone, once all aliases in reach are known."""
    far, label = db("80/tcp 198.51.100.7"), {"hostwatch.names": "db"}
    near = box("x", on("front", "10.0.0.5", aliases=("db",)), ports=("80/tcp 198.51.100.8",))
    assert said(far) == "198.51.100.7 db"
    assert said(far, line="@{db.PublicIp} db") == "192.0.2.1 db"
    assert said(far, near) == "198.51.100.8 db"
    unread = box("y", on("front", "10.0.0.6", aliases=None))
    assert said(far, unread) == "Unknown db: not all containers have been read"
    stranger = box("z", on("back", "10.1.0.6"), labels=label, ports=("80/tcp 198.51.100.9",))
    assert said(stranger) == "Gone db: no running container"
    assert said(far, line="@{db.ip} db") == "Gone db: no shared network with db (on back)"


def test_why_tells_of_published_ports() -> None:
    """Where the name was found, and what would have it published."""

    def steps(made: Store) -> str:
        desired = desired_block(made, key("web"), {}, 0.0, 2.0)
        bearers = Bearers(made)
        for container in made.containers:
            bearers.take_in(container)
        explanation = Explanation(made, (key("web"), FileKind.HOSTS), desired, desired.block, bearers)
        assert not any(explanation.prepare())
        (line,) = filter(None, explanation.lines((), lambda _last: None))
        return "\n".join(step.text for step in line.steps)

    found = steps(store(db("80/tcp 198.51.100.7"), web("@{db.HostIp} db")))
    assert "containers out of reach, by their own names: db, as no network in common is needed" in found
    assert "taken: it runs, and the host is 198.51.100.7" in found
    unknown = steps(store(db("80/tcp 0.0.0.0"), web("@{db.HostIp} db"), rules=AUTO))
    assert "`hostwatch doctor` says what keeps this host's address from being known" in unknown
    missing = steps(store(db(), web("@{db.HostIp} db")))
    assert "passed over: db publishes no port" in missing
    assert "publish the port on an address that the subscriber reaches" in missing
