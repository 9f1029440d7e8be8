"""The store: facts in any order give the same indexes, and each step names every affected hosts file."""

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostwatch.core.model import Address, Container, ContainerKey, Endpoint, Health, Network, NetworkMode, State
from hostwatch.core.resolve.linger import Desired
from hostwatch.core.resolve.outcome import Outcome, Published
from hostwatch.core.resolve.reach import LOST_NETWORK
from hostwatch.core.rules import Rules, Subscription
from hostwatch.core.store import results
from hostwatch.core.store.early import networks_to_ask
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.sharing import Sharing
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
    outcomes,
    service,
    store,
    subscriber,
    told,
)
from tests.core.histories import (
    ALIASES,
    NAMES,
    NETS,
    RULES,
    Step,
    adopt,
    histories,
    often,
    rules,
    watched,
)
from tests.effort import calls


def everything_told(made: Store) -> dict[ContainerKey, tuple[tuple[Outcome, ...], Desired]]:
    """The desired lines of every hosts file."""
    return {file: (outcomes(made, file), desired_block(made, file, {}, 1.0, 2.0)) for file in made.subscriber_files}


@often
@given(histories)
def test_each_step_names_every_file_with_other_desired_lines(history: list[Step]) -> None:
    """Never too few files: one that is not named would stay wrong until the next resync."""
    made = watched()
    before = everything_told(made)
    for method, arguments in history:
        named = method(made, *arguments)
        after = everything_told(made)
        changed = {file for file in before.keys() | after.keys() if before.get(file) != after.get(file)}
        assert changed <= named, method.__name__
        before = after


def sharing(made: Store, file: ContainerKey) -> tuple[object, ...]:
    """The sharers of a hosts file, and their requests."""
    found = made.sharing(file)
    wishes = [(s.subscriber, s.query.context, s.query.subscription) for s in found.requests]
    return found.sharers, wishes, found.writer, found.notifications


def indexed(made: Store, *entry: str) -> list[Container]:
    """The containers under an index entry, in replica order."""
    found = filter(None, map(made.last_known, made.by_index(*entry)))
    return sorted(found, key=lambda container: container.replica_order)


def on_network(made: Store, place: Endpoint) -> list[Container]:
    """The containers on an endpoint's network, in replica order."""
    found = indexed(made, "network", ENGINE, place.network_name)
    return [container for container in found if any(each.same_network(place) for each in container.endpoints)]


def answers(made: Store) -> object:
    """The store's answers to all look-ups of existing names, networks and addresses."""
    places = [on(network, known=known) for network in NETS for known in (True, False)]
    hosts = [ip(f"10.{network}.0.{host}") for network in range(3) for host in range(1, 4)]
    return (
        made.subscriber_files,
        [made.behind_rule(rule) for rule in RULES.services],
        [made.in_compose(ENGINE, project, name) for project in "pq" for name in ("db", "web")],
        [made.named(ENGINE, name) for name in (*NAMES, "db-1", "mq-1")],
        [made.labelled(ENGINE, name) for name in ALIASES],
        [made.aliased(ENGINE, place, alias) for place in places for alias in ALIASES],
        [on_network(made, place) for place in places],
        [made.aliases_unread(ENGINE, place) for place in places],
        [made.holders(ENGINE, address) for address in hosts],
        indexed(made, "host", ENGINE),
        made.any_aliases_unread(ENGINE),
        [made.called(ENGINE, name) for name in (*ALIASES, "db.p")],
        [made.remotes.named(ENGINE, name) for name in (*NAMES, *ALIASES, "db.p")],
        [made.remotes.in_compose(ENGINE, project, name) for project in "pq" for name in ("db", "web")],
        [made.remotes.in_group(ENGINE, group) for group in ("config:db", "catalog:far")],
        [(made.joins.joiners(key(name)), *sharing(made, key(name))) for name in NAMES],
    )


