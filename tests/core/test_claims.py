"""Claims to a name by several containers: case, containers that never started or have ended, and one-offs."""

import dataclasses
from pathlib import Path

import pytest

from hostwatch.core.model import Claim, Container, State
from hostwatch.core.resolve.services import Ambiguous, Tier
from hostwatch.core.rules import Match, Rules, ServiceRule, SubscriberRule, Subscription
from hostwatch.core.store.store import Store
from tests.core.build import ENGINE, RUNNING, STOPPED, box, hosts, lines, net, on, service, store, told
from tests.core.test_lookup import WEB, answer, names_in_reach, resolver

EVERYTHING = {"hostwatch.services": "*"}
HOST_FILE = Path("/etc/hosts")


def on_host(*lister: Container, rules: tuple[ServiceRule, ...] = (), subscription: Subscription | None = None) -> Store:
    """A store with a file on the host that requests every name, unless a subscription is given."""
    wanted = subscription or Subscription(everything=True)
    named = Rules(rules, (SubscriberRule("host", HOST_FILE, wanted),))
    made = store(*map(net, ("front", "s", "b")), *lister, rules=named)
    made.add_host_files(ENGINE, "here")
    return made


def told_on_host(made: Store) -> list[str]:
    """The desired lines of that file."""
    (file,) = made.host_files
    return told(made, file.key)


def labelled(name: str, *names: str, address: str, state: State = RUNNING, claim: Claim = Claim.FULL) -> Container:
    """A container with `hostwatch.names`."""
    place = on("front", address) if state is RUNNING else on("front")
    return box(name, place, state=state, claim=claim, labels={"hostwatch.names": " ".join(names)})


# Case (RFC 4343).


def test_a_name_is_not_stolen_by_another_case() -> None:
    """The owner keeps it, even if another container claims it in capitals, and it is written in the owner's case."""
    made = store(
        box("web", on("front", "10.0.0.2"), compose="shop/web", labels=EVERYTHING),
        box("shop-db-1", on("front", "10.0.0.5"), compose="shop/db"),
        labelled("evil", "DB", address="10.0.0.3"),
    )
    assert told(made, "web") == ["10.0.0.5 db shop-db-1", "10.0.0.3 evil", "10.0.0.2 web"]


@pytest.mark.parametrize("tier", ["config", "compose", "container", "alias", "label"])
def test_a_name_is_found_in_any_case(tier: str) -> None:
    """In every tier, from a line and from `services`. The answer has the case of the request."""
    owner = {
        "config": box("x", on("front", "10.0.0.5")),
        "compose": box("x", on("front", "10.0.0.5"), compose="shop/Db"),
        "container": box("dB", on("front", "10.0.0.5")),
        "alias": box("x", on("front", "10.0.0.5", aliases=("Db",))),
        "label": labelled("x", "dB", address="10.0.0.5"),
    }[tier]
    rules = Rules((ServiceRule("Db", Match(name=("x",)), ("dB",)),)) if tier == "config" else Rules()
    web = box("web", on("front", "10.0.0.2"), compose="shop/web", labels=hosts("@{DB.ip} line", services="DB"))
    asked = "dB" if tier == "config" else "DB"
    assert told(store(web, owner, rules=rules), "web") == ["10.0.0.5 line", f"10.0.0.5 {asked}"]


def test_two_in_one_tier_are_ambiguous_whatever_their_case() -> None:
    """Services of the configuration, of a project, containers, aliases and labels."""
    rules = Rules((service("x"), service("X")))
    assert answer(store(WEB, rules=rules), "x") == "x: claimed by the services x and X of the configuration"
    both = box("a", on("front"), compose="shop/db"), box("b", on("front"), compose="shop/DB")
    assert answer(store(WEB, *both)) == "db: claimed by a and b"
    assert answer(store(WEB, box("db", on("front")), box("DB", on("front")))) == "db: claimed by DB and db"
    both = labelled("a", "db", address="10.0.0.5"), labelled("b", "DB", address="10.0.0.6")
    assert answer(store(WEB, *both)) == "db: claimed by a and b"


def test_aliases_of_one_network_are_replicas_in_any_case() -> None:
    """The engine's DNS has the same rule."""
    both = (box(name, on("front", aliases=(alias,))) for name, alias in (("a", "db"), ("b", "DB")))
    assert answer(store(WEB, *both), "Db") == ("a", "b")


