"""Look-ups of names: tiers, replicas, ambiguity, and the names in reach."""

from dataclasses import replace
from pathlib import Path

import pytest

from hostwatch.core.model import Container, NetworkMode, State
from hostwatch.core.resolve.lookup import Resolver, resolver_of
from hostwatch.core.resolve.services import Ambiguous, Service, Tier
from hostwatch.core.rules import Match, Rules, ServiceRule, SubscriberRule, Subscription
from hostwatch.core.store.network_context import network_context_of
from hostwatch.core.store.store import Store
from tests.core.build import ENGINE, RUNNING, STOPPED, UNKNOWN, box, hosts, key, net, on, service, store, told

WEB = box("web", on("front", "10.0.0.2"), compose="shop/web")
BY_TIER = {
    Tier.CONFIG: box("db-1", on("back", "10.1.0.3")),
    Tier.COMPOSE: box("shop_db", on("back", "10.1.0.4"), compose="shop/db"),
    Tier.CONTAINER: box("db", on("front", "10.0.0.5")),
    Tier.ALIAS: box("aliased", on("front", "10.0.0.6", aliases=("db",))),
    Tier.LABEL: box("labelled", on("front", "10.0.0.7"), labels={"hostwatch.names": "db"}),
}


def resolver(made: Store, name: str = "web", any_scope: bool = False) -> Resolver:
    """The resolver of one container."""
    container = made.container(key(name))
    assert container is not None
    return resolver_of(made, network_context_of(container, made.joins.sandbox(container)), any_scope)


def names_in_reach(asked: Resolver) -> set[str]:
    """The folded names of all containers in reach."""
    return {name for candidate in asked.candidates() for name in asked.names_of(candidate)}


def answer(made: Store, name: str = "db", any_scope: bool = False) -> tuple[str, ...] | str | None:
    """The names of the containers behind a name, or the reason why there is none."""
    return behind(resolver(made, any_scope=any_scope).service(name))


def behind(found: Service | Ambiguous | None) -> tuple[str, ...] | str | None:
    """The names of the containers, or the reason why there is none."""
    match found:
        case Service(containers=containers):
            return tuple(container.name for container in containers)
        case Ambiguous(reason):
            return reason
        case None:
            return None


@pytest.mark.parametrize("first", list(BY_TIER))
def test_the_first_tier_that_answers_wins(first: Tier) -> None:
    """Claims in later tiers do not count."""
    tiers = list(BY_TIER)
    claimants = [container for tier, container in BY_TIER.items() if tiers.index(tier) >= tiers.index(first)]
    rules = Rules(services=(service("db"),) if first is Tier.CONFIG else ())
    found = resolver(store(WEB, *claimants, rules=rules)).service("db")
    assert isinstance(found, Service)
    assert (found.tier, found.containers) == (first, (BY_TIER[first],))


@pytest.mark.parametrize(("first", "second"), list(zip(list(BY_TIER), list(BY_TIER)[1:], strict=False)))
def test_a_stopped_owner_keeps_its_name(first: Tier, second: Tier) -> None:
    """A database that is being restarted does not lose its name to another container."""
    made = store(WEB, rules=Rules(services=(service("db"),) if first is Tier.CONFIG else ()))
    for tier in (first, second):
        made.put(BY_TIER[tier])
    made.mark_stale(BY_TIER[first].key)
    assert answer(made) == (BY_TIER[first].name,)


def test_a_configured_service_answers_without_containers() -> None:
    """The configuration's service has the name, running or not."""
    assert answer(store(WEB, BY_TIER[Tier.CONTAINER], rules=Rules((service("db"),)))) == ()


def test_self_is_always_the_subscriber() -> None:
    """Even if another container has this name."""
    me = box("self", on("front", "10.0.0.9"), labels={"hostwatch.names": "self"})
    other = box("other", on("front", "10.0.0.8"), labels={"hostwatch.names": "self"})
    asking = hosts("@{self.ip} me") | {"hostwatch.services": "self other"}
    web, app = (box(name, on("front", f"10.0.0.{n}"), labels=asking) for n, name in ((2, "web"), (3, "app")))
    made = store(me, other, web, app)
    assert told(made, "web") == ["10.0.0.2 me", "10.0.0.2 self", "10.0.0.8 other"]
    assert told(made, "app") == ["10.0.0.3 me", "10.0.0.3 self", "10.0.0.8 other"]
    assert "self" not in names_in_reach(resolver(made))