@often
@given(histories)
def test_the_indexes_are_those_of_a_fresh_store(history: list[Step]) -> None:
    """The contents of a store depend on the facts alone, not on their order."""
    made = watched()
    for method, arguments in history:
        method(made, *arguments)
        answers(made), everything_told(made)  # what is worked out in between must not outlast a change
    for name in NAMES:
        made.yield_names(key(name))  # a fresh one takes what has ended for ended long ago
    fresh = watched()
    fresh.adopt(fresh.adoption(made.rules))
    for container in made.containers:
        fresh.put(container)
    for network in made.networks:
        fresh.put_network(network)
    for place in ("", *NETS):
        for remote in indexed(made, "remote on", ENGINE, place):
            fresh.put_remote(remote.key, remote)
    for source in made.remotes.sources:
        fresh.remotes.await_source(source, made.remotes.awaits(source))
    for gone in filter(made.joins.is_gone, map(key, NAMES)):
        fresh.drop(gone)
    assert answers(made) == answers(fresh)
    assert everything_told(made) == everything_told(fresh)


@often
@given(histories, rules, st.integers(0, 3))
def test_new_rules_may_be_made_ready_while_containers_change(history: list[Step], new: Rules, steps: int) -> None:
    """It makes no difference to rules that are taken in at once."""
    made, other = watched(), watched()
    ready = made.adoption(new)
    for method, arguments in history:
        if method is not adopt:
            for each in (made, other):
                method(each, *arguments)
            for _ in range(steps):
                ready.advance()
            assert answers(made) == answers(other)
    made.adopt(ready)
    adopt(other, new)
    assert answers(made) == answers(other)
    assert everything_told(made) == everything_told(other)


@often
@given(histories, st.booleans())
def test_kept_results_are_those_of_a_new_computation(history: list[Step], are_many: bool) -> None:
    """After each step; a result that depends on what it does not record would outlast the change of it."""
    made = watched()
    with pytest.MonkeyPatch.context() as patch:
        if are_many:  # so that they are not dropped at once
            patch.setattr(results, "_AT_ONCE", 0)
        for method, arguments in history:
            method(made, *arguments)
            kept = everything_told(made)
            made.results.clear()
            assert kept == everything_told(made), method.__name__


@often
@given(histories)
def test_an_address_on_a_network_is_one_container_s(history: list[Step]) -> None:
    """The last holder has it alone, in any order of facts. A stopped container has none."""
    made = watched()
    for method, arguments in history:
        method(made, *arguments)
    had: list[tuple[str, Address]] = []
    for container in made.containers:
        had += [(e.network_name, address) for e in container.endpoints for address in e.addresses]
        assert container.state is not STOPPED or not any(e.addresses for e in container.endpoints)
    assert len(set(had)) == len(had)


def test_cached_results_end_with_a_network() -> None:
    """The network's gateway is the only way to the host."""
    made = store(
        network := net("front", "10.0.0.0/16", gateways=("10.0.0.1",)),
        box("web", on("front", "10.0.0.2"), labels=hosts("@{db.ip} db")),
        box("db", mode=NetworkMode.HOST),
    )
    assert told(made, "web") == ["10.0.0.1 db"]
    made.drop_network(network.key)
    assert told(made, "web") == ["Unknown db: the network front is not known yet"]


def test_a_joiner_is_affected_as_soon_as_its_network_is_gone() -> None:
    """Its own file is another one then. Files that name it are affected, too. The same for a container never read."""
    web, car = (box(name, join="vpn", labels=hosts("@{db.ip} db", "@{x.ip} x")) for name in ("web", "car"))
    reader = box("reader", on("front", "10.0.0.9"), labels=hosts("@{web.ip} web"))
    db, vpn = box("db", on("front", "10.0.0.5")), box("vpn", on("front", "10.0.0.2"))
    for before in (store(web, car, reader, db, vpn), store(web, car, reader, db)):
        assert (before.joins.unread_parents == {key("vpn")}) is (before.container(key("vpn")) is None)
        affected = before.drop(key("vpn"))
        assert {key("web"), key("car"), key("reader")} <= affected
        assert told(before, "web") == [f"Gone db: {LOST_NETWORK}", f"Gone x: {LOST_NETWORK}"]
        assert told(before, "reader") == ["Gone web: the container whose network web uses is gone"]
        assert before.joins.unread_parents == frozenset()
        before.drop(key("web"))
        before.drop(key("car"))
        before.drop(key("db"))
        before.put(web)
        assert before.joins.unread_parents == {key("vpn")}


