"""The names that `publish_as` gives: what each part stands for, whose a name is, and what a host file refuses."""

import dataclasses
import weakref
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostwatch.core.model import Claim, Container, ContainerKey, NetworkMode
from hostwatch.core.patterns import MOST_PATTERNS, Part, PatternError, parsed_pattern
from hostwatch.core.resolve.everything import everything_of
from hostwatch.core.resolve.lookup import Resolver
from hostwatch.core.resolve.outcome import Outcome, Published
from hostwatch.core.resolve.services import Answer
from hostwatch.core.rules import Rules, ServiceRule, SubscriberRule, Subscription
from hostwatch.core.store.store import Store
from tests.core.build import (
    ENGINE,
    STOPPED,
    UNKNOWN,
    box,
    key,
    lines,
    net,
    on,
    outcomes,
    patterns,
    service,
    store,
    subscriber,
    told,
)
from tests.core.histories import RULES, Step, histories, often

FILE = Path("/hosts")
EVERY = (net("back", "10.1.0.0/16"), net("front", "10.0.0.0/16"))
DB = box("db", on("front", "10.0.0.5"))
REFUSED = (
    "a container chose this name, and it may be that of another host;"
    " give it by a service of the configuration to have it here"
)


def rules(*texts: str, services: tuple[ServiceRule, ...] = ()) -> Rules:
    """Rules with a file on the host that gets every name by these patterns."""
    subscription = Subscription(everything=True, publish_as=patterns(*texts))
    return Rules(services, (SubscriberRule("file", FILE, subscription),))


def in_file(made: Store) -> list[str]:
    """The lines of the file on the host."""
    made.add_host_files(ENGINE, "host")
    return told(made, made.host_files[0].key)


def given_by(text: str, *containers: Container) -> list[str]:
    """The lines of a file on the host, by patterns with spaces between them."""
    return in_file(store(*EVERY, *containers, rules=rules(*text.split())))


def web(text: str, **labels: str) -> Container:
    """A container that subscribes to every name by these patterns."""
    own = {"hostwatch.services": "*", "hostwatch.publish_as": text} | labels
    return box("web", on("front", "10.0.0.2"), compose="shop/web", labels=own)


# What a pattern is.


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        (".-", 0, "a pattern has a part that differs by container, as in {name}.docker"),
        (".lan", 0, "a pattern has a part that differs by container, as in {name}.lan"),
        (".docker", 0, "a pattern has a part that differs by container, as in {name}.docker"),
        ("docker", 0, "a pattern has a part that differs by container, as in {name}.docker"),
        ("", 0, "a pattern has a part that differs by container"),
        (
            "{nam}.docker",
            0,
            "unknown part; did you mean {name}? known are {name}, {service}, {project}, {network}, {ho",
        ),
        ("x-{Service}", 2, "unknown part; did you mean {service}?"),
        ("{container}", 0, "unknown part; known are"),
        ("{}", 0, "unknown part; known are"),
        ("{name", 0, "a part stands between `{` and `}`, as in {name}"),
        ("name}", 4, "a part stands between `{` and `}`, as in {name}"),
        ("{{name}}", 0, "a part stands between"),
        ("{name}..docker", 0, "not a host name"),
        ("{name}.", 0, "a name ends with a dot in DNS alone: leave it out"),
        ("-{name}", 0, "not a host name"),
        ("{name} x", 0, "not a host name"),
        ("{name}\n", 0, "not a host name"),
        ("@{name}.docker", 0, "not a host name; a part is written {name}, without `@` or `$`"),
        ("${name}", 0, "not a host name; a part is written {name}, without `@` or `$`"),
        ("ip6-{name}", 0, "never published"),
        ("{name}.caf\u00e9", 0, "a hosts file has ASCII alone: write x.xn--caf-dma"),
        ("x" * 63 + "{name}", 0, "not a host name"),
        ("{name}" * 300, 0, "longer than 253 characters"),
    ],
)
def test_a_faulty_pattern(text: str, column: int, reason: str) -> None:
    """The fault has its column, and says what would be right."""
    with pytest.raises(PatternError) as found:
        parsed_pattern(text)
    assert found.value.column == column
    assert str(found.value).startswith(reason)


@given(st.text(st.sampled_from("{}name.-d@ \n"), max_size=12) | st.text(max_size=12))
def test_any_text_is_a_pattern_or_a_fault(text: str) -> None:
    """Nothing else comes out of it."""
    try:
        pattern = parsed_pattern(text)
    except PatternError as fault:
        column = fault.column
    else:
        assert pattern.parts
        assert text.format(**{part.value: "x" for part in Part}) == pattern.made_of(dict.fromkeys(Part, "x"))
        return
    assert 0 <= column <= len(text)


