"""The desired lines of a hosts file: references, replicas, several sources, and unknown facts."""

from dataclasses import replace
from pathlib import Path

import pytest

from hostwatch.core.block.records import Block, Withheld
from hostwatch.core.model import Container, ContainerId, ContainerKey, Health, Network, NetworkMode, State
from hostwatch.core.resolve.lookup import Resolver
from hostwatch.core.resolve.outcome import Gone, Origin, Published, Refused, Unknown
from hostwatch.core.resolve.recall import memory_of
from hostwatch.core.resolve.tiers import Tiers
from hostwatch.core.rules import Match, Rules, ServiceRule, SubscriberRule, Subscription
from hostwatch.core.store.store import Store
from tests.core.build import (
    ENGINE,
    RUNNING,
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
    outcomes,
    service,
    store,
    subscriber,
    told,
)

DB = box("db", on("front", "10.0.0.5", "fd00::5", mac="02:42:0a:00:00:05"), hostname="mysql")


def web(*template: str, **labels: str) -> Container:
    """The subscriber, with these lines and labels."""
    return box("web", on("front", "10.0.0.2"), compose="shop/web", labels=hosts(*template, **labels))


def said(*lister: Container | Network, lines: tuple[str, ...], rules: Rules | None = None) -> list[str]:
    """The outcomes of these lines in the subscriber's file."""
    return told(store(*lister, web(*lines), rules=rules), "web")


# One reference.


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ("@{db.ip} db", "10.0.0.5 db"),
        ("@{db.PrivateIpAddress} db", "10.0.0.5 db"),
        ("@{db.ip6} db", "fd00::5 db"),
        ("@{db.PublicIp} db", "192.0.2.1 db"),
        ("@{db.ip} @{db.name}.internal x-@{db.hostname}", "10.0.0.5 db.internal x-mysql"),
        ("192.0.2.9 @{db.hostname}", "192.0.2.9 mysql"),
        ("@{db.ip[0]} first", "10.0.0.5 first"),
        ("@{self.ip} me @{self.name}.me", "10.0.0.2 me web.me"),
        ("@{db.ip} a b a", "10.0.0.5 a b"),
        ("2001:db8::1 x", "2001:db8::1 x"),
    ],
)
def test_a_line_is_filled_in(line: str, record: str) -> None:
    """Each attribute, in both spellings."""
    assert said(DB, lines=(line,), rules=Rules(advertise=ip("192.0.2.1"))) == [record]


def test_ip_is_ipv6_where_there_is_no_ipv4() -> None:
    """A service line has a record for each family."""
    six = box("db", on("front", "fd00::5"))
    assert said(six, lines=("@{db.ip} db",)) == ["fd00::5 db"]
    assert said(six, DB, box("x", on("front", "fd00::9")), lines=("@{x.ip} x",)) == ["fd00::9 x"]


@pytest.mark.parametrize(
    ("families", "address", "service_lines"),
    [
        (Subscription(), "10.0.0.5", ["10.0.0.5 db", "fd00::5 db"]),
        (Subscription(ipv6_first=True), "fd00::5", ["fd00::5 db", "10.0.0.5 db"]),
        (Subscription(ipv4=False), "fd00::5", ["fd00::5 db"]),
        (Subscription(ipv6=False), "10.0.0.5", ["10.0.0.5 db"]),
    ],
)
def test_families_and_their_order(families: Subscription, address: str, service_lines: list[str]) -> None:
    """Only the requested ones, in the requested order."""
    place = box("web", on("front", "10.0.0.2"))
    for asked, expected in (
        (replace(families, lines=lines("@{db.ip} x")), [f"{address} x"]),
        (replace(families, services=("db",)), service_lines),
    ):
        rules = Rules(subscribers=(subscriber("web", asked),))
        assert told(store(DB, place, rules=rules), "web") == expected