@pytest.mark.parametrize(
    ("stranger", "why"),
    [
        (box("shop2_db", on("front", "10.0.0.5"), compose="other/db"), "a compose service of another project"),
        (box("db", on("back", "10.1.0.5")), "a container that is not in reach"),
        (box("a", on("back", "10.1.0.5", aliases=("db",))), "an alias on a network that is not the subscriber's"),
        (box("a", on("back", "10.1.0.5"), labels={"hostwatch.names": "db"}), "a label out of reach"),
        (box("db", on("front", "10.0.0.5"), labels={"hostwatch.enable": "false"}), "a disabled container"),
    ],
)
def test_a_stranger_does_not_answer(stranger: Container, why: str) -> None:
    """Each tier has limits."""
    assert answer(store(WEB, stranger)) is None, why


def test_any_scope_and_the_host_s_network_put_all_in_reach() -> None:
    """Such containers can be reached, so their names count."""
    labelled = box("a", on("back", "10.1.0.5"), labels={"hostwatch.names": "db"})
    assert answer(store(WEB, labelled), any_scope=True) == ("a",)
    hosted = box("a", mode=NetworkMode.HOST, labels={"hostwatch.names": "db"})
    assert answer(store(WEB, hosted)) == ("a",)


def test_a_new_container_whose_networks_are_not_known_holds_its_own_name() -> None:
    """It may be the returning owner, so no other container takes the name meanwhile."""
    new = box("db", mode=None, state=UNKNOWN)
    assert answer(store(WEB, new, BY_TIER[Tier.ALIAS])) == ("db",)
    created = box("db", mode=None, state=STOPPED)
    assert answer(store(WEB, created, BY_TIER[Tier.ALIAS])) == ("aliased",)


@pytest.mark.parametrize("state", [RUNNING, UNKNOWN, STOPPED])
def test_the_latest_container_of_a_name_has_it(state: State) -> None:
    """An engine may report the predecessor's removal after its start. Either of the two may have been read first."""
    old = replace(box("old", on("front", "10.0.0.8"), created=1.0, state=state), name="db")
    new = replace(box("new", on("front", "10.0.0.9"), created=2.0), name="db")
    for both in ((old, new), (new, old)):
        made = store(WEB, *both)
        found = resolver(made).service("db")
        assert isinstance(found, Service)
        assert [container.key for container in found.containers] == [key("new")]
        made.drop(key("new"))
        assert answer(made) == ("db",)


# Replicas and ambiguity.


def replica(number: int, compose: str | None = None, name: str = "db", network: str = "front") -> Container:
    """A container with the alias `db` and the label `dblabel`."""
    place = on(network, f"10.0.0.1{number}", aliases=("db",))
    labels = {"hostwatch.names": "dblabel"}
    return box(f"{name}-{number}", place, compose=compose, number=number, labels=labels)


def test_replicas_have_a_stable_order() -> None:
    """The order is compose's number as a number, then creation time, then id."""
    many = [replica(number, "shop/db") for number in (10, 9, 2)]
    assert answer(store(WEB, *many)) == ("db-2", "db-9", "db-10")
    by_time = [box(f"db-{n}", on("front", aliases=("db",)), created=created) for n, created in ((1, 2.0), (2, 1.0))]
    assert answer(store(WEB, *by_time)) == ("db-2", "db-1")
    by_id = [box(f"db-{n}", on("front", aliases=("db",))) for n in (2, 1)]
    assert answer(store(WEB, *by_id)) == ("db-1", "db-2")