def test_a_suffix_is_the_domain_behind_the_last_part() -> None:
    """In the form in which names are compared."""
    texts = ["{name}.Docker", "{name}-1.a.b", "{name}", "x.{name}", "{name}-x"]
    assert [parsed_pattern(text).suffix for text in texts] == [".docker", ".a.b", "", "", ""]


# What the parts stand for.


SHOP = [
    box("shop-web-1", on("front", "10.0.1.1"), compose="shop/web"),
    box("shop-web-2", on("front", "10.0.1.2"), compose="shop/web", number=2),
    box("shop-db-1", on("back", "10.1.1.3"), compose="shop/db"),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{name}.docker",
            [
                "10.1.1.3 db.docker db.shop.docker shop-db-1.docker",
                "10.0.1.1 shop-web-1.docker",
                "10.0.1.2 shop-web-2.docker",
                "10.0.1.1 web.docker web.shop.docker",
                "10.0.1.2 web.docker web.shop.docker",
            ],
        ),
        ("{service}.docker", ["10.1.1.3 db.docker", "10.0.1.1 web.docker", "10.0.1.2 web.docker"]),
        ("{service}.{project}.d", ["10.1.1.3 db.shop.d", "10.0.1.1 web.shop.d", "10.0.1.2 web.shop.d"]),
        ("{project}.d", ["Refused shop.d: claimed by shop-db-1 and shop-web-1 and shop-web-2"]),
        ("{service}.{network}", ["10.1.1.3 db.back", "10.0.1.1 web.front", "10.0.1.2 web.front"]),
        ("{network}.d", ["10.1.1.3 back.d", "10.0.1.1 front.d", "10.0.1.2 front.d"]),
        ("{hostname}", []),
    ],
)
def test_each_part(text: str, expected: list[str]) -> None:
    """Replicas share a name, and two services that come to one name have it both not."""
    assert given_by(text, *SHOP) == expected


def test_names_are_in_the_order_of_the_patterns() -> None:
    """A reverse look-up tells the first one."""
    assert given_by("{name} {name}.docker", DB) == ["10.0.0.5 db db.docker"]
    assert given_by("{name}.docker {name}", DB) == ["10.0.0.5 db.docker db"]


def test_a_part_that_a_container_lacks() -> None:
    """Outside Compose there is neither service nor project, and a container of the host's network is on none."""
    hosted = box("hosted", mode=NetworkMode.HOST, hostname="host")
    joined = box("joined", join="db", hostname="other")
    own = box("own", on("front", "10.0.0.6"), hostname="mine")
    text = "{service}.a {project}.b {name}.{network} {hostname}.d"
    assert given_by(text, DB, hosted, joined, own) == [
        "10.0.0.5 db.front",
        "10.0.0.5 joined.front",
        "10.0.0.6 own.front mine.d",
    ]


def test_only_those_of_a_service_that_lack_a_part_are_left_out() -> None:
    """As a replica on the host's network, which is on no network."""
    hosted = box("shop-web-9", mode=NetworkMode.HOST, compose="shop/web", number=9)
    assert given_by("{service}.{network}", *SHOP[:2], hosted) == ["10.0.1.1 web.front", "10.0.1.2 web.front"]


def test_a_network_is_the_one_by_which_the_subscriber_reaches_it() -> None:
    """Not any other one that the container is on; its label may say which."""
    both = box("db", on("back", "10.1.0.5"), on("front", "10.0.0.5"))
    made = store(*EVERY, both, web("{name}.{network}"))
    assert told(made, "web") == ["10.0.0.5 db.front", "10.0.0.2 web.front"]
    assert given_by("{name}.{network}", both) == ["10.1.0.5 db.back"]
    chosen = dataclasses.replace(both, labels={"hostwatch.network": "front"})
    assert given_by("{name}.{network}", chosen) == ["10.0.0.5 db.front"]