@pytest.mark.parametrize(
    ("advertise", "families", "outcome"),
    [
        ("192.0.2.1", Subscription(ipv4=False), "PublicIp: 192.0.2.1 is not of the families that are asked for"),
        ("fd00::1", Subscription(ipv6=False), "PublicIp: fd00::1 is not of the families that are asked for"),
        ("192.0.2.1", Subscription(ipv6=False), None),
        ("fd00::1", Subscription(ipv4=False), None),
    ],
)
def test_the_host_s_own_address_is_of_a_family_too(advertise: str, families: Subscription, outcome: str | None) -> None:
    """It is withheld if that family is not requested."""
    wanted = subscriber("web", replace(families, lines=lines("@{db.PublicIp} db")))
    place = box("web", on("front", "10.0.0.2"))
    made = store(DB, place, rules=Rules(subscribers=(wanted,), advertise=ip(advertise)))
    assert told(made, "web") == [f"Gone {outcome}" if outcome is not None else f"{advertise} db"]


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("@{nobody.ip} x", "Gone nobody: no running container"),
        ("@{stopped.ip} x", "Gone stopped: no running container"),
        ("@{far.ip} x", "Gone far: no shared network with far (on back)"),
        ("@{four.ip6} x", "Gone four: four has no IPv6 address"),
        ("192.0.2.9 @{four.mac}", "Gone four: four has no MAC address"),
        (
            "@{db.PublicIp} x",
            "Refused PublicIp: `advertise` is not set in the configuration; write `advertise: auto` or an address",
        ),
        ("@{db.ip} @{db.ip}", "Refused 10.0.0.5: an address, not a name"),
        ("@{db.ip} @{odd.hostname}", "Refused a\\nb: not a host name"),
        ("@{sick.ip} x", "Refused sick: sick is unhealthy"),
        ("@{db.ip[1]} x", "Gone db: no replica 1 (there are 1)"),
    ],
)
def test_a_line_without_a_value_is_withheld(line: str, outcome: str) -> None:
    """The whole line, with the reason."""
    made = store(
        DB,
        box("stopped", on("front"), state=STOPPED),
        box("far", on("back", "10.1.0.5")),
        box("four", on("front", "10.0.0.6")),
        box("odd", on("front", "10.0.0.7"), hostname="a\nb"),
        box("sick", on("front", "10.0.0.8"), labels={"hostwatch.health": "required"}, health=Health.UNHEALTHY),
        web(line.replace("@{db.ip} @{odd", "@{odd.ip} @{odd")),
    )
    assert told(made, "web") == [outcome]


def test_an_attribute_of_the_container_itself_needs_no_shared_network() -> None:
    """`PublicIp` is the host's address, and names need no network: the service only has to run."""
    rules = Rules(advertise=ip("192.0.2.1"))
    template = ("@{db.PublicIp} db", "@{db.PublicIp} @{db.name}.public", "192.0.2.9 @{db.hostname}")
    far = box("db", on("back", "10.1.0.5"), compose="shop/db", hostname="h")
    assert said(far, lines=template, rules=rules) == ["192.0.2.1 db", "192.0.2.1 db.public", "192.0.2.9 h"]
    stopped = box("db", on("back"), compose="shop/db", state=STOPPED)
    assert said(stopped, lines=template, rules=rules) == ["Gone db: no running container"] * 3
    mixed = ("@{db.PublicIp} x-@{db.ip}",)
    assert said(far, lines=mixed, rules=rules) == ["Gone db: no shared network with db (on back)"]


def test_public_records_are_no_container_s_address() -> None:
    """They do not count as reassigned when a container has that address."""
    made = store(DB, web("@{db.PublicIp} db"), rules=Rules(advertise=ip("10.0.0.9")))
    outcome = only(made, "web")
    assert isinstance(outcome, Published)
    assert outcome.origins == (Origin(),)


# Replicas.


def replica(number: int, state: State = RUNNING, **options: object) -> Container:
    """A replica of the compose service `db`."""
    place = on("front", *([f"10.0.1.{number}"] if state is RUNNING else []))
    return box(f"db-{number}", place, compose="shop/db", number=number, state=state, **options)  # type: ignore[arg-type]


def test_a_line_becomes_a_line_per_replica() -> None:
    """In the order of replicas. Replicas that do not run, or lack the attribute, are left out."""
    dual = box("db-3", on("front", "10.0.1.3", "fd00::3"), compose="shop/db", number=3)
    made = (replica(10), replica(2), replica(1, STOPPED), dual)
    assert said(*made, lines=("@{db.ip} db @{db.name}",)) == [
        "10.0.1.2 db db-2",
        "10.0.1.3 db db-3",
        "10.0.1.10 db db-10",
    ]
    assert said(*made, lines=("@{db.ip6} db",)) == ["fd00::3 db"]