@pytest.mark.parametrize("name", ["db", "dblabel"])
@pytest.mark.parametrize(
    ("compose", "rules"),
    [(("other/db", "other/db"), ()), ((None, None), (ServiceRule("x", Match(name=("db-*",)), ("x",)),))],
)
def test_containers_of_one_service_are_replicas(
    name: str, compose: tuple[str | None, str | None], rules: tuple[ServiceRule, ...]
) -> None:
    """The same compose service or entry of the configuration, also with aliases on different networks."""
    both = [replica(1, compose[0]), replica(2, compose[1], network="back")]
    web = box("web", on("front", "10.0.0.2"), on("back", "10.1.0.2"))
    assert answer(store(web, *both, rules=Rules(rules)), name) == ("db-1", "db-2")


def test_one_alias_on_one_network_is_one_service() -> None:
    """For any containers, even if some have the alias on another network, too."""
    web = box("web", on("front", "10.0.0.2"), on("back", "10.1.0.2"))
    a = box("a", on("front", "10.0.0.5", aliases=("db",)), on("back", "10.1.0.5", aliases=("db",)))
    b = box("b", on("back", "10.1.0.6", aliases=("db",)), compose="y/z")
    assert answer(store(web, a, b)) == ("a", "b")


def test_containers_of_different_services_are_ambiguous() -> None:
    """With an alias on different networks, or a label, neither has the name."""
    web = box("web", on("front", "10.0.0.2"), on("back", "10.1.0.2"))
    made = store(web, replica(1, "x/db"), replica(2, "y/db", network="back"))
    assert answer(made, "db") == "db: claimed by db-1 and db-2"
    assert answer(made, "dblabel") == "dblabel: claimed by db-1 and db-2"
    assert answer(store(WEB, replica(1), replica(2)), "dblabel") == "dblabel: claimed by db-1 and db-2"


def test_two_entries_of_the_configuration_may_share_a_container_but_not_a_name() -> None:
    """A conflict in the configuration withholds the name."""
    rules = Rules((service("a", ("db",)), service("b", ("db",))))
    assert answer(store(WEB, rules=rules)) == "db: claimed by the services a and b of the configuration"


# Names.


def test_the_names_in_reach() -> None:
    """Containers, the own project's services, aliases, labels and the configuration's, each only if it is valid."""
    made = store(
        net("front"),
        WEB,
        box("db-1", on("front", aliases=("alias", "-bad", key("db-1").id[:12])), compose="shop/db"),
        box("other", on("front"), compose="far/service", labels={"hostwatch.names": "label"}),
        box("hosted", mode=NetworkMode.HOST),
        box("sidecar", join="db-1"),
        box("hostcar", join="hosted"),
        box("away", on("back", aliases=("away-alias",)), labels={"hostwatch.names": "away-label"}),
        box("off", on("front"), labels={"hostwatch.enable": "false"}),
        box("1234", on("front")),
        rules=Rules((service("db", ("configured",)), service("nobody"))),
    )
    found = {"web", "db-1", "db", "alias", "configured", "other", "label", "hosted", "sidecar", "hostcar"}
    assert names_in_reach(resolver(made)) == found


def test_a_container_joined_to_a_disabled_one_is_in_reach() -> None:
    """The container with the network is left alone; the one that joined it is not."""
    off = {"hostwatch.enable": "false"}
    made = store(WEB, box("x", mode=NetworkMode.HOST, labels=off), box("car", join="x"))
    assert names_in_reach(resolver(made)) == {"web", "car"}


def test_a_service_is_published_under_its_own_valid_names() -> None:
    """A name in a label is for the containers with that label. A name of another service is left out."""
    both = [
        box("db-1", on("front"), labels={"hostwatch.names": "main taken"}, compose="shop/db", number=1),
        box("db-2", on("front"), labels={"hostwatch.names": "spare"}, compose="shop/db", number=2),
    ]
    made = store(WEB, *both, box("taken", on("front")))
    shop = resolver(made).service("db")
    assert isinstance(shop, Service)
    one, two = key("db-1").id, key("db-2").id
    assert resolver(made).published_names(shop, shop.names_as_asked("db")) == {
        "db": {one, two},
        "main": {one},
        "spare": {two},
    }


