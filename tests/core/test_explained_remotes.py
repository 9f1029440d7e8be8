"""The explanation of names of other hosts: who tells them, which tiers are told of, and what would change a line."""

from dataclasses import replace

import pytest

from hostwatch.core.model import FileKind, NetworkId
from hostwatch.core.remote import RemoteEndpoint, config_group
from hostwatch.core.resolve.bearers import Bearers
from hostwatch.core.resolve.explained import Explanation
from hostwatch.core.resolve.outcome import Published
from hostwatch.core.rules import Match, Rules, ServiceRule
from hostwatch.core.store.store import Store
from tests.core.build import box, desired_block, key, on, only, service, store
from tests.core.test_remotes import DB, MESH, elsewhere, put, web

ROUTED = elsewhere("db", "10.9.0.9", host="host-b")
KEPT = replace(ROUTED, is_kept=True)
OTHERS = "other hosts on the subscriber's overlay networks"


def steps(made: Store, *remotes: RemoteEndpoint, asks: tuple[str, ...] = ()) -> list[str]:
    """The steps of the only line of the subscriber, each with its kind; `asks`: the sources that are asked."""
    put(made, *remotes)
    for source in asks:
        made.remotes.await_source(source, is_awaited=True)
        made.remotes.await_source(source, is_awaited=False)
    bearers = Bearers(made)
    for container in made.everywhere:
        bearers.take_in(container)
    desired = desired_block(made, key("web"), {}, 0.0, 2.0)
    explanation = Explanation(made, (key("web"), FileKind.HOSTS), desired, desired.block, bearers)
    assert not any(explanation.prepare())
    (line,) = filter(None, explanation.lines((), lambda _last: None))
    return [f"{step.kind}: {step.text}" for step in line.steps]


@pytest.mark.parametrize(
    ("remote", "candidate", "taken"),
    [
        (
            replace(DB, host="host-b"),
            "candidate: db: on host-b, as the overlay network mesh tells it; 10.0.0.9",
            "taken: taken: 10.0.0.9 on mesh, where both are",
        ),
        (
            ROUTED,
            "candidate: db: on host-b, as the store of `cluster` tells it; 10.9.0.9",
            "taken: taken: 10.9.0.9, to which this host has to have a route",
        ),
        (
            KEPT,
            "candidate: db: on host-b, as the store of `cluster` last told it; 10.9.0.9",
            "taken: taken: 10.9.0.9, to which this host has to have a route",
        ),
    ],
)
def test_an_address_is_told_with_its_host_and_its_source(remote: RemoteEndpoint, candidate: str, taken: str) -> None:
    found = steps(store(MESH, web("@{db.ip} db")), remote)
    assert candidate in found
    assert taken in found


def test_a_catalog_is_named() -> None:
    rules = Rules(services=(ServiceRule("db", Match(), ("db",), is_from_catalog=True),))
    found = steps(store(web("@{db.ip} db"), rules=rules), elsewhere("db-1", "10.9.0.9", group="catalog:db", host=""))
    assert "candidate: db-1: as the catalog of the service db tells it; 10.9.0.9" in found


def test_a_catalog_that_never_answered_has_told_nothing() -> None:
    """It is not said to have no instance before it has said so."""
    rules = Rules(services=(ServiceRule("db", Match(), ("db",), is_from_catalog=True),))
    made = store(web("@{db.ip} db"), rules=rules)
    made.remotes.await_source("catalog:db", is_awaited=True)
    assert any("of which its catalog has told nothing yet" in step for step in steps(made))
    made.remotes.await_source("catalog:db", is_awaited=False)
    assert any("of which its catalog has no instance" in step for step in steps(made))


def test_one_host_alone_is_told_nothing_of_others() -> None:
    assert not [step for step in steps(store(MESH, web("@{db.ip} db"))) if "other host" in step]


@pytest.mark.parametrize(
    ("source", "place", "remedy"),
    [
        ("overlay:mesh", OTHERS, "a service or container db of another host"),
        ("overlay:other", None, None),
        ("cluster", "names that other hosts publish", "db under `cluster.publish` of the host that has it"),
    ],
)
def test_tiers_that_could_answer_are_told(source: str, place: str | None, remedy: str | None) -> None:
    """With what would make the name appear."""
    found = steps(store(MESH, web("@{db.ip} db")), asks=(source,))
    assert [step for step in found if "other host" in step and step.startswith("tier")] == (
        [f"tier: {place}: none is called db"] if place is not None else []
    )
    assert (remedy or "another host") in found[-1] or remedy is None


def test_another_one_of_that_name_is_told() -> None:
    """This host's own comes first; one on another network is out of reach."""
    found = steps(store(MESH, web("@{db.ip} db"), box("db", on("mesh", "10.0.0.3"))), ROUTED)
    assert (
        "passed: db has the name and is not meant: an earlier tier has answered (container comes before cluster)"
        in (found)
    )
    found = steps(store(MESH, web("@{db.ip} db")), replace(DB, network=NetworkId("id-x"), network_name="x"))
    assert "passed: db has the name and is not meant: it is on x alone, where the subscriber is not" in found


def test_replicas_that_do_not_count_are_told() -> None:
    rules = Rules(services=(service("db"),))
    own = box("db-1", on("mesh", "10.0.0.3"))
    found = steps(
        store(MESH, web("@{db.ip} db"), own, rules=rules), replace(ROUTED, name="db-2", group=config_group("db"))
    )
    assert (
        "passed: db-2 has the name and is not meant: containers of this host come first, as the service has no"
        " `prefer: any`" in found
    )


def test_a_refused_address_has_a_remedy() -> None:
    found = steps(store(web("@{db.ip} db")), elsewhere("db", "127.0.0.1"))
    assert found[-1].startswith("would_change: an address of db on b that this host has a route to")


def test_what_is_not_known_yet_has_a_remedy() -> None:
    made = store(MESH, web("@{db.ip} db"))
    made.remotes.await_source("cluster", is_awaited=True)
    assert "tier: names that other hosts publish: not known yet" in steps(made)
    assert [
        step for step in steps(made) if step.startswith("would_change: it is decided once other hosts have answered")
    ]


def test_the_host_goes_with_the_record() -> None:
    """So that nobody has to look it up later."""
    made = store(MESH, web("@{db.ip} db"))
    put(made, ROUTED)
    found = only(made, "web")
    assert isinstance(found, Published)
    assert found.origins[0].remote == ROUTED


def test_its_host_name_is_its_name() -> None:
    """Not the beginning of a key."""
    made = store(MESH, web("@{db.ip} @{db.hostname}.far"))
    put(made, ROUTED)
    found = only(made, "web")
    assert isinstance(found, Published)
    assert found.records[0].names == ("db.far",)