@pytest.mark.parametrize("text", ["{name}.{network}", "{hostname}.d", "{service}.{project}"])
def test_a_restart_changes_no_name(text: str) -> None:
    """A container that has ended, or is changing, keeps its names: its line lingers, and is not another one."""
    own = box("db", on("lan", "10.5.0.5"), on("front", "10.0.0.5"), hostname="h", compose="shop/db")
    made = store(*EVERY, net("lan", driver="macvlan"), own, rules=rules(text))
    made.add_host_files(ENGINE, "host")
    (file,) = made.host_files
    names = everything_of(made, made.sharing(file.key).requests[0].query)
    (published,) = outcomes(made, file.key)
    name = published.line.split()[-1]
    for endpoints, state in (((on("lan"), on("front")), STOPPED), ((on("lan"), on("front")), UNKNOWN)):
        made.put(dataclasses.replace(own, endpoints=endpoints, state=state))
        assert [outcome.line for outcome in outcomes(made, file.key)] in ([], [published.line])
        assert names.found(name) is not None


def test_a_container_that_was_never_started_has_no_part() -> None:
    """Only the name that the configuration gives it."""
    created = box("db-1", on("front"), state=STOPPED, claim=Claim.NONE, compose="shop/db", hostname="h")
    made = store(
        *EVERY, created, rules=rules("{name}.d", "{hostname}", "{service}.{project}", services=(service("db"),))
    )
    assert in_file(made) == []
    assert names_made(made) == {"db.d"}


def names_made(made: Store) -> set[str]:
    """All names that the file on the host gives or withholds."""
    found = everything_of(made, made.sharing(made.host_files[0].key).requests[0].query)
    assert found.is_complete(1_000)
    assert found.publisher is not None
    return {name for container in made.containers for name in found.publisher.names.value(container.key)}


def test_what_is_no_host_name_is_left_out() -> None:
    """The result is checked, not the parts: too long, an address, reserved, `self`."""
    long = box("a" * 60, on("front", "10.0.0.5"))
    assert given_by("{name}-more {name}", long) == [f"10.0.0.5 {'a' * 60}"]
    assert given_by("{name}.7", box("10", on("front", "10.0.0.5"))) == []
    assert given_by("{hostname}", box("x", on("front", "10.0.0.5"), hostname="ip6-x")) == []
    assert given_by("se{hostname}", box("x", on("front", "10.0.0.5"), hostname="lf")) == []
    assert given_by("{hostname}", box("x", on("front", "10.0.0.5"), hostname="a\n127.0.0.1 b")) == []
    assert given_by("{service}", box("x", on("front", "10.0.0.5"), compose="shop/a b")) == []


# Whose a name is.


def test_a_name_of_the_configuration_is_its_service_s() -> None:
    """Whatever a pattern would make of another container."""
    chosen = service("mq", ("db.docker",))
    made = store(
        *EVERY, DB, box("mq-1", on("front", "10.0.0.8")), rules=rules("{name}", "{name}.docker", services=(chosen,))
    )
    assert [line for line in in_file(made) if "10.0.0.5" in line] == ["10.0.0.5 db"]
    assert [line for line in in_file(made) if "db.docker" in line.split()] == ["10.0.0.8 db.docker db.docker.docker"]


def test_an_earlier_tier_wins() -> None:
    """No label, and no host name, takes a name away that a container, or the own project's service, has."""
    evil = box("evil", on("front", "10.0.0.9"), labels={"hostwatch.names": "db"}, hostname="db")
    made = store(*EVERY, DB, evil, web("{name}.docker {hostname}.docker"))
    assert told(made, "web") == ["10.0.0.5 db.docker", "10.0.0.9 evil.docker", "10.0.0.2 web.docker"]
    mine, theirs = (
        box(f"{p}-db-1", on("front", f"10.0.0.{n}"), compose=f"{p}/db") for n, p in ((7, "shop"), (8, "blog"))
    )
    made = store(*EVERY, mine, theirs, web("{service}.docker"))
    assert told(made, "web") == ["10.0.0.7 db.docker", "10.0.0.2 web.docker"]


def test_short_names_of_two_projects_are_told_apart_by_a_part() -> None:
    """`{name}` alone is ambiguous; with the project it is not."""
    blog = box("blog-db-1", on("front", "10.0.0.9"), compose="blog/db")
    found = given_by("{name}.x {name}.{project}.x", SHOP[2], blog)
    assert "Refused db.x: claimed by blog-db-1 and shop-db-1" in found
    assert [line.split()[0] for line in found if "db.blog.x" in line.split()] == ["10.0.0.9"]
    assert [line.split()[0] for line in found if "db.shop.x" in line.split()] == ["10.1.1.3"]


def test_two_patterns_that_make_one_name() -> None:
    """Of one service it is one; of two in the same tier it is ambiguous."""
    one = box("a", on("front", "10.0.0.5", aliases=("h",)), hostname="h")
    assert given_by("{name} {hostname}", one) == ["10.0.0.5 a h"]
    other = box("b", on("front", "10.0.0.6"), hostname="h")
    assert given_by("{name} {hostname}", one, other) == ["10.0.0.5 a", "10.0.0.6 b", "Refused h: claimed by a and b"]