def test_a_number_is_the_replica_s_in_a_stable_order() -> None:
    """No other replica gets it while that one is restarted."""
    template = ("@{db.ip[0]} a", "@{db.ip[1]} b", "@{db.ip[2]} c", "@{db.ip[1]} @{db.name[0]}.x")
    all_of_them = ["10.0.1.1 a", "10.0.1.2 b", "Gone db: no replica 2 (there are 2)", "10.0.1.2 db-1.x"]
    assert said(replica(1), replica(2), lines=template) == all_of_them
    first_down = said(replica(1, STOPPED), replica(2), lines=template)
    assert first_down[:2] == ["Gone db: db-1 is not running", "10.0.1.2 b"]
    assert said(lines=("@{db.ip[0]} a",)) == ["Gone db: no running container"]


def test_a_replica_that_is_replaced_keeps_its_number() -> None:
    """Compose makes the new container before it removes the old one; both have the number."""
    old, new = replica(1, created=1.0), box("new", on("front"), compose="shop/db", state=STOPPED, created=9.0)
    assert said(old, new, replica(2), lines=("@{db.ip[0]} a", "@{db.ip[1]} b")) == ["10.0.1.1 a", "10.0.1.2 b"]
    old, new = replica(1, STOPPED, created=1.0), box("new", on("front", "10.0.1.9"), compose="shop/db", created=9.0)
    assert said(old, new, replica(2), lines=("@{db.ip[0]} a", "@{db.ip[1]} b")) == ["10.0.1.9 a", "10.0.1.2 b"]


def test_an_ambiguous_name_is_withheld() -> None:
    """Two services claim it in one tier."""
    claimants = [
        box(name, on("front", f"10.0.0.{n}"), labels={"hostwatch.names": "db"}) for name, n in (("a", 5), ("b", 6))
    ]
    assert said(*claimants, lines=("@{db.ip} db",)) == ["Refused db: claimed by a and b"]


# Health.


@pytest.mark.parametrize(
    ("health", "outcome"),
    [
        (Health.HEALTHY, "10.0.0.5 db"),
        (Health.NONE, "10.0.0.5 db"),
        (Health.STARTING, "Refused db: db is starting"),
        (Health.UNHEALTHY, "Refused db: db is unhealthy"),
        (None, "Unknown db: the health of db is not known yet"),
    ],
)
def test_health_counts_where_it_is_required(health: Health | None, outcome: str) -> None:
    """By the container's label or by the configuration; no healthcheck counts as healthy."""
    place = on("front", "10.0.0.5")
    labelled = box("db", place, health=health, labels={"hostwatch.health": "required"})
    assert said(labelled, lines=("@{db.ip} db",)) == [outcome]
    rules = Rules((ServiceRule("db", Match(name=("db",)), ("db",), health_required=True),))
    assert said(box("db", place, health=health), lines=("@{db.ip} db",), rules=rules) == [outcome]
    assert said(box("db", place, health=health), lines=("@{db.ip} db",)) == ["10.0.0.5 db"]


def test_a_container_has_its_own_lines_in_any_health() -> None:
    """Otherwise a healthcheck that needs them would never succeed."""
    labels = {"hostwatch.health": "required", "hostwatch.hosts": "@{self.ip} me"}
    ill = box("ill", on("front", "10.0.0.5"), health=Health.STARTING, labels=labels)
    assert told(store(ill), "ill") == ["10.0.0.5 me"]


def test_an_unhealthy_replica_is_left_out() -> None:
    """The others are published."""
    sick = replica(1, health=Health.UNHEALTHY, labels={"hostwatch.health": "required"})
    assert said(sick, replica(2), lines=("@{db.ip} db",)) == ["10.0.1.2 db"]


def test_the_network_of_the_configuration_comes_before_the_label_s() -> None:
    """Each restricts what is published."""
    db = box("db", on("front", "10.0.0.5"), on("back", "10.1.0.5"), labels={"hostwatch.network": "back"})
    both = box("web", on("front", "10.0.0.2"), on("back", "10.1.0.2"), labels=hosts("@{db.ip} db"))
    assert told(store(db, both), "web") == ["10.1.0.5 db"]
    rules = Rules((ServiceRule("db", Match(name=("db",)), ("db",), network="front"),))
    assert told(store(db, both, rules=rules), "web") == ["10.0.0.5 db"]


# `services:`.


def test_services_are_published_under_their_own_names() -> None:
    """The configuration's names, else the requested one, and the names in the containers' labels."""
    rules = Rules((service("db", ("db", "mysql.internal")),))
    made = (box("db-1", on("front", "10.0.0.5"), labels={"hostwatch.names": "main"}), box("x", on("front", "10.0.0.6")))
    subscribed = store(*made, web(services="db x nobody"), rules=rules)
    assert told(subscribed, "web") == [
        "10.0.0.5 db mysql.internal main",
        "10.0.0.6 x",
        "Gone nobody: no running container",
    ]


