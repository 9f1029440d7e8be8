"""The explanation of each line: it says what the desired block says, and each step of the decision."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from hostwatch.core.block.hostsfile import rewritten
from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import Container, ContainerKey, Endpoint, FileKind, Health, NetworkMode
from hostwatch.core.resolve.bearers import Bearers
from hostwatch.core.resolve.explained import Explained, Explanation
from hostwatch.core.resolve.linger import Desired
from hostwatch.core.resolve.outcome import Memory
from hostwatch.core.rules import Places, Rules, SubscriberRule, Subscription
from hostwatch.core.store.store import Store
from tests.core.build import (
    ENGINE,
    STOPPED,
    UNKNOWN,
    box,
    desired_block,
    hosts,
    key,
    net,
    on,
    patterns,
    service,
    store,
    subscriber,
)
from tests.core.histories import Step, histories, often, watched


def explained(
    made: Store, file: ContainerKey, desired: Desired, standing: Block, kind: FileKind = FileKind.HOSTS
) -> list[Explained]:
    """The explanations of all lines of a file."""
    bearers = Bearers(made)
    for container in made.containers:
        bearers.take_in(container)
    explanation = Explanation(made, (file, kind), desired, standing, bearers)
    assert not any(explanation.prepare())
    return [*filter(None, explanation.lines((), lambda _last: "later"))]


def said(found: list[Explained]) -> tuple[list[Record], set[Withheld]]:
    """The records and the withheld lines that are explained."""
    records = [record for line in found for record, _ in line.records]
    withheld = {Withheld(line.line, line.reason or "") for line in found if line.state == "withheld" and line.reason}
    return records, withheld


def taken(line: Explained) -> list[str]:
    """The candidates that were taken, as the steps say."""
    names, candidate = [], ""
    for step in line.steps:
        if step.kind == "candidate":
            candidate = step.text.partition(": ")[0]
        elif step.kind == "taken":
            names.append(candidate)
    return names


@often
@given(histories)
def test_what_is_explained_is_what_is_planned(history: list[Step]) -> None:
    """After each step: the same records, the same withheld lines, and each record's container was taken."""
    made = watched()
    memories: dict[ContainerKey, Memory] = {}
    for now, (method, arguments) in enumerate(history):
        method(made, *arguments)
        for file in made.subscriber_files:
            memory = memories.get(file, {})
            desired = desired_block(made, file, memory, float(now), 2.0)
            found = explained(made, file, desired, desired.block)
            records, withheld = said(found)
            assert sorted(map(str, records)) == sorted(map(str, desired.block.records))
            assert withheld == set(desired.block.withheld)
            for line in found:
                assert line.state in ("published", "lingers", "unknown", "withheld")
                if line.state == "published" and any(origin.source for _, origin in line.records):
                    assert {origin.origin.service_container for _, origin in line.records} <= {*taken(line), ""}
            memories[file] = desired.memory


@often
@given(histories)
def test_what_the_file_itself_binds_is_explained_too(history: list[Step]) -> None:
    """What is explained is what stands in a file with foreign lines, its withheld lines included."""
    made = watched()
    for method, arguments in history:
        method(made, *arguments)
    for file in made.subscriber_files:
        desired = desired_block(made, file, {}, 0.0, 2.0)
        standing = rewritten(b"10.9.9.9 db x\n10.0.0.1 a web\n", desired.block, ("me",)).block
        found = explained(made, file, desired, standing)
        records, _ = said(found)
        assert sorted(map(str, records)) == sorted(map(str, standing.records))
        left_out = {each.line for each in standing.withheld} - {each.line for each in desired.block.withheld}
        shadows = {step.text for line in found for step in line.steps if step.kind == "shadowed"}
        assert all(any(each in text for text in shadows) for each in left_out)


# Each situation.