def test_self_is_the_subscriber_in_any_case() -> None:
    """Case does not count for it either."""
    web = box("web", on("front", "10.0.0.2"), labels=hosts("@{Self.ip} me", services="SELF"))
    assert told(store(web), "web") == ["10.0.0.2 me", "10.0.0.2 SELF"]


# Containers that do not run.


@pytest.mark.parametrize("tier", ["compose", "container", "alias", "label"])
def test_a_created_container_claims_nothing(tier: str) -> None:
    """Before its first start. A running container keeps the name, and nothing is ambiguous."""
    created = {
        "compose": box("new", on("front"), compose="shop/db", state=STOPPED, claim=Claim.NONE),
        "container": box("db", on("front"), state=STOPPED, claim=Claim.NONE),
        "alias": box("new", on("front", aliases=("db",)), state=STOPPED, claim=Claim.NONE),
        "label": labelled("new", "db", address="", state=STOPPED, claim=Claim.NONE),
    }[tier]
    assert answer(store(WEB, created)) is None
    made = store(WEB, labelled("app", "db", address="10.0.0.5"), created)
    assert answer(made) == ("app",)
    made.mark_starting(created.key)
    assert answer(made) != ("app",), "it claims its names as soon as it is being started"


def test_the_names_of_a_created_container_are_not_in_reach() -> None:
    """Except those that the configuration gives it."""
    created = box("db-1", on("front", aliases=("a",)), state=STOPPED, claim=Claim.NONE, labels={"hostwatch.names": "l"})
    assert names_in_reach(resolver(store(WEB, created))) == {"web"}
    configured = store(WEB, created, rules=Rules((service("db"),)))
    assert names_in_reach(resolver(configured)) == {"db", "web"}


def ended(made: Store, container: Container) -> Container:
    """The container, which has just ended."""
    made.put(container)
    stopped = box(container.name, *container.endpoints, state=STOPPED, labels=container.labels)
    made.put(stopped)
    return stopped


def test_an_ended_container_yields_to_a_running_one_of_its_tier() -> None:
    """After a while: `app-v1` and `app-v2`, the first stopped for a rollback."""
    made = store(WEB, labelled("app-v2", "app", address="10.0.0.6"))
    old = ended(made, labelled("app-v1", "app", address="10.0.0.5"))
    assert answer(made, "app") == "app: claimed by app-v1 and app-v2"
    assert made.is_ending(old.key)
    made.yield_names(old.key)
    assert not made.is_ending(old.key)
    assert answer(made, "app") == ("app-v2",)
    made.mark_stale(old.key)
    assert answer(made, "app") == "app: claimed by app-v1 and app-v2", "it is being started"


def test_a_container_that_had_ended_before_it_was_seen_yields_at_once() -> None:
    """The time of its end is not known. A second reading changes nothing."""
    made = store(
        WEB,
        labelled("app-v1", "app", address="", state=STOPPED),
        labelled("app-v2", "app", address="10.0.0.6"),
    )
    made.put(labelled("app-v1", "app", address="", state=STOPPED))
    assert answer(made, "app") == ("app-v2",)


@pytest.mark.parametrize("claim", [Claim.FULL, Claim.YIELDING])
def test_an_ended_container_never_yields_to_a_label(claim: Claim) -> None:
    """A database that is down for a minute does not lose its clients to a stranger."""
    made = store(WEB, labelled("stranger", "db", address="10.0.0.6"))
    old = ended(made, box("db", on("front", "10.0.0.5")))
    if claim is Claim.YIELDING:
        made.yield_names(old.key)
    assert answer(made) == ("db",)


def test_an_ended_container_yields_to_a_name_that_the_engine_gives() -> None:
    """A stopped container `cache` hides no running alias `cache`; nor does a stopped service of the own project."""
    made = store(WEB, box("redis", on("front", "10.0.0.6", aliases=("cache",))))
    old = ended(made, box("cache", on("front", "10.0.0.5")))
    assert answer(made, "cache") == ("cache",)
    made.yield_names(old.key)
    assert answer(made, "cache") == ("redis",)
    found = resolver(made).service("cache")
    assert not isinstance(found, Ambiguous)
    assert found is not None
    assert found.tier is Tier.ALIAS
    made = store(
        WEB, box("shop-db-1", on("front"), compose="shop/db", state=STOPPED), box("db", on("front", "10.0.0.7"))
    )
    assert answer(made) == ("db",)