def test_a_configured_service_without_containers_is_gone() -> None:
    """It is not refused, as its last records may linger."""
    made = store(web(services="db"), rules=Rules((service("db"),)))
    assert only(made, "web") == Gone("@{db.ip} db", "db: no running container")


def test_a_service_line_does_not_depend_on_the_labels_of_its_containers() -> None:
    """Its last records must linger when the container with the labels is gone."""
    made = store(box("db", on("front", "10.0.0.5"), labels={"hostwatch.names": "main"}), web(services="db"))
    before = only(made, "web").line
    made.drop(key("db"))
    assert only(made, "web").line == before == "@{db.ip} db"


@pytest.mark.parametrize("name", ["1234", "0x10", "a..b", "localhost", "x-"])
def test_a_service_whose_name_is_no_host_name_is_refused(name: str) -> None:
    """Docker allows it as a container's name; a hosts file must not hold it."""
    (outcome,) = outcomes(store(box(name, on("front", "10.0.0.5")), web(services=name)), key("web"))
    assert isinstance(outcome, Refused)


def test_replicas_with_labels_of_their_own_are_told_apart() -> None:
    """A name in a label is that container's alone."""
    main = replica(1, labels={"hostwatch.names": "main"})
    assert told(store(main, replica(2), web(services="db")), "web") == ["10.0.1.1 db main", "10.0.1.2 db"]


def test_a_replica_without_a_free_name_has_no_record() -> None:
    """A line has given its only name to another address."""
    main = {"hostwatch.names": "main"}
    wanted = web("10.9.0.1 db", services="db")
    made = store(replica(1, labels=main), replica(2), wanted)
    assert told(made, "web") == ["10.9.0.1 db", "10.0.1.1 main"]
    made.put(replica(1, STOPPED, labels=main))
    assert told(made, "web") == ["10.9.0.1 db", "Gone db: no running container"]


def test_a_star_is_a_line_for_each_service_in_reach() -> None:
    """All names on one line, the subscriber's own included. Without a reachable running container there is no line."""
    made = store(
        box("shop-db-1", on("front", "10.0.0.5", aliases=("db", "mysql")), compose="shop/db"),
        box("stopped", on("front"), state=STOPPED),
        box("far", on("back", "10.1.0.5"), compose="shop/far"),
        box("a", on("front", "10.0.0.6"), labels={"hostwatch.names": "twice"}),
        box("b", on("front", "10.0.0.7"), labels={"hostwatch.names": "twice"}),
        web("@{a.ip} mysql", services="*"),
        rules=Rules((service("nobody"),)),
    )
    assert told(made, "web") == [
        "10.0.0.6 mysql",
        "10.0.0.6 a",
        "10.0.0.7 b",
        "10.0.0.5 db shop-db-1",
        "Refused twice: claimed by a and b",
        "10.0.0.2 web",
    ]
    assert [o.of_all for o in outcomes(made, key("web")) if isinstance(o, Published)] == [False, True, True, True, True]


def test_a_star_makes_a_number_of_look_ups_that_grows_with_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each name, for any number of containers; after a change, one for each name of what has changed."""
    asked: list[str] = []
    look_up = Tiers.answer

    def counted(self: Tiers, name: str) -> object:
        asked.append(name)
        return look_up(self, name)

    monkeypatch.setattr(Tiers, "answer", counted)
    many = [box(f"s{n}", on("front", f"10.0.{n // 250}.{n % 250}", aliases=(f"a{n}",))) for n in range(300)]
    made = store(*many, web(services="*"))
    assert len(outcomes(made, key("web"))) == 301
    assert len(asked) == 601
    made.put(box("s7", on("front", "10.0.9.9", aliases=("a7",))))
    assert "10.0.9.9 s7 a7" in told(made, "web") or "10.0.9.9 a7 s7" in told(made, "web")
    assert sorted(asked[601:]) == ["a7", "s7"]


def test_subscribers_in_one_network_context_share_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred subscribers of one service, one in another's project, one on its other network besides."""
    asked: list[str] = []
    look_up = Resolver.service

    def counted(self: Resolver, name: str) -> object:
        asked.append(name)
        return look_up(self, name)

    monkeypatch.setattr(Resolver, "service", counted)
    label = hosts("@{db.ip} db")
    many = [box(f"web-{n}", on("front", f"10.0.1.{n}"), labels=label) for n in range(100)]
    near = box("near", on("front", "10.0.2.1"), labels=label, compose="shop/web")
    both = box("both", on("front", "10.0.2.2"), on("back", "10.1.2.2"), labels=label)
    db = box("db", on("front", "10.0.0.5"), on("back", "10.1.0.5"))
    made = store(*many, near, both, db, box("other", on("front", "10.0.0.6"), compose="shop/db"))
    found = {container.name: told(made, container.name) for container in (*many, near, both)}
    assert found.pop("near") == ["10.0.0.6 db"]
    assert found.pop("both") == ["10.1.0.5 db"]
    assert {tuple(lines) for lines in found.values()} == {("10.0.0.5 db",)}
    assert asked == ["db", "db", "db"]