def test_a_joiner_of_a_container_that_was_started_anew_has_no_network() -> None:
    """Until it is started again it is no service, and has no lines. An unknown start time has no effect."""
    at = dataclasses.replace
    car = box("car", join="vpn", labels=hosts("@{db.ip} db"))
    reader = box("reader", on("front", "10.0.0.9"), labels=hosts("@{car.ip} car"))
    vpn, db = box("vpn", on("front", "10.0.0.2")), box("db", on("front", "10.0.0.5"))
    made = store(at(car, started=2.0), reader, at(vpn, started=1.0), db)
    assert (told(made, "vpn"), told(made, "reader")) == (["10.0.0.5 db"], ["10.0.0.2 car"])
    assert {key("vpn"), key("reader")} <= made.put(at(vpn, started=3.0))
    assert told(made, "vpn") == [f"Gone db: {LOST_NETWORK}"]
    assert told(made, "reader") == ["Gone car: the network that car uses ended when vpn was started anew"]
    assert {key("vpn"), key("reader")} <= made.put(at(car, started=4.0))
    assert (told(made, "vpn"), told(made, "reader")) == (["10.0.0.5 db"], ["10.0.0.2 car"])
    for one, other in ((0.0, 3.0), (3.0, 0.0)):
        unknown = store(at(car, started=one), reader, at(vpn, started=other), db)
        assert told(unknown, "reader") == ["10.0.0.2 car"]


# The files that an event affects.


@pytest.mark.slow
def test_one_change_among_2000_projects_affects_its_own_alone() -> None:
    """All projects have a service `db` with that alias and a `web` that reads it. Each event affects one project."""
    made = Store(Rules())
    for number in range(2000):
        place = f"10.{number // 250}.{number % 250}"
        made.put(box(f"db{number}", on(f"n{number}", f"{place}.2", aliases=("db",)), compose=f"p{number}/db"))
        labels = hosts("@{db.ip} db") if number % 2 else {"hostwatch.services": "*"}
        made.put(box(f"web{number}", on(f"n{number}", f"{place}.3"), compose=f"p{number}/web", labels=labels))
    for number in (7, 8):
        moved = box(f"db{number}", on(f"n{number}", "10.0.7.9", aliases=("db",)), compose=f"p{number}/db")
        assert made.put(moved) == {key(f"web{number}")}


LABELLED = {"hostwatch.names": "taken"}
ON_FRONT = on("front", "10.0.0.5")
READS_TAKEN = hosts("@{taken.ip} x")