def test_a_replica_that_has_ended_keeps_its_number() -> None:
    """`ip[1]` is the second's while the first is down, even if a stranger with the same name has ended, too."""
    first = box(
        "shop-db-1", on("front"), compose="shop/db", number=1, state=STOPPED, labels={"hostwatch.names": "main"}
    )
    second = box("shop-db-2", on("front", "10.0.0.6"), compose="shop/db", number=2, labels={"hostwatch.names": "main"})
    stranger = labelled("stranger", "main", address="", state=STOPPED)
    web = box("web", on("front", "10.0.0.2"), labels=hosts("@{main.ip[1]} second"))
    assert told(store(web, first, second, stranger), "web") == ["10.0.0.6 second"]


def test_a_stopped_project_does_not_make_a_running_one_s_name_ambiguous() -> None:
    """In a file on the host, which sees all projects."""
    blog = box("blog-db-1", on("b"), compose="blog/db", state=STOPPED)
    shop = box("shop-db-1", on("s", "10.1.0.5"), compose="shop/db")
    assert told_on_host(on_host(blog, shop)) == ["10.1.0.5 db db.shop shop-db-1"]
    both_down = box("shop-db-1", on("s"), compose="shop/db", state=STOPPED)
    assert told_on_host(on_host(blog, both_down)) == [], "who does not run is not worth a line"


@pytest.mark.parametrize("tier", ["compose", "container", "alias", "label"])
def test_a_removed_container_is_followed_by_no_stranger_at_once(tier: str) -> None:
    """A stranger does not get the name during a recreation, whether it has the name by the engine or by a label."""
    owner, successor = (
        {
            "compose": box(name, on("front", address), compose="shop/db"),
            "container": dataclasses.replace(box(name, on("front", address)), name="db"),
            "alias": box(name, on("front", address, aliases=("db",))),
            "label": labelled(name, "db", address=address),
        }[tier]
        for name, address in (("old", "10.0.0.5"), ("new", "10.0.0.7"))
    )
    strangers = [labelled("stranger", "db", address="10.0.0.6")] if tier != "label" else []
    if tier in ("compose", "container"):
        strangers.append(box("blog-db-1", on("front", "10.0.0.8", aliases=("db",))))
    made = store(WEB, owner, *strangers)
    made.drop(owner.key)
    assert made.container(owner.key) is None
    assert owner.key not in {container.key for container in made.containers}
    assert told_line(made, "db") == [], "nobody answers, and the last address lingers"
    made.put(successor)
    assert told_line(made, "db") == [successor.name], "but whoever has the name by the same right has it at once"
    made.drop(successor.key)
    for gone in (owner, successor):
        made.yield_names(gone.key)
    expected = [strangers[-1].name] if strangers else ["nobody knows it"]
    assert told_line(made, "db") == expected, "it did not come back in time"


def told_line(made: Store, name: str) -> list[str]:
    """The names of the running containers behind a name."""
    found = resolver(made).service(name)
    assert not isinstance(found, Ambiguous)
    return [c.name for c in found.containers if c.state is RUNNING] if found is not None else ["nobody knows it"]


def test_a_successor_has_the_number_of_the_removed_container() -> None:
    """`ip[0]` is the new one's at once, also behind a service of the configuration."""
    rules = Rules((service("db"),))
    web = box("web", on("front", "10.0.0.2"), labels=hosts("@{db.ip[0]} a", "@{db-1.ip[0]} b"))
    old = box("db-1", on("front", "10.0.0.5"), created=1.0)
    made = store(web, old, rules=rules)
    made.drop(old.key)
    successor = dataclasses.replace(box("other", on("front", "10.0.0.6"), created=2.0), name="db-1")
    made.put(successor)
    assert told(made, "web") == ["10.0.0.6 a", "10.0.0.6 b"]


# One-offs.


def one_off(**labels: str) -> Container:
    """A container of `docker compose run` for the service `web` of `shop`."""
    found = {"com.docker.compose.oneoff": "True", "app": "web"} | {f"hostwatch.{k}": v for k, v in labels.items()}
    return box("shop-web-run-1", on("front", "10.0.0.9"), compose="shop/web", labels=found)