# Several sources.


def test_a_name_stays_with_the_source_that_gave_it_first() -> None:
    """The configuration before labels, the file's own container before those that share it, lines before `services`."""
    rules = Rules(subscribers=(SubscriberRule("web", Match(name=("web",)), Subscription(lines("10.9.0.1 a A2"))),))
    made = store(
        box("b", on("front", "10.0.0.5")),
        web("10.9.0.2 a b", services="b"),
        box("car", join="web", labels=hosts("10.9.0.3 a c", "10.9.0.3 B a", "10.9.0.3 a2")),
        rules=rules,
    )
    assert told(made, "web") == [
        "10.9.0.1 a A2",
        "10.9.0.2 b",
        "10.9.0.3 c",
        "Refused B a: already given to another address",
        "Refused a2: already given to another address",
        "Refused b: already given to another address",
    ]


def test_a_service_s_name_stays_with_the_source_that_requested_it_first() -> None:
    """The file's own container before one that shares it."""
    two = [box(f"db-{n}", on("front", f"10.0.0.{n}"), compose=f"p{n}/db") for n in (3, 4)]
    first = box("web", on("front", "10.0.0.2"), compose="p3/web", labels={"hostwatch.services": "db"})
    second = box("car", join="web", compose="p4/car", labels={"hostwatch.services": "db db-4"})
    assert told(store(*two, first, second), "web") == ["10.0.0.3 db", "10.0.0.4 db-4"]


def test_one_source_may_give_a_name_two_addresses() -> None:
    """For instance both families, in two lines."""
    assert said(DB, lines=("@{db.ip} db", "@{db.ip6} db")) == ["10.0.0.5 db", "fd00::5 db"]


def test_a_line_that_two_sources_have_counts_once() -> None:
    """The text identifies a line."""
    made = store(DB, web("@{db.ip} db"), box("car", join="web", labels=hosts("@{db.ip} db", "@{self.ip} me")))
    assert told(made, "web") == ["10.0.0.5 db", "10.0.0.2 me"]


def test_a_name_of_an_unknown_line_is_given_to_no_other_line() -> None:
    """The line is not withheld either: its last records stay."""
    rules = Rules(subscribers=(subscriber("web", Subscription(lines("@{new.ip} db"))),))
    made = store(box("new", mode=None, state=UNKNOWN), DB, web("@{db.ip} db", "@{db.ip} x"), rules=rules)
    assert [type(outcome) for outcome in outcomes(made, key("web"))] == [Unknown, Unknown, Published]


def test_origins_are_those_whose_addresses_they_are() -> None:
    """The origin of a container that uses another one's network is that other one, with its network."""
    made = store(DB, box("car", join="db"), web("@{car.ip} x", services="car"))
    origin = Origin(key("db"), DB.endpoints[0].network, "front")
    assert [o.origins for o in outcomes(made, key("web")) if isinstance(o, Published)] == [(origin,), (origin,) * 2]


# Earlier records, and the present holders of their addresses.


def reader(*names: str) -> Container:
    """A subscriber of `db` on these networks."""
    return box("web", *(on(name) for name in names), labels=hosts("@{db.ip} db"))


def test_an_address_on_another_network_is_another_one() -> None:
    """If subnets overlap (isolated networks, macvlan), a line lingers while another container has its address there."""
    made = store(box("db", on("front", "10.0.0.5")), reader("front"), box("far", on("back", "10.0.0.5")))
    before = desired_block(made, key("web"), {}, 0.0, 2.0)
    made.put(box("db", on("front"), state=STOPPED))
    assert desired_block(made, key("web"), before.memory, 1.0, 2.0).block == before.block
    made.put(box("near", on("front", "10.0.0.5")))
    assert desired_block(made, key("web"), before.memory, 1.0, 2.0).block.records == ()