@pytest.mark.parametrize(
    ("web", "before", "then"),
    [
        pytest.param(
            box("web", on("front"), labels={"hostwatch.services": "db"}),
            [box("db", ON_FRONT, labels=LABELLED)],
            box("taken", on("front", "10.0.0.6")),
            id="a name of a service that it asks for under another name",
        ),
        pytest.param(
            box("web", on("front"), labels=hosts("@{nobody.ip} x")),
            [box("a", on("front", "10.0.0.5", aliases=None))],
            box("a", ON_FRONT),
            id="the last aliases that were not read",
        ),
        pytest.param(
            box("web", join="x", labels=hosts("@{nobody.ip} x")),
            [box("x", on("front")), box("a", on("front", "10.0.0.5", aliases=None))],
            box("a", ON_FRONT),
            id="the last aliases that were not read, for one that uses another's network",
        ),
        pytest.param(
            box("web", on("front"), labels=hosts("@{db.ip} x")),
            [box("db", ON_FRONT)],
            box("other", ON_FRONT),
            id="an address that somebody else has now",
        ),
        pytest.param(
            box("web", mode=NetworkMode.HOST, labels=READS_TAKEN),
            [],
            box("a", ON_FRONT, labels=LABELLED),
            id="a label, seen from the host's network",
        ),
        pytest.param(
            box("c", on("back"), labels=READS_TAKEN),
            [],
            box("a", ON_FRONT, labels=LABELLED),
            id="a label, seen from anywhere with `scope: any`",
        ),
        pytest.param(
            box("web", join="x", labels=READS_TAKEN),
            [box("x", on("front"))],
            box("a", ON_FRONT, labels=LABELLED),
            id="a label, seen from another's network",
        ),
        pytest.param(
            box("web", on("front"), labels=hosts("@{hosted.ip} x")),
            [net("front"), box("hosted", mode=NetworkMode.HOST)],
            net("front", gateways=("10.0.0.1",)),
            id="the gateway to the host",
        ),
        pytest.param(
            box("web", on("shop_back"), labels=hosts("@{db.ip} x")),
            [box("db", on("shop_back", "10.0.0.5"), compose="shop/db", labels={"hostwatch.network": "back"})],
            net("shop_back", compose="other"),
            id="a network's name in its compose file",
        ),
        pytest.param(
            box("web", on("front"), labels={"hostwatch.services": "*"}),
            [box("a", ON_FRONT, labels=LABELLED)],
            box("taken", mode=None, state=UNKNOWN),
            id="a new container that may have the name of another's label",
        ),
    ],
)
def test_a_change_affects_the_file_with_other_desired_lines(
    web: Container, before: list[Container | Network], then: Container | Network
) -> None:
    """By any cause, however remote."""
    anywhere = Subscription(lines("@{taken.ip} x"), any_scope=True)
    made = store(*before, web, rules=Rules(subscribers=(subscriber("c", anywhere),)))
    said = everything_told(made)
    named = made.put(then) if isinstance(then, Container) else made.put_network(then)
    changed = {file for file, outcome in everything_told(made).items() if said.get(file) != outcome}
    assert changed
    assert changed <= named


def test_a_container_that_gets_a_kept_address_affects_the_file_that_keeps_it() -> None:
    """A line goes at once when any other container gets its address."""
    made = store(box("web", on("front", "10.0.0.3"), labels=hosts("@{db.ip} db")))
    made.unconfirmed.note(key("web"), frozenset({ip("10.0.0.5")}))
    assert made.put(box("stranger", on("front", "10.0.0.5"))) == {key("web")}
    made.unconfirmed.note(key("web"), frozenset())
    assert made.put(box("other", on("front", "10.0.0.5"))) == set()


def test_a_known_fact_affects_no_file() -> None:
    """An event that changed nothing causes no comparison."""
    db = box("db", on("front", "10.0.0.5"))
    made = store(net("front"), db, box("web", on("front", "10.0.0.3"), labels=hosts("@{db.ip} db")))
    assert made.put(db) == made.put_network(net("front")) == made.drop(key("nobody")) == set()


# Sources of facts.


def test_an_address_goes_to_its_new_holder() -> None:
    """The holder before is stale, and an answer to an earlier request cannot give the address back."""
    db = box("db", on("front", "10.0.0.5"))
    made = store(db)
    asked = made.now()
    made.put(box("new", on("front", "10.0.0.5")))
    made.put(db, asked)
    assert made.holders(ENGINE, ip("10.0.0.5")) == {key("new")}
    assert state(made, "db") is UNKNOWN


def test_the_same_address_on_another_network_is_another_address() -> None:
    """Subnets of macvlan networks may overlap."""
    made = store(box("db", on("one", "10.0.0.5"), on("two", "10.0.0.6")), box("new", on("two", "10.0.0.5")))
    assert made.holders(ENGINE, ip("10.0.0.5")) == {key("db"), key("new")}
    assert state(made, "db") is RUNNING