def test_a_one_off_is_no_service() -> None:
    """Neither by the labels of its service nor by a rule that matches it, running or ended."""
    app = box(
        "shop-web-1", on("front", "10.0.0.5"), compose="shop/web", labels={"hostwatch.names": "app", "app": "web"}
    )
    rules = Rules(
        (
            ServiceRule("by-name", Match(name=("shop-web-*",)), ("by-name",)),
            ServiceRule("by-label", Match(label_values=(("app", ("web",)),)), ("by-label",)),
            ServiceRule("by-service", Match(service=("web",)), ("by-service",)),
        )
    )
    subscriber = box("sub", on("front", "10.0.0.2"), compose="shop/sub")
    made = store(subscriber, app, one_off(names="app"), rules=rules)
    for name in ("app", "web", "by-name", "by-label", "by-service"):
        found = resolver(made, "sub").service(name)
        assert not isinstance(found, Ambiguous)
        assert found is not None
        assert found.containers == (app,), name


def test_a_one_off_that_is_meant_is_a_service() -> None:
    """The configuration matches the label itself."""
    meant = ServiceRule("jobs", Match(label_values=(("com.docker.compose.oneoff", ("True",)),)), ("jobs",))
    made = store(WEB, one_off(names="app"), rules=Rules((meant,)))
    assert answer(made, "jobs") == ("shop-web-run-1",)
    assert answer(made, "app") == ("shop-web-run-1",)


# The same line from two sources.


def test_a_line_from_two_sources_is_answered_if_either_is() -> None:
    """The configuration's scope is wider than the label's, or the other way round. The line is written once."""
    db = box("db", on("back", "10.1.0.5"))
    web = box("web", on("front", "10.0.0.2"), labels=hosts("@{db.ip} db", "@{nobody.ip} x"))
    for scopes in ((True,), (False, True), (True, False)):
        rules = Rules(
            subscribers=tuple(
                SubscriberRule("web", Match(name=("web",)), Subscription(lines("@{db.ip} db"), any_scope=scope))
                for scope in scopes
            )
        )
        assert told(store(web, db, rules=rules), "web") == ["10.1.0.5 db", "Gone nobody: no running container"]


# Names with a dot in a file on the host.


@pytest.mark.parametrize(
    "stranger",
    [
        box("github.com", on("front", "10.0.0.5")),
        box("a", on("front", "10.0.0.5", aliases=("github.com",))),
        labelled("a", "GitHub.com", address="10.0.0.5"),
        box("a", on("front", "10.0.0.5"), compose="shop/github.com"),
        box("a", on("front", "10.0.0.5"), compose="github.com/api"),
    ],
)
def test_a_file_on_the_host_gets_no_name_with_a_dot_that_a_container_chose(stranger: Container) -> None:
    """The name is withheld and reported. The container's other names are there."""
    found = told_on_host(on_host(stranger))
    assert not [line for line in found if line.startswith("10.") and ".com" in line], found
    assert any(line.startswith("Refused") and "github.com: a container chose this name" in line for line in found)


def test_a_name_with_a_dot_is_the_operator_s_to_give() -> None:
    """By a service of the configuration, by its domain, or by a request. Containers' own files have all names."""
    named = ServiceRule("db", Match(name=("db",)), ("mysql.internal", "db.example.com"))
    made = on_host(
        box("db", on("front", "10.0.0.5")),
        box("cache.internal", on("front", "10.0.0.6")),
        box("x.example.com", on("front", "10.0.0.7")),
        box("y.com", on("front", "10.0.0.8")),
        rules=(named,),
    )
    assert told_on_host(made)[:1] == ["10.0.0.6 cache.internal"]
    assert [line.partition(":")[0] for line in told_on_host(made) if "chose" in line] == ["Refused y.com"]
    only_com = ServiceRule("db", Match(name=("db",)), ("db.com",))
    made = on_host(box("github.com", on("front", "10.0.0.8")), rules=(only_com,))
    assert told_on_host(made)[0].startswith("Refused github.com"), "a public domain is nobody's suffix"
    asked = Subscription(lines("@{y.com.ip} y.com"))
    assert told_on_host(on_host(box("y.com", on("front", "10.0.0.8")), subscription=asked)) == ["10.0.0.8 y.com"]
    web = box("web", on("front", "10.0.0.2"), labels=EVERYTHING)
    assert "10.0.0.8 y.com" in told(store(web, box("y.com", on("front", "10.0.0.8"))), "web")