def test_an_unread_container_may_have_any_name() -> None:
    """Aliases on a network of the subscriber's are unread, or its own networks are."""
    running = box("a", on("front", "10.0.0.5", aliases=None))
    assert not resolver(store(WEB, running)).is_complete()
    assert resolver(store(WEB, box("a", on("back", "10.1.0.5", aliases=None)))).is_complete()
    assert resolver(store(WEB, box("a", on("front", aliases=None), state=STOPPED))).is_complete()
    assert not resolver(store(box("web", mode=None))).is_complete()
    assert not resolver(store(box("web", join="gone"))).is_complete()
    assert resolver(store(running, box("web", mode=NetworkMode.HOST))).is_complete()


# A file on the host, which sees all projects and all networks.


def host_view(*lister: Container, rules: Rules | None = None) -> Resolver:
    """The resolver of a file on the host."""
    given = rules or Rules()
    subscription = Subscription(everything=True)
    rules = Rules(given.services, (SubscriberRule("host", Path("/hosts"), subscription),))
    made = store(*lister, rules=rules)
    made.add_host_files(ENGINE, "host")
    (file,) = made.host_files
    return resolver_of(made, network_context_of(file, file), any_scope=False)


def test_the_host_knows_compose_services_of_all_projects() -> None:
    """By `service.project`, and by the service's name alone while only one project has it."""
    shop = [box(f"shop-db-{number}", compose="shop/db", number=number) for number in (1, 2)]
    seen = host_view(*shop)
    assert behind(seen.service("db")) == behind(seen.service("db.shop")) == ("shop-db-1", "shop-db-2")
    seen = host_view(*shop, box("blog-db-1", compose="blog/db"))
    assert behind(seen.service("db")) == "db: claimed by blog-db-1 and shop-db-1 and shop-db-2"
    assert behind(seen.service("db.blog")) == ("blog-db-1",)
    assert behind(seen.service("db.none")) is None
    assert behind(seen.service("db.")) is None


def test_the_host_knows_aliases_of_all_networks() -> None:
    """An alias of one container on any number of networks counts. An alias of two containers stands for neither."""
    one = box("one", on("front", "10.0.0.2", aliases=("x", "y")), on("back", "10.1.0.2", aliases=("x",)))
    two = box("two", on("back", "10.1.0.3", aliases=("y",)))
    seen = host_view(one, two)
    assert behind(seen.service("x")) == ("one",)
    assert behind(seen.service("y")) == "y: claimed by one and two"


def test_on_the_host_too_the_first_tier_wins() -> None:
    """The configuration, `service.project`, a container's name, then aliases, then labels."""
    named = box("db", on("front", "10.0.0.2"))
    aliased = box("other", on("front", "10.0.0.3", aliases=("db", "z")))
    labelled = box("third", on("front", "10.0.0.4"), labels={"hostwatch.names": "db z"})
    configured = box("db-1", on("front", "10.0.0.5"))
    lister = (named, aliased, labelled, configured)
    assert behind(host_view(*lister).service("db")) == ("db",)
    assert behind(host_view(*lister).service("z")) == ("other",)
    assert behind(host_view(*lister, rules=Rules(services=(service("db"),))).service("db")) == ("db-1",)
    dotted = box("db.shop", on("front", "10.0.0.6"))
    assert behind(host_view(dotted, box("c", compose="shop/db")).service("db.shop")) == ("c",)


def test_a_file_on_the_host_is_nobodys_service() -> None:
    """Neither by its name nor as a container in host mode."""
    seen = host_view(box("web", on("front", "10.0.0.2"), labels=hosts("@{host.ip} host")))
    assert behind(seen.service("host")) is None
    assert seen.lister.by_index("host", ENGINE) == set()
    assert [container.name for container in seen.lister.containers] == ["web"]
    assert "host" not in names_in_reach(seen)


def test_until_all_aliases_are_read_the_host_knows_nothing_for_sure() -> None:
    """An unread alias anywhere may be the requested name."""
    assert host_view(box("web", on("front", "10.0.0.2"))).is_complete()
    assert not host_view(box("web", on("front", "10.0.0.2", aliases=None))).is_complete()