def test_a_stopped_container_has_no_address() -> None:
    """Even if an answer from the moment of its end has one."""
    made = store(box("db", on("front", "10.0.0.5"), state=STOPPED))
    assert not made.holders(ENGINE, ip("10.0.0.5"))


def test_engines_share_nothing() -> None:
    """The same name, network and address on another engine are different ones."""
    far = box("web", on("front", "10.0.0.5"), engine=type(key("x").engine)("other"), labels=hosts("@{db.ip} db"))
    made = store(far, rules=Rules(services=(service("db"),)))
    assert made.put(box("db-1", on("front", "10.0.0.5"))) == set()
    assert told_by(made, far.key) == [("Gone", "db: no running container")]


def told_by(made: Store, file: ContainerKey) -> list[tuple[str, str]]:
    """The lines without records."""
    return [(type(o).__name__, o.reason) for o in outcomes(made, file) if not isinstance(o, Published)]


# Early addresses.

FRONT = net("front", "10.0.0.0/24", gateways=("10.0.0.1",))
DB = key("db")


def state(made: Store, name: str) -> State:
    """The state of a container that is known."""
    found = made.container(key(name))
    assert found is not None
    return found.state


def known_addresses(made: Store, name: str = "db") -> set[str]:
    """The addresses of a container that is known."""
    found = made.container(key(name))
    assert found is not None
    return {str(address) for endpoint in found.endpoints for address in endpoint.addresses}


def test_an_early_address_is_a_stopped_container_s_next_one() -> None:
    """It comes before the engine's event. From then on the state is unknown, and the health that of a new start."""
    made = store(FRONT, box("db", state=STOPPED, mode=None, health=Health.HEALTHY))
    made.put_early_addresses(DB, [ip("10.0.0.5")])
    found = made.container(DB)
    assert found is not None
    (endpoint,) = found.endpoints
    assert endpoint.network_name == "front"
    assert known_addresses(made) == {"10.0.0.5"}
    assert (found.state, found.health) == (UNKNOWN, Health.STARTING)


def test_the_first_address_on_a_network_is_the_one_that_counts() -> None:
    """The engine writes its line first. The container's first instruction may append a second one."""
    made = store(FRONT, box("db", state=STOPPED, mode=None))
    made.put_early_addresses(DB, [ip("10.0.0.5"), ip("10.0.0.66")])
    assert known_addresses(made) == {"10.0.0.5"}


@pytest.mark.parametrize(
    ("container", "why"),
    [
        (box("db", on("front", "10.0.0.4")), "it runs"),
        (box("db", state=STOPPED, mode=NetworkMode.HOST), "it has no network of its own"),
        (box("db", state=STOPPED, join="other"), "it has no network of its own"),
    ],
)
def test_an_early_address_is_refused(container: Container, why: str) -> None:
    """A running container may write its own file, and a host's file has the host's addresses."""
    made = store(FRONT, container)
    before = made.container(DB)
    assert made.put_early_addresses(DB, [ip("10.0.0.5")]) == set(), why
    assert made.container(DB) == before


@pytest.mark.parametrize("address", ["10.9.0.5", "fd00::5", "10.0.0.3"])
def test_an_impossible_early_address_is_ignored(address: str) -> None:
    """It is on no known network, or belongs to a running container."""
    made = store(FRONT, box("db", state=STOPPED, mode=None), box("web", on("front", "10.0.0.3")))
    assert made.put_early_addresses(DB, [ip(address)]) == set()
    assert (known_addresses(made), state(made, "db"), state(made, "web")) == (set(), STOPPED, RUNNING)


def test_an_early_address_that_another_container_has_on_another_network_counts() -> None:
    """If subnets overlap it is another address."""
    far = box("far", on("back", "10.0.0.5"))
    made = store(net("front", "10.0.0.0/24"), net("back", "10.0.0.0/24"), far, box("db", on("front"), state=STOPPED))
    made.put_early_addresses(key("db"), [ip("10.0.0.5")])
    known = made.container(key("db"))
    assert known is not None
    assert known.endpoints[0].addresses == (ip("10.0.0.5"),)


