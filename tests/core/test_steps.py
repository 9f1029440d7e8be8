"""Thousands of containers: no step of the event loop does work for each of them."""

from functools import partial

import pytest

from hostwatch.control.reconcile.plan import STEPS
from hostwatch.core.model import NetworkMode
from hostwatch.core.resolve.everything import everything_of
from hostwatch.core.rules import Match, Rules, SubscriberRule, Subscription
from hostwatch.core.store.adoption import Adoption
from hostwatch.core.store.store import Store
from tests.core.build import box, hosts, key, net, on, store, told
from tests.effort import calls

MANY = 1_000
STEP = 3_000
"""The most functions that one step calls: a millisecond or two."""


@pytest.fixture
def crowd() -> Store:
    """Many containers on one network that request a name, and one in host mode that requests all of their names."""
    everyone = (
        box(f"s{number}", on("front", f"10.0.{number // 200}.{number % 200 + 2}"), labels=hosts("@{s1.ip} s1"))
        for number in range(MANY)
    )
    reader = box("reader", mode=NetworkMode.HOST, labels={"hostwatch.services": "*"})
    return store(net("front", "10.0.0.0/16", gateways=("10.0.255.1",)), *everyone, reader)


@pytest.mark.slow
def test_a_network_with_many_members_changes(crowd: Store) -> None:
    """The lines that depend on it are looked at again some at a time, and are all right in the end."""
    query = crowd.sharing(key("reader")).requests[0].query
    assert len(told(crowd, "reader")) == 1 + MANY
    done = list[bool]()

    assert calls(partial(crowd.put_network, net("front", "10.0.0.0/16", driver="overlay"))) < STEP
    while not (done and done[-1]):
        assert calls(lambda: done.append(everything_of(crowd, query).is_complete(STEPS))) < 2 * STEP
    assert len(done) > MANY / STEPS
    assert [line for line in told(crowd, "reader") if "10.0." in line] == []


def advance(ready: Adoption, advanced: list[bool]) -> None:
    """Make new rules ready for one more container; note whether any is left."""
    advanced.append(ready.advance())


def test_new_rules_that_concern_all(crowd: Store) -> None:
    """They are made ready some containers at a time, and then exchanged at once."""
    rules = Rules(subscribers=(SubscriberRule("all", Match(name=("*",)), Subscription(services=("s2",))),))
    for new, is_there in ((rules, True), (crowd.rules, False)):
        ready, advanced = crowd.adoption(new), [True]
        while advanced[-1]:
            assert calls(partial(advance, ready, advanced)) < STEP / 5
        assert len(advanced) > MANY
        assert calls(partial(crowd.adopt, ready)) < STEP
        assert ("10.0.0.4 s2" in told(crowd, "s7")) is is_there