def test_an_ended_container_yields() -> None:
    """To a running one of the same name."""
    old = box("old", on("front"), state=STOPPED, claim=Claim.YIELDING, hostname="h")
    new = box("new", on("front", "10.0.0.6"), hostname="h")
    assert given_by("{hostname}", old, new) == ["10.0.0.6 h"]


# Names with a dot, in a file on the host.


@pytest.mark.parametrize(
    ("text", "container", "expected"),
    [
        ("{name}.docker", box("a.b", on("front", "10.0.0.5")), ["10.0.0.5 a.b.docker"]),
        ("{name}", box("a.b", on("front", "10.0.0.5")), [f"Refused a.b: {REFUSED}"]),
        ("{name} {name}.b", box("a.b", on("front", "10.0.0.5")), ["10.0.0.5 a.b a.b.b"]),
        ("{hostname}", box("x", on("front", "10.0.0.5"), hostname="github.com"), [f"Refused github.com: {REFUSED}"]),
        ("{hostname}.docker", box("x", on("front", "10.0.0.5"), hostname="a.b"), ["10.0.0.5 a.b.docker"]),
        ("{hostname}", box("x", on("front", "10.0.0.5"), hostname="plain"), ["10.0.0.5 plain"]),
        ("{service}.{project}", box("x", on("front", "10.0.0.5"), compose="com/git"), ["10.0.0.5 git.com"]),
        ("{service}", box("x", on("front", "10.0.0.5"), compose="p/a.com"), [f"Refused a.com: {REFUSED}"]),
        ("{project}", box("x", on("front", "10.0.0.5"), compose="a.com/p"), [f"Refused a.com: {REFUSED}"]),
        ("{name}.{network}", box("x", on("a.com", "10.0.0.5")), [f"Refused x.a.com: {REFUSED}"]),
        ("{name}-{hostname}", box("a.b", on("front", "10.0.0.5"), hostname="c"), [f"Refused a.b-c: {REFUSED}"]),
    ],
)
def test_a_dotted_part_in_a_file_on_the_host(text: str, container: Container, expected: list[str]) -> None:
    """It is refused, unless the name falls below a suffix that the operator gave."""
    made = store(*EVERY, net("a.com", "10.0.0.0/16"), container, rules=rules(*text.split()))
    assert in_file(made) == expected


def test_a_suffix_of_a_configured_service_allows_a_dotted_part() -> None:
    """As it does without patterns."""
    made = store(
        *EVERY,
        box("x", on("front", "10.0.0.5"), hostname="y.internal"),
        rules=rules("{hostname}", services=(service("mysql", ("mysql.internal",)),)),
    )
    assert in_file(made) == ["10.0.0.5 y.internal"]


def test_a_container_may_have_any_name() -> None:
    """Its file is its own, so it may hold names with dots."""
    made = store(*EVERY, box("x", on("front", "10.0.0.5"), hostname="github.com"), web("{hostname}"))
    assert told(made, "web") == ["10.0.0.5 github.com"]


# The same as without patterns.

TWO = Rules(
    services=RULES.services,
    subscribers=(
        SubscriberRule("plain", Path("/plain"), Subscription(everything=True)),
        SubscriberRule("same", Path("/same"), Subscription(everything=True, publish_as=patterns("{name}"))),
        SubscriberRule("more", Path("/more"), Subscription(everything=True, publish_as=patterns("{name}.docker"))),
        subscriber("a", Subscription(lines("@{x.ip} x"), everything=True, publish_as=patterns("{name}", "{name}.d"))),
    ),
    advertise=RULES.advertise,
)


def by_path(made: Store, path: str) -> ContainerKey:
    """The key of a file on the host."""
    return next(file.key for file in made.host_files if str(file.host_file) == path)


def addresses(found: tuple[Outcome, ...]) -> set[tuple[str, str]]:
    """Each published name with its address."""
    records = (record for outcome in found if isinstance(outcome, Published) for record in outcome.records)
    return {(str(record.address), name) for record in records for name in record.names}