FRONT = on("front", "10.0.0.5")
BACK = on("back", "10.7.0.5")
TOLD_AS_LABEL = {"hostwatch.names": "db"}
ONE_OFF = {"com.docker.compose.oneoff": "True"}
UNHEALTHY = {"hostwatch.health": "required"}


def web(line: str = "@{db.ip} db", **labels: str) -> Container:
    """The subscriber, on two networks and in a project."""
    return box("web", on("front", "10.0.0.2"), on("lan", "10.5.0.2"), compose="shop/web", labels=hosts(line, **labels))


def steps_of(made: Store, foreign: bytes = b"", before: Store | None = None, now: float = 1.0) -> list[str]:
    """The steps of the only line of the subscriber, each with its kind."""
    owner = key("web")
    memory = desired_block(before, owner, {}, 0.0, 2.0).memory if before is not None else {}
    desired = desired_block(made, owner, memory, now, 2.0)
    standing = rewritten(foreign, desired.block).block
    (line,) = explained(made, owner, desired, standing)
    return [f"{step.kind}: {step.text}" for step in line.steps]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (
            [box("db", FRONT)],
            ["tier: containers in reach by their own names: db; this is", "taken: 10.0.0.5 on front, w"],
        ),
        ([box("x", FRONT, compose="shop/db")], ["tier: compose services of the project shop: x; this is the one"]),
        ([box("x", on("front", "10.0.0.5", aliases=("db",)))], ["tier: aliases on the subscriber's networks: x; this"]),
        ([box("x", FRONT, labels=TOLD_AS_LABEL)], ["tier: labels hostwatch.names of containers in reach: x; this is"]),
        ([box("db", FRONT, on("lan", "10.5.0.5"))], ["taken: 10.0.0.5 on front; both are on front and lan: user-def"]),
        (
            [box("db", FRONT, labels={"hostwatch.network": "front"})],
            ["taken: 10.0.0.5 on front, as only its addresses"],
        ),
        (
            [box("db", mode=NetworkMode.HOST)],
            ["candidate: db: running; the host's network", "taken: 10.0.0.1, the addr"],
        ),
        ([box("net", FRONT), box("db", join="net")], ["candidate: db: running, on the network of net; 10.0.0.5 on f"]),
        ([box("db", FRONT, state=STOPPED)], ["candidate: db: not running;", "passed: passed over: db is not running"]),
        ([box("db", FRONT, health=Health.STARTING, labels=UNHEALTHY)], ["passed: passed over: db is starting"]),
        ([box("db", on("far", "10.7.0.5"))], ["passed: db has the name and is not meant: no shared network with db"]),
        ([box("x", FRONT, compose="mine/db")], ["passed: x has the name and is not meant: it is this service of the "]),
        (
            [box("x", FRONT, compose="shop/db", labels=ONE_OFF)],
            ["passed: x has the name and is not meant: it is a con"],
        ),
        (
            [box("x", on("far", "10.7.0.5", aliases=("db",)))],
            ["passed: x has the name and is not meant: it has this al"],
        ),
        (
            [box("db", FRONT, labels={"hostwatch.enable": "no"})],
            ["passed: db has the name and is not meant: its label"],
        ),
        (
            [box("db", FRONT), box("x", FRONT, labels=TOLD_AS_LABEL)],
            ["passed: x has the name and is not meant: an earli"],
        ),
        ([box("x", FRONT, labels=TOLD_AS_LABEL), box("y", FRONT, labels=TOLD_AS_LABEL)], ["claimed by x and y, which"]),
    ],
)
def test_who_was_taken_and_who_was_passed_over(others: list[Container], expected: list[str]) -> None:
    """In every tier, with the network, or with the reason."""
    found = steps_of(store(web(), *others, net("front", "10.0.0.0/24", gateways=("10.0.0.1",))))
    assert found[0] == "asked: label hostwatch.hosts of web asks for @{db.ip} db"
    assert found[1] == "name: db is looked up from the networks front and lan, in the compose project shop"
    for part in expected:
        assert any(part in step for step in found), "\n".join(found)