def test_an_early_address_of_an_unknown_container_is_ignored() -> None:
    """No container could have it."""
    assert store(FRONT).put_early_addresses(DB, [ip("10.0.0.5")]) == set()


def test_overlapping_subnets_are_told_apart_by_the_networks_of_the_container() -> None:
    """If that is not enough, no address is believed early."""
    both = (FRONT, net("back", "10.0.0.0/16"))
    made = store(*both, box("db", on("back"), state=STOPPED), box("web", state=STOPPED))
    made.put_early_addresses(DB, [ip("10.0.0.5")])
    made.put_early_addresses(key("web"), [ip("10.0.0.6")])
    assert (known_addresses(made), known_addresses(made, "web")) == ({"10.0.0.5"}, set())


def test_an_older_answer_leaves_an_early_address_and_adds_details() -> None:
    """Its name, labels, aliases and further networks are taken; its state and addresses are not."""
    made = store(FRONT, box("db", on("front", aliases=("old",)), state=STOPPED, health=Health.STARTING))
    asked = made.now()
    made.put_early_addresses(DB, [ip("10.0.0.5")])
    read = box("db2", on("front", "10.0.0.4", aliases=("new",)), on("back", "10.1.0.4"), labels={"l": ""})
    made.put(dataclasses.replace(read, key=DB, health=Health.HEALTHY, created=5.0), asked)
    found = made.container(DB)
    assert found is not None
    assert (found.name, found.state, found.health, found.created) == ("db2", UNKNOWN, Health.STARTING, 5.0)
    assert known_addresses(made) == {"10.0.0.5"}
    assert {(e.network_name, e.aliases) for e in found.endpoints} == {
        ("front", frozenset({"new"})),
        ("back", frozenset()),
    }


def test_a_newer_answer_overwrites_an_early_address() -> None:
    """The engine's answer counts if it is newer."""
    made = store(FRONT, box("db", state=STOPPED))
    made.put_early_addresses(DB, [ip("10.0.0.5")])
    made.put(box("db", on("front", "10.0.0.4")), made.now())
    assert (known_addresses(made), state(made, "db")) == ({"10.0.0.4"}, RUNNING)


def test_a_repeated_early_address_does_not_outdate_an_answer() -> None:
    """A second write of the file must not discard the engine's answer."""
    made = store(FRONT, box("db", state=STOPPED))
    made.put_early_addresses(DB, [ip("10.0.0.5")])
    asked = made.now()
    assert made.put_early_addresses(DB, [ip("10.0.0.5")]) == set()
    assert made.put_early_addresses(DB, []) == set()
    made.put(box("db", on("front", "10.0.0.5")), asked)
    assert state(made, "db") is RUNNING


def test_every_event_outdates_the_answers_to_earlier_requests() -> None:
    """Also a second `die`, although the state is unknown already."""
    made = store(box("db", on("front", "10.0.0.5")))
    made.mark_stale(DB)
    asked = made.now()
    made.mark_stale(DB)
    made.put(box("db", on("front", "10.0.0.9")), asked)
    assert (known_addresses(made), state(made, "db")) == ({"10.0.0.5"}, UNKNOWN)


@pytest.mark.parametrize("begin", [Store.mark_stale, Store.mark_starting])
def test_a_start_makes_an_old_health_a_starting_one(begin: Callable[[Store, ContainerKey], FileKeys]) -> None:
    """A container that was healthy before a restart is starting after it."""
    made = store(box("db", state=STOPPED, health=Health.HEALTHY))
    begin(made, DB)
    found = made.container(DB)
    assert found is not None
    assert found.health is Health.STARTING