@often
@given(histories)
def test_the_name_alone_is_what_is_published_without_patterns(history: list[Step]) -> None:
    """After each step. With a suffix they are the same names below that, of the same addresses."""
    made = Store(TWO)
    made.add_host_files(ENGINE, "host")
    for method, arguments in history:
        if method is not Store.adopt:
            method(made, *arguments)
        plain, same, more = (outcomes(made, by_path(made, path)) for path in ("/plain", "/same", "/more"))
        assert plain == same
        assert addresses(more) == {(address, f"{name}.docker") for address, name in addresses(plain)}


def test_subscribers_in_one_context_share_their_lines() -> None:
    """Those with the same patterns; others have lines of their own."""
    first, second, other = web("{name}.docker"), web("{name}.docker"), web("{name}.d")
    boxes = [
        dataclasses.replace(each, key=key(f"web{n}"), name=f"web{n}") for n, each in enumerate((first, second, other))
    ]
    made = store(*EVERY, *boxes)
    found = [everything_of(made, made.sharing(each.key).requests[0].query) for each in boxes]
    assert found[0] is found[1]
    assert found[0] is not found[2]


def test_one_change_among_many_is_taken_in_by_a_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change costs what has changed, not the number of names."""
    many = [box(f"c{n}", on("front", f"10.0.{n // 250}.{n % 250 + 1}")) for n in range(500)]
    made = store(*EVERY, *many, web(" ".join(["{name}", "{name}.docker", "{name}.{network}"])))
    query = made.sharing(key("web")).requests[0].query
    assert not everything_of(made, query).is_complete(500)
    while not everything_of(made, query).is_complete(500):
        pass
    looked_up = []
    answered = Resolver.service

    def counted(self: Resolver, name: str) -> Answer:
        looked_up.append(name)
        return answered(self, name)

    monkeypatch.setattr(Resolver, "service", counted)
    made.put(box("c7", on("front", "10.0.9.9")))
    rounds = 0
    while not everything_of(made, query).is_complete(30):
        rounds += 1
    assert rounds <= 3
    assert 0 < len(looked_up) < 20
    assert "10.0.9.9 c7 c7.docker c7.front" in told(made, "web")


def test_names_that_nobody_asks_for_are_forgotten() -> None:
    """All at once, without a search for what refers to itself."""
    made = store(*EVERY, DB, web("{name}.docker {service}"))
    everything = everything_of(made, made.sharing(key("web")).requests[0].query)
    assert "10.0.0.5 db.docker" in told(made, "web")
    forgotten, publisher = weakref.ref(everything), weakref.ref(everything.publisher)
    del everything
    made.results.clear()
    assert (forgotten(), publisher()) == (None, None)


# By label.


def test_labels() -> None:
    """`hostwatch.publish_as` with `*`, with commas or without."""
    made = store(*EVERY, DB, web("{name}.docker, {name}"))
    assert told(made, "web") == ["10.0.0.5 db.docker db", "10.0.0.2 web.docker web"]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (
            {"services": "db", "publish_as": "{name}.d"},
            "it is for `hostwatch.services: *`; a service that is asked for",
        ),
        ({"publish_as": "{name}.d"}, "it is for `hostwatch.services: *`; a service that is asked for by its name has"),
        ({"services": "*", "publish_as": "{nam}.d"}, "'{nam}': unknown part; did you mean {name}?"),
        (
            {"services": "*", "publish_as": "{name}.d .docker"},
            "'.docker': a pattern has a part that differs by container",
        ),
        (
            {"services": "*", "publish_as": "{network}"},
            "'{network}': this makes one name of all containers of a network",
        ),
        ({"services": "*", "publish_as": "{name}" * 99_999}, "longer than 65536 characters"),
        (
            {"services": "*", "publish_as": " ".join(f"{{name}}.d{n}" for n in range(MOST_PATTERNS + 1))},
            f"more than {MOST_PATTERNS} patterns",
        ),
        ({"services": "*", "publish_as": "{name}.d\u202e"}, "'{name}.d\\u202e': not a host name"),
    ],
)
def test_a_bad_label_counts_for_nothing(labels: dict[str, str], reason: str) -> None:
    """It is one fault in one printable line, and the other labels count."""
    made = store(
        *EVERY, DB, box("web", on("front", "10.0.0.2"), labels={f"hostwatch.{k}": v for k, v in labels.items()})
    )
    (fault,) = made.roles(key("web")).faults
    assert fault.label == "hostwatch.publish_as"
    assert fault.reason.startswith(reason)
    assert fault.reason.isprintable()
    assert len(fault.reason) < 400
    plain = {"db": ["10.0.0.5 db"], "*": ["10.0.0.5 db", "10.0.0.2 web"]}
    assert told(made, "web") == plain.get(labels.get("services", ""), [])