def test_the_holder_of_an_address_is_named_only_to_subscribers_that_reach_it() -> None:
    """A record of an earlier run has no network, so it must not reveal names of other networks."""
    made = store(box("db", on("front"), state=STOPPED), reader("front"), box("far", on("back", "10.0.0.5")))
    forged = Withheld("@{db.ip} db", "x; its last address 10.0.0.5 is y's now")
    for reason in ("db: no running container", "db: no running container; its last address 10.0.0.5 is near's now"):
        memory = memory_of(outcomes(made, key("web")), Block((), (forged,)))
        assert desired_block(made, key("web"), memory, 0.0, 0.0).block == Block((), (Withheld("@{db.ip} db", reason),))
        made.put(box("near", on("front", "10.0.0.5")))


def test_the_only_name_of_a_star_lingers() -> None:
    """The request stays, although nothing answers it."""
    star = SubscriberRule("hosts", Path("/hosts"), Subscription(everything=True))
    made = store(net("front"), box("db", on("front", "10.0.0.5")), rules=Rules(subscribers=(star,)))
    made.add_host_files(ENGINE, "machine")
    file = ContainerKey(ENGINE, ContainerId("file:/hosts"))
    before = desired_block(made, file, {}, 0.0, 2.0)
    assert [str(record.address) for record in before.block.records] == ["10.0.0.5"]
    made.put(box("db", on("front"), state=STOPPED))
    after = desired_block(made, file, before.memory, 1.0, 2.0)
    assert (after.block, after.again_at) == (before.block, 3.0)
    assert desired_block(made, file, after.memory, 3.0, 2.0).block == Block()


def test_a_file_without_readers_has_no_lines() -> None:
    """The file of an unknown container, or of one that uses another container's file."""
    made = store(DB, box("car", join="db", labels=hosts("@{self.ip} me")))
    assert (outcomes(made, key("nobody")), outcomes(made, key("car"))) == ((), ())
    assert told(made, "db") == ["10.0.0.5 me"]


# Unknown facts.


@pytest.mark.parametrize(
    "lister",
    [
        [box("db", mode=None, state=UNKNOWN)],
        [box("db", on("front"), state=UNKNOWN)],
        [box("db", on("back", "10.1.0.5"), mode=None, state=UNKNOWN)],
        [box("x", on("front", "10.0.0.5", aliases=None))],
        [box("db", on("front", "10.0.0.5"), health=None, labels={"hostwatch.health": "required"})],
        [box("db", join="x"), box("x", mode=None, state=UNKNOWN, labels={"hostwatch.enable": "false"})],
    ],
)
def test_unknown_facts_make_a_line_neither_published_nor_gone(lister: list[Container]) -> None:
    """Networks, addresses, aliases or health are unknown: the line's last records stay."""
    (outcome,) = outcomes(store(*lister, web("@{db.ip} db")), key("web"))
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("subscriber_mode", [None, NetworkMode.CONTAINER])
def test_a_subscriber_with_unknown_networks_keeps_its_lines(subscriber_mode: NetworkMode | None) -> None:
    """No name is found or missing for it."""
    join = "gone" if subscriber_mode is NetworkMode.CONTAINER else None
    reader = box("web", mode=None, join=join, labels=hosts("@{db.ip} db", "@{nobody.ip} x"))
    assert [type(outcome) for outcome in outcomes(store(DB, reader), key("web"))] == [Unknown, Unknown]


def test_an_address_family_that_may_still_come_is_not_gone() -> None:
    """Early addresses come one after the other."""
    db = box("db", on("front", "10.0.0.5"), state=UNKNOWN)
    made = store(db, web("@{db.ip} db", "@{db.ip6} db6"))
    assert [type(outcome) for outcome in outcomes(made, key("web"))] == [Published, Unknown]


def test_the_address_of_a_stale_container_is_published() -> None:
    """It counts until a newer fact arrives, through a whole restart."""
    made: Store = store(net("front", "10.0.0.0/24"), box("db", on("front", "10.0.0.5")), web("@{db.ip} db"))
    made.mark_stale(key("db"))
    assert told(made, "web") == ["10.0.0.5 db"]
    made.put(box("db", on("front"), state=STOPPED))
    assert told(made, "web") == ["Gone db: no running container"]
    made.mark_starting(key("db"))
    assert told(made, "web") == ["Unknown db: the address of db is not known yet"]
    made.put_early_addresses(key("db"), [ip("10.0.0.6")])
    assert told(made, "web") == ["10.0.0.6 db"]