def test_a_service_of_the_configuration_comes_first() -> None:
    """Even without a container; nobody else is asked."""
    rules = Rules(services=(service("db"),))
    found = steps_of(store(web(), box("db", FRONT), rules=rules))
    assert (
        "tier: services of the configuration: the service db, which no container matches; this is the one" in found[2]
    )
    assert [step for step in found if step.startswith("tier: ")] == [found[2]]
    assert (
        "passed: db has the name and is not meant: an earlier tier has answered (config comes before container)"
        in found
    )
    assert found[-1] == "would_change: a container that matches the service db of the configuration"


@pytest.mark.parametrize(
    ("others", "remedy"),
    [
        (
            [],
            "a service db in the compose project shop, a container called db, `hostwatch.names: db` on one, the alias",
        ),
        ([box("db", FRONT, state=STOPPED)], "start db, or make it anew"),
        ([box("db", state=STOPPED)], "start db"),
        ([box("db", on("far", "10.7.0.5"))], "connect db and the subscriber to one network"),
        ([box("db", FRONT, health=Health.STARTING, labels=UNHEALTHY)], "db becomes healthy, or its `health: required`"),
        ([box("x", FRONT, labels=TOLD_AS_LABEL), box("y", FRONT, labels=TOLD_AS_LABEL)], "an entry under `services`"),
        ([box("dbb", FRONT)], "write dbb in the place of db (label hostwatch.hosts of web), if that is meant"),
        ([box("db")], "connect db and the subscriber to one network"),
        ([box("db", state=UNKNOWN, mode=None)], "it is decided once the engine has told what is not known yet"),
    ],
)
def test_what_would_change_it_is_said(others: list[Container], remedy: str) -> None:
    """For each reason why a line is withheld."""
    found = steps_of(store(web(), *others))
    assert [step for step in found if step.startswith(f"would_change: {remedy}")], "\n".join(found)


@pytest.mark.parametrize(
    ("networks", "reason", "joins"),
    [((FRONT,), "{} is not on network back", "{}"), ((FRONT, BACK), "no shared network with {}", "the subscriber")],
)
def test_a_network_of_the_service_s_own_choice_is_the_one_to_connect_to(
    networks: tuple[Endpoint, ...], reason: str, joins: str
) -> None:
    """Another network in common would change nothing."""
    rules = Rules(services=(replace(service("db", network="back"), network_place="hostwatch.yaml:8"),))
    labelled = box("db", *networks, labels={"hostwatch.network": "back"})
    for made, name, choice in (
        (store(web(), box("db-1", *networks), rules=rules), "db-1", "`network:` of the service db (hostwatch.yaml:8)"),
        (store(web(), labelled), "db", "the label `hostwatch.network` of db"),
    ):
        found = steps_of(made)
        assert any(reason.format(name) in step for step in found), "\n".join(found)
        assert found[-1] == f"would_change: connect {joins.format(name)} to back, or change {choice}"


def test_time_and_others_are_explained() -> None:
    """A line that lingers, an address that another container has, a foreign line with the name, a literal one, self."""
    before = store(web(), box("db", FRONT))
    found = steps_of(store(web(), box("db", state=STOPPED)), before=before)
    assert "lingers: db: no running container: 10.0.0.5 db lingers until later, in case it comes back" in found
    found = steps_of(store(web(), box("evil", FRONT)), before=before)
    assert "lost: its last address 10.0.0.5 belongs to evil now" in found
    found = steps_of(before, b"10.9.9.9 db\n")
    assert "shadowed: withheld: 10.0.0.5 db (db: shadowed by 10.9.9.9 in the file)" in found
    assert "would_change: take that name out of the file's own lines" in found[-1]
    assert "name: its address is literal, so nothing is looked up" in steps_of(store(web("192.0.2.1 x")))
    assert "taken: taken: 10.0.0.2 on front" in steps_of(store(web("@{self.ip} me")))