def test_a_list_adds_only_the_networks_of_a_starting_container() -> None:
    """A list has no aliases, health or host name: the known ones stay. A running container does not change."""
    made = store(FRONT, box("db", on("front", aliases=("x",)), state=STOPPED, hostname="h", created=1.5))
    made.put_early_addresses(DB, [ip("10.0.0.5")])
    listed = box("db", on("front", aliases=None), on("back", "10.1.0.5", aliases=None), health=None, created=1.0)
    made.put_listed(listed)
    found = made.container(DB)
    assert found is not None
    assert (found.hostname, found.health, found.created, found.state) == ("h", Health.NONE, 1.5, UNKNOWN)
    assert [(e.network_name, e.aliases) for e in found.endpoints] == [("front", frozenset({"x"})), ("back", None)]
    assert known_addresses(made) == {"10.0.0.5"}
    running = store(box("db"))
    assert running.put_listed(listed) == set()


def test_a_container_that_cannot_be_inspected_counts_as_listed() -> None:
    """Facts that the list lacks stay as known, or are empty."""
    listed = box("db", on("front", "10.0.0.5", aliases=None), on("back", "10.1.0.5", aliases=None), health=None)
    made = store(listed)
    assert made.aliases_unread(ENGINE, listed.endpoints[0])
    made.put_unreadable(listed, made.now())
    assert not made.any_aliases_unread(ENGINE)
    found = made.container(DB)
    assert found is not None
    assert (found.state, found.health) == (RUNNING, Health.NONE)
    known = box("db", on("front", "10.0.0.4", aliases=("x",)), health=Health.STARTING, hostname="h", created=1.5)
    made = store(known)
    asked = made.now()
    made.put_unreadable(listed, asked)
    found = made.container(DB)
    assert found is not None
    assert (found.hostname, found.health, found.created) == ("h", Health.STARTING, 1.5)
    assert [e.aliases for e in found.endpoints] == [frozenset({"x"}), frozenset()]
    made.mark_stale(DB)
    made.put_unreadable(known, asked)
    assert known_addresses(made) == {"10.0.0.5", "10.1.0.5"}


def test_a_network_s_inspection_has_a_starting_container_s_endpoint() -> None:
    """Aliases and gateway are not in it, and stay. A running container's endpoint is not changed."""
    made = store(box("db", on("front", aliases=("x",), gateways=("10.0.0.1",)), state=STOPPED))
    made.put_early_endpoint(DB, on("front", "10.0.0.5", aliases=None))
    found = made.container(DB)
    assert found is not None
    assert found.endpoints == (on("front", "10.0.0.5", aliases=("x",), gateways=("10.0.0.1",)),)
    assert store(box("db")).put_early_endpoint(DB, on("front", "10.0.0.5")) == set()


def test_a_network_s_inspection_has_a_running_container_s_new_endpoint() -> None:
    """It stays running, and its aliases there are unread. For a container that does not run nothing is taken."""
    made = store(box("db", on("back", "10.1.0.5")), box("web", on("front", "10.0.0.3"), labels=hosts("@{db.ip} db")))
    assert made.put_new_endpoint(DB, on("front", "10.0.0.5", aliases=None)) == {key("web")}
    found = made.container(DB)
    assert found is not None
    assert (found.state, [e.network_name for e in found.endpoints]) == (State.RUNNING, ["back", "front"])
    assert known_addresses(made) == {"10.1.0.5", "10.0.0.5"}
    assert store(box("db", state=STOPPED)).put_new_endpoint(DB, on("front", "10.0.0.5")) == set()


@pytest.mark.parametrize(
    ("addresses", "asked"),
    [
        (["10.0.0.5"], {"id-front": {"10.0.0.5"}}),
        (["10.0.0.4", "10.1.0.4"], {"id-back": {"10.1.0.4"}}),
        (["10.9.0.5", "10.2.0.5", "10.0.0.4"], {}),
        ([], {}),
    ],
)
def test_a_running_container_s_networks_are_asked_for_an_address_in_its_file(
    addresses: list[str], asked: dict[str, set[str]]
) -> None:
    """The networks whose subnets have the new addresses. Nothing is believed."""
    networks = (FRONT, net("back", "10.1.0.0/16"), net("far", "10.2.0.0/16"))
    made = store(*networks, box("db", on("front", "10.0.0.4"), on("back")))
    found = networks_to_ask(made, DB, map(ip, addresses))
    assert {network.id: {*map(str, claimed)} for network, claimed in found.items()} == asked
    assert known_addresses(made) == {"10.0.0.4"}


