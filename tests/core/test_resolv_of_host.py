"""Lines of a resolv.conf that name what the host uses: which containers they affect, and what each gets."""

import pytest

from hostwatch.core.host_resolver import HostResolver
from hostwatch.core.model import Container, FileKind, NetworkMode
from hostwatch.core.resolve import desired
from hostwatch.core.resolve.outcome import Published
from hostwatch.core.store.store import Store
from tests.core.build import box, ip, key, net, on, store

HOST = {"hostwatch.resolv": "nameserver host\nsearch host"}
BOTH = HostResolver((ip("2001:db8::53"), ip("192.0.2.1"), ip("192.0.2.2")), ("a.example", "b.example"))


def told(made: Store, name: str = "web") -> list[str]:
    """The lines of a container's resolv.conf, or the reason why there is none."""
    found = []
    for outcome in desired.outcomes(made, made.sharing(key(name), FileKind.RESOLV).requests):
        if isinstance(outcome, Published):
            found += [f"{record.names[0]} {record.address}" for record in outcome.records]
        else:
            found.append(f"{type(outcome).__name__} {outcome.reason}")
    return found


def test_those_who_ask_are_affected_by_a_change() -> None:
    """Once. A container that joins another one means that one's file."""
    made = store(
        net("front", "10.0.0.0/24"),
        box("web", on("front", "10.0.0.2"), labels=HOST),
        box("other", on("front", "10.0.0.3"), labels={"hostwatch.resolv": "nameserver 192.0.2.9"}),
        box("owner", on("front", "10.0.0.4")),
        box("joined", join="owner", labels={"hostwatch.resolv": "search host"}),
    )
    assert made.asks_host_resolver
    assert made.put_host_resolver(BOTH) == {key("web"), key("owner")}
    assert made.put_host_resolver(BOTH) == frozenset()
    made.drop(key("joined"))
    made.drop(key("web"))
    assert not made.asks_host_resolver


def test_what_is_unknown_is_no_change() -> None:
    """And what is found takes effect, whatever was answered before."""
    made = store(net("front", "10.0.0.0/24"), box("web", on("front", "10.0.0.2"), labels=HOST))
    assert told(made) == ["Unknown the host's resolv.conf is not read yet"] * 2
    made.put_host_resolver(BOTH)
    assert told(made) == ["nameserver 192.0.2.1", "nameserver 192.0.2.2", "search a.example b.example"]
    made.put_host_resolver(HostResolver(fault="it is away"))
    assert told(made) == ["Gone it is away", "Gone the host has no search domains"]


@pytest.mark.parametrize(
    ("container", "servers"),
    [
        (box("web", on("front", "10.0.0.2"), labels=HOST), BOTH.nameservers[1:]),
        (box("web", on("new", "2001:db8:1::2"), labels=HOST), BOTH.nameservers[:1]),
        (box("web", on("front", "10.0.0.2"), on("new", "2001:db8:1::2"), labels=HOST), BOTH.nameservers),
        (box("web", on("front", "10.0.0.2"), on("unread", "10.2.0.2"), labels=HOST), BOTH.nameservers),
        (box("web", mode=NetworkMode.HOST, labels=HOST), BOTH.nameservers),
    ],
)
def test_a_server_that_no_network_of_the_container_reaches_is_left_out(
    container: Container, servers: tuple[object, ...]
) -> None:
    """By the IP versions of its networks, if all of them are known."""
    made = store(net("front", "10.0.0.0/24"), net("new", "2001:db8:1::/64"), container)
    made.put_host_resolver(BOTH)
    assert told(made)[:-1] == [f"nameserver {server}" for server in servers]