def test_a_file_on_the_host_and_every_name_are_explained() -> None:
    """The first sees everything; a line of `*` has the place of the star."""
    target, everything = Path("/etc/hosts"), Subscription(everything=True)
    made = store(
        box("x", FRONT, compose="shop/db"),
        net("front"),
        rules=Rules(subscribers=(SubscriberRule("host", target, everything),)),
    )
    made.add_host_files(ENGINE, "host")
    (file,) = made.subscriber_files
    desired = desired_block(made, file, {}, 0.0, 2.0)
    (line,) = explained(made, file, desired, desired.block)
    assert line.asked_by == "label hostwatch.services of host"
    assert line.state == "published"
    told = [step.text for step in line.steps]
    assert "db is looked up from a file on the host, which sees all projects and networks" in told
    assert "taken: 10.0.0.5 on front, the first network that the host reaches" in told


def test_a_name_that_an_earlier_line_gives_is_explained() -> None:
    """With that line."""
    made = store(
        box("web", FRONT, labels=hosts("@{a.ip} b", services="b")),
        box("a", on("front", "10.0.0.6")),
        box("b", on("front", "10.0.0.7")),
    )
    desired = desired_block(made, key("web"), {}, 0.0, 2.0)
    _, second = explained(made, key("web"), desired, desired.block)
    assert second.reason == "b: already given to another address"
    assert "b is given by an earlier line: @{a.ip} b" in [step.text for step in second.steps]


def test_a_line_that_lingers_with_the_names_of_another_one_lingers() -> None:
    """It has no record of its own in the block, as the earlier line has them all."""
    asks = web("@{db.ip} db\n@{db.ip} db data")
    before = desired_block(store(asks, box("db", FRONT)), key("web"), {}, 0.0, 2.0)
    made = store(web("@{db.ip} db data\n@{db.ip} db"))
    desired = desired_block(made, key("web"), before.memory, 1.0, 2.0)
    found = explained(made, key("web"), desired, desired.block)
    assert [line.state for line in found] == ["lingers", "lingers"]
    assert said(found)[1] == set(desired.block.withheld) == set()
    assert "an earlier line gives the same names the same addresses" in [step.text for step in found[1].steps]


# Names that patterns make.


