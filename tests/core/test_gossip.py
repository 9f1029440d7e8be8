"""What stays of a node that a swarm's gossip tells nothing of any more."""

import ipaddress
import math
from typing import Any

import pytest

from hostwatch.core.gossip import SILENT_SECONDS, Gossip, Silences, kept
from hostwatch.core.remote import RemoteEndpoint

A, B, C = "10.250.0.1", "10.250.0.2", "10.250.0.3"


def there(name: str, address: str, host: str = B, **more: Any) -> RemoteEndpoint:
    """An endpoint of another node."""
    return RemoteEndpoint(name, name, host, (name,), ipv4=ipaddress.IPv4Address(address), **more)


def of_service(name: str, address: str, number: str, host: str = B) -> RemoteEndpoint:
    """A task, or with an empty host the virtual address, of the service `web`."""
    return there(name, address, host, group="swarm:web", service="web", number=number)


def told(*endpoints: RemoteEndpoint, local: str = "10.0.1.2") -> Gossip:
    """An answer."""
    found = {endpoint.id: endpoint for endpoint in endpoints}
    return Gossip(True, found, frozenset(), frozenset({A}), frozenset({ipaddress.ip_address(local)}))


def names(missing: list[RemoteEndpoint], gossip: Gossip, silences: Silences, now: float = 0.0) -> list[str]:
    """The names of what stays."""
    found = kept(missing, gossip, silences, now)
    assert all(endpoint.is_kept for endpoint in found)
    return [endpoint.name for endpoint in found]


def silent(*hosts: str, is_alone: bool = True) -> Silences:
    """Nodes that fell silent at 0."""
    silences = Silences()
    silences.look(hosts, frozenset({A} if is_alone else {A, C}), is_alone=is_alone, now=0.0)
    return silences


DB = there("db", "10.0.1.9")


def test_what_a_node_that_is_heard_does_not_tell_is_gone() -> None:
    silences = Silences()
    silences.look([B], frozenset({A, B}), is_alone=False, now=0.0)
    assert (names([DB], told(), silences), silences.away) == ([], [])


def test_on_a_node_that_is_cut_off_all_stays() -> None:
    silences = silent(B)
    assert names([DB], told(), silences, now=1e9) == ["db"]
    assert silences.away == [B]


def test_while_others_are_heard_a_silent_nodes_endpoints_go_in_time() -> None:
    silences = silent(B, is_alone=False)
    assert names([DB], told(), silences, now=SILENT_SECONDS - 1) == ["db"]
    silences.look([B], frozenset({A, C}), is_alone=False, now=SILENT_SECONDS - 1)
    assert names([DB], told(), silences, now=SILENT_SECONDS) == []


def test_nodes_that_fall_silent_one_after_the_other_stay() -> None:
    """So does a node that is cut off see it."""
    silences = silent(B, is_alone=False)
    silences.look([B, C], frozenset({A}), is_alone=True, now=20.0)
    assert names([DB, there("queue", "10.0.1.8", C)], told(), silences, now=math.inf) == []
    assert names([DB, there("queue", "10.0.1.8", C)], told(), silences, now=1e9) == ["db", "queue"]
    silences.look([B], frozenset({A, C}), is_alone=False, now=100.0)
    assert names([DB], told(), silences, now=100.0 + SILENT_SECONDS) == []


def test_a_node_that_is_back_has_some_seconds_to_tell_what_it_has() -> None:
    silences = silent(B)
    for now in (100.0, 109.0):
        silences.look([B], frozenset({A, B}), is_alone=False, now=now)
        assert names([DB], told(), silences, now) == ["db"]
    silences.look([B], frozenset({A, B}), is_alone=False, now=111.0)
    assert (names([DB], told(), silences, now=111.0), silences.hosts) == ([], frozenset())


@pytest.mark.parametrize(
    "instead",
    [
        told(there("db", "10.0.1.7", C)),
        told(there("other", "10.0.1.9", C)),
        told(local="10.0.1.9"),
    ],
    ids=["its name", "its address", "its address here"],
)
def test_what_something_else_has_now_is_gone(instead: Gossip) -> None:
    assert names([DB], instead, silent(B)) == []


def test_a_task_that_has_a_successor_is_gone() -> None:
    first, second = of_service("web.1.a", "10.0.1.9", "1"), of_service("web.2.b", "10.0.1.8", "2")
    instead = of_service("web.1.c", "10.0.1.7", "1", host=A)
    assert names([first, second], told(instead), silent(B)) == ["web.2.b"]


def test_a_virtual_address_stays_with_its_tasks() -> None:
    virtual, task = of_service("web", "10.0.1.6", "", host=""), of_service("web.1.a", "10.0.1.9", "1")
    assert names([virtual, task], told(), silent(B)) == ["web.1.a", "web"]
    assert names([virtual, task], told(), Silences()) == []
    # A service that the gossip has, and that has no virtual address any more.
    assert names([virtual, task], told(of_service("web.2.b", "10.0.1.8", "2", A)), silent(B)) == ["web.1.a"]