@pytest.mark.parametrize(
    "container",
    [
        box("db", on("front"), state=STOPPED),
        box("db", mode=NetworkMode.HOST),
        box("db", join="other"),
        box("db", on("front"), labels={"hostwatch.enable": "false"}),
    ],
)
def test_no_network_is_asked_if_the_answer_would_not_count(container: Container) -> None:
    """The container does not run, has no network of its own, or is disabled."""
    assert networks_to_ask(store(FRONT, container), DB, [ip("10.0.0.5")]) == {}
    assert networks_to_ask(store(FRONT), DB, [ip("10.0.0.5")]) == {}


# Shared files.


def test_chains_of_joined_containers_share_one_file() -> None:
    """`container:X`, while X itself joined another one: the file and network are the last one's."""
    made = store(
        box("a", on("front", "10.0.0.2")), box("b", join="a"), box("c", join="b", labels=hosts("@{self.ip} me"))
    )
    assert made.subscriber_files == {key("a")}
    assert [container.name for container in made.sharing(key("a")).sharers] == ["a", "b", "c"]
    assert made.sharing(key("a")).requests
    assert made.sharing(key("c")) == Sharing()
    assert told(made, "a") == ["10.0.0.2 me"]
    assert made.drop(key("a")) == {key("a"), key("c")}


@pytest.mark.parametrize("length", [1, 2, 3, 20])
def test_loops_and_endless_chains_end(length: int) -> None:
    """The last known joins may form them."""
    made = store(*(box(f"c{n}", join=f"c{(n + 1) % length}", labels=hosts("@{c0.ip} x")) for n in range(length)))
    assert made.joins.sandbox(made.sharing(key("c0")).sharers[0]) is None
    assert len(made.joins.joiners(key("c0"))) == length - 1
    assert made.drop(key("c0"))


def test_lines_are_looked_up_a_number_of_times_that_grows_with_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """`services: "*"` with n names costs n look-ups, not n times n."""

    def cost(size: int) -> int:
        boxes = [box(f"s{n}", on("front", f"10.0.{n // 250}.{n % 250}", aliases=(f"a{n}",))) for n in range(size)]
        made = store(*boxes, box("web", on("front", "10.1.0.1"), labels={"hostwatch.services": "*"}))
        count = 0
        found = Store._found  # noqa: SLF001

        def counted(self: Store, term: tuple[object, ...]) -> list[Container]:
            nonlocal count
            result = found(self, term)
            count += 1 + len(result)
            return result

        with monkeypatch.context() as patch:
            patch.setattr(Store, "_found", counted)
            assert len(outcomes(made, key("web"))) == size + 1
        return count

    assert cost(200) < 2.2 * cost(100)


def test_equal_requests_for_one_service_are_answered_once() -> None:
    """Each further file costs a small part of the calls for the first one."""
    webs = [box(f"web-{n}", on("front", f"10.0.0.{n + 20}"), labels=hosts("@{db.ip} db")) for n in range(20)]
    made = store(FRONT, box("db", on("front", "10.0.0.5")), *webs)

    def effort(file: Container) -> int:
        return calls(lambda: desired_block(made, file.key, {}, 0.0, 2.0))

    list(map(effort, webs))  # who wants what is looked up once for each file, as long as its container stays the same
    made.put(box("db", on("front", "10.0.0.6")))
    first, *others = map(effort, webs)
    assert max(others) * 10 < first


def test_a_container_that_loses_an_address_is_stale() -> None:
    """Its end may have been missed, so it must be read again."""
    made = store(FRONT, box("old", on("front", "10.0.0.5")))
    assert not made.stale
    made.put(box("new", on("front", "10.0.0.5")))
    assert made.stale == {key("old")}