def made_steps(name: str, *others: Container, texts: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The steps of the line with a name in a file on the host, with their kinds; and the patterns alone."""
    places = Places((), ("h.yaml:4",), tuple(f"h.yaml:{number}" for number, _ in enumerate(texts, 5)))
    subscription = Subscription(everything=True, publish_as=patterns(*texts), places=places)
    made = store(net("front"), *others, rules=Rules(subscribers=(SubscriberRule("f", Path("/f"), subscription),)))
    made.add_host_files(ENGINE, "host")
    file = made.host_files[0].key
    desired = desired_block(made, file, {}, 0.0, 2.0)
    (line,) = (line for line in explained(made, file, desired, desired.block) if name in line.line.split())
    assert line.asked_by == "h.yaml:4"
    steps = [f"{step.kind}: {step.text}" for step in line.steps]
    return steps, [step.text for step in line.steps if step.kind == "pattern"]


def test_a_name_with_a_suffix_is_explained_by_the_name() -> None:
    """What it is made of, where that is written, and then the look-up of the name itself."""
    steps, made = made_steps("db.docker", box("db", FRONT), texts=("{name}", "{name}.docker"))
    assert made == ["db.docker is {name}.docker (h.yaml:6) of db, where {name} is db"]
    assert "name: db is looked up from a file on the host, which sees all projects and networks" in steps
    assert "tier: containers in reach by their own names: db; this is the one that counts" in steps
    assert steps[-1] == "published: it gives 10.0.0.5 db db.docker"


def test_a_name_of_other_parts_is_explained_by_them() -> None:
    """All replicas that have them."""
    replicas = [box(f"db-{n}", on("front", f"10.0.0.{n}"), compose="shop/db", number=n) for n in (1, 2)]
    steps, made = made_steps("db.shop.d", *replicas, texts=("{service}.{project}.d",))
    assert made == [
        "db.shop.d is {service}.{project}.d (h.yaml:5) of db-1, db-2, where {service} is db, {project} is shop"
    ]
    assert [step for step in steps if step.startswith("taken")] == [
        f"taken: taken: 10.0.0.{n} on front, the first network that the host reaches" for n in (1, 2)
    ]


def test_two_services_that_come_to_one_name_are_explained() -> None:
    """With all who claim it, and what would decide."""
    boxes = [box(name, on("front", f"10.0.0.{n}"), hostname="h") for n, name in ((1, "a"), (2, "b"))]
    steps, made = made_steps("h.d", *boxes, texts=("{hostname}.d",))
    assert made == ["h.d is {hostname}.d (h.yaml:5) of a, b, where {hostname} is h"]
    assert "tier: h.d: claimed by a and b, which are several services, so that it means none of them" in steps
    assert steps[-1] == "would_change: an entry under `services` of the configuration, called h.d, decides who is meant"


def test_a_refused_name_is_explained() -> None:
    """By what it is made of."""
    evil = box("x", on("front", "10.0.0.1"), hostname="github.com")
    steps, made = made_steps("github.com", evil, texts=("{hostname}",))
    assert made == ["github.com is {hostname} (h.yaml:5) of x, where {hostname} is github.com"]
    assert steps[-1].startswith("withheld: withheld: github.com: a container chose this name, and it may be that of")


@pytest.mark.parametrize(
    ("text", "told", "remedy"),
    [
        (
            "{name}.d",
            "name: db is looked up from the network front",
            "a container called db, `hostwatch.names: db`",
        ),
        ("{service}.{project}.d", "asked: label hostwatch.services of web asks for @{db.shop.d.ip} db.shop.d", None),
    ],
)
def test_a_lingering_name_is_explained(text: str, told: str, remedy: str | None) -> None:
    """Nothing makes it any more; what `{name}` stood for tells what is missing."""
    web = box("web", on("front", "10.0.0.2"), labels={"hostwatch.services": "*", "hostwatch.publish_as": text})
    made = store(net("front"), web, box("db", FRONT, compose="shop/db"))
    memory = desired_block(made, key("web"), {}, 0.0, 2.0).memory
    made.drop(key("db"))
    made.yield_names(key("db"))
    desired = desired_block(made, key("web"), memory, 1.0, 2.0)
    found = explained(made, key("web"), desired, desired.block)
    (line,) = (line for line in found if line.state == "lingers" and line.line.startswith("@{db"))
    steps = [f"{step.kind}: {step.text}" for step in line.steps]
    assert any(step.startswith(told) for step in steps)
    changes = [step.removeprefix("would_change: ") for step in steps if step.startswith("would_change: ")]
    assert [change.startswith(remedy or "") for change in changes] == [True] * (remedy is not None)


def test_each_of_two_subscriptions_explains_its_own_names() -> None:
    """A container that gets every name by the configuration, and again with a suffix by its label."""
    web = box("web", on("front", "10.0.0.2"), labels={"hostwatch.services": "*", "hostwatch.publish_as": "{name}.d"})
    rules = Rules(subscribers=(subscriber("web", Subscription(everything=True)),))
    made = store(net("front"), web, box("db", FRONT), rules=rules)
    desired = desired_block(made, key("web"), {}, 0.0, 2.0)
    found = explained(made, key("web"), desired, desired.block)
    made_of = {line.line: [step.text for step in line.steps if step.kind == "pattern"] for line in found}
    assert made_of["@{db.ip} db"] == []
    place = "label hostwatch.publish_as of web"
    assert made_of["@{db.d.ip} db.d"] == [f"db.d is {{name}}.d ({place}) of db, where {{name}} is db"]
