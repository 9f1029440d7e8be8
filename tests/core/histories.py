"""Random histories of a store: containers of few names that collide, on three networks, and what happens to them."""

import dataclasses
import ipaddress
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from hostwatch.core.model import Claim, Container, Endpoint, Health, HostAddresses, NetworkId, NetworkMode
from hostwatch.core.remote import RemoteEndpoint, remote_container, remote_key
from hostwatch.core.rules import Match, Rules, ServiceRule, SubscriberRule, Subscription
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store
from tests.core.build import (
    ENGINE,
    RUNNING,
    STOPPED,
    box,
    ip,
    key,
    lines,
    net,
    on,
    patterns,
    service,
    subscriber,
)
from tests.effort import examples

NAMES = ("a", "b", "c", "db", "web")
NETS = ("bridge", "front", "back")
ALIASES = ("db", "web", "x")
PATTERNS = patterns("{name}.docker", "{service}.{network}", "{hostname}", "{project}", "{name}.{project}")
RULES = Rules(
    services=(
        service("db", ("db", "x"), healthy=True),
        dataclasses.replace(service("mq", network="back"), prefers_any=True),
        ServiceRule("far", Match(), ("far", "f.example"), is_from_catalog=True),
    ),
    subscribers=(
        subscriber("c", Subscription(services=("x",), any_scope=True)),
        SubscriberRule("all", Path("/all"), Subscription(everything=True)),
        SubscriberRule("made", Path("/made"), Subscription(everything=True, publish_as=PATTERNS)),
        SubscriberRule(
            "some", Path("/some"), Subscription(lines("@{db.ip} db", "@{db.p.ip} p", "@{x.ip} x"), ("web", "far"))
        ),
    ),
    advertise=ip("192.0.2.1"),
)
FILES_ALONE = Rules(subscribers=RULES.subscribers[1:], labels=False)
FOLLOWED = dataclasses.replace(RULES, advertise="auto")
OWN = HostAddresses(ipaddress.IPv4Address("192.0.2.9"), ipaddress.IPv6Address("2001:db8::9"))


def watched() -> Store:
    """A store under these rules, with the files on the host that they name."""
    made = Store(RULES)
    made.add_host_files(ENGINE, "host")
    return made


def put_remote(made: Store, endpoint: RemoteEndpoint) -> FileKeys:
    """Take in an endpoint on another host."""
    place = remote_key(ENGINE, "source", endpoint.id)
    return made.put_remote(place, remote_container(place, endpoint))


def drop_remote(made: Store, endpoint: RemoteEndpoint) -> FileKeys:
    """Take in that there is no endpoint with this one's id."""
    return made.put_remote(remote_key(ENGINE, "source", endpoint.id), None)


def await_source(made: Store, source: str, is_awaited: bool) -> FileKeys:
    """Take in whether a source's first answer is still to come."""
    made.remotes.await_source(source, is_awaited)
    return made.subscriber_files


def adopt(made: Store, new: Rules) -> FileKeys:
    """Take in new rules at once."""
    return made.adopt(made.adoption(new))


# Every sequence of steps.

subsets = st.sets(st.sampled_from(ALIASES), max_size=2).map(tuple)


@st.composite
def endpoints(draw: st.DrawFn, addressed: bool) -> Endpoint:
    """An endpoint on one of three networks, with one of few addresses."""
    network = draw(st.sampled_from(NETS))
    number = draw(st.integers(1, 3))
    addresses = {
        0: (),
        1: (f"10.{NETS.index(network)}.0.{number}",),
        2: (f"10.{NETS.index(network)}.0.{number}", f"fd00:{NETS.index(network)}::{number}"),
    }[draw(st.integers(0, 2)) if addressed else 0]
    aliases = draw(st.one_of(st.none(), subsets))
    return on(network, *addresses, aliases=aliases, known=draw(st.integers(0, 4)) > 0)


LABELS = st.fixed_dictionaries(
    {},
    optional={
        "hostwatch.hosts": st.sampled_from(
            [
                "@{db.ip} db\n@{x.ip} x",
                "@{web.ip} y\n@{self.ip} me",
                "@{a.ip[0]} a\n@{a.ip6} a6",
                "@{x.PublicIp} x\n@{web.ip} @{web.name}.w",
                "@{db.HostIp} h\n@{web.HostIp[80]} h80\n@{a.PublicIp} p",
                "@{far.ip} far\n@{mq.ip} mq\n@{web.ip} web",
            ]
        ),
        "hostwatch.services": st.sampled_from(["*", "db web", "x", "a b"]),
        "hostwatch.publish_as": st.sampled_from(["{name}", "{name}.docker {service}", "{hostname}"]),
        "hostwatch.names": st.sampled_from(["x", "db", "web", "x db"]),
        "hostwatch.network": st.sampled_from(["front", "back"]),
        "hostwatch.health": st.just("required"),
        "hostwatch.enable": st.sampled_from(["true", "false"]),
    },
)


PORTS = st.one_of(
    st.none(),
    st.sets(st.sampled_from(["80/tcp 0.0.0.0", "80/tcp ::", "53/udp 10.9.0.1", "53/tcp 127.0.0.1"]), max_size=2).map(
        tuple
    ),
)


@st.composite
def containers(draw: st.DrawFn) -> Container:
    """Any container of an engine. Few names, so that they collide."""
    name = draw(st.sampled_from(NAMES))
    state = draw(st.sampled_from([RUNNING, RUNNING, STOPPED]))
    mode = draw(st.sampled_from([NetworkMode.OWN] * 4 + [NetworkMode.HOST, NetworkMode.CONTAINER, None]))
    places: list[Endpoint] = []
    if mode is NetworkMode.OWN:
        places = draw(st.lists(endpoints(state is RUNNING), max_size=2, unique_by=lambda e: e.network_name))
    made = box(
        draw(st.sampled_from([name, name, "db-1", "mq-1", "db"])),
        *places,
        state=state,
        labels=draw(LABELS),
        compose=draw(st.sampled_from([None, "p/db", "p/web", "q/db"])),
        number=draw(st.integers(1, 2)),
        mode=mode,
        join=draw(st.sampled_from(NAMES)) if mode is NetworkMode.CONTAINER else None,
        health=draw(st.sampled_from([None, *Health])),
        claim=draw(st.sampled_from([Claim.FULL, Claim.NONE])) if state is STOPPED else Claim.FULL,
        ports=draw(PORTS),
        hostname=draw(st.sampled_from([None, "web", "h.example"])),
    )
    return dataclasses.replace(made, key=key(name))


remotes = st.builds(
    lambda number, names, group, place, host, compose: RemoteEndpoint(
        str(number),
        f"r{number}",
        "other",
        (*names, "db.p") if compose == ("db", "p") else names,
        group,
        compose[0],
        compose[1],
        str(number),
        ipaddress.IPv4Address(f"10.{place}.0.{host}"),
        network=NetworkId(f"id-{NETS[place]}" if place < len(NETS) else ""),
        network_name=NETS[place] if place < len(NETS) else "",
    ),
    st.integers(1, 3),
    st.sampled_from([("db",), ("web", "x"), ("a",), ()]),
    st.sampled_from(["", "config:db", "config:mq", "catalog:far", "swarm:web"]),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from([("", None), ("db", "p"), ("web", "q")]),
)
keys = st.sampled_from(NAMES).map(key)
addresses = st.builds(lambda net, host: ip(f"10.{net}.0.{host}"), st.integers(0, 3), st.integers(1, 3))
networks = st.builds(
    lambda number, gateway, compose, driver: net(
        NETS[number],
        f"10.{number}.0.0/24",
        gateways=(f"10.{number}.0.254",) if gateway else (),
        compose="p/back" if compose else None,
        driver=driver,
    ),
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["bridge", "bridge", "overlay"]),
)
Step = tuple[Callable[..., FileKeys], tuple[object, ...]]
puts = st.tuples(st.just(Store.put), st.tuples(containers()))
rules = st.sampled_from([RULES, Rules(), FILES_ALONE, FOLLOWED])
steps = st.one_of(
    puts,
    st.tuples(st.just(Store.put), st.tuples(containers(), st.just(0))),
    st.tuples(st.just(Store.put_listed), st.tuples(containers())),
    st.tuples(st.just(Store.put_unreadable), st.tuples(containers(), st.integers(0, 20))),
    st.tuples(st.just(Store.drop), st.tuples(keys)),
    st.tuples(st.just(Store.mark_stale), st.tuples(keys)),
    st.tuples(st.just(Store.mark_starting), st.tuples(keys)),
    st.tuples(st.just(Store.yield_names), st.tuples(keys)),
    st.tuples(st.just(Store.put_early_addresses), st.tuples(keys, st.lists(addresses, max_size=2))),
    st.tuples(st.just(Store.put_early_endpoint), st.tuples(keys, endpoints(True))),
    st.tuples(st.just(Store.put_new_endpoint), st.tuples(keys, endpoints(True))),
    st.tuples(st.just(Store.put_network), st.tuples(networks)),
    st.tuples(st.just(Store.drop_network), st.tuples(networks.map(lambda network: network.key))),
    st.tuples(st.just(Store.put_host_addresses), st.tuples(st.sampled_from([None, HostAddresses(), OWN]))),
    st.tuples(st.just(put_remote), st.tuples(remotes)),
    st.tuples(st.just(put_remote), st.tuples(remotes)),
    st.tuples(st.just(drop_remote), st.tuples(remotes)),
    st.tuples(
        st.just(await_source),
        st.tuples(st.sampled_from(["cluster", "overlay:back", "catalog:far"]), st.booleans()),
    ),
    st.tuples(st.just(adopt), st.tuples(rules)),
)
histories: st.SearchStrategy[list[Step]] = st.builds(
    list.__add__, st.lists(puts, min_size=3, max_size=6), st.lists(steps, min_size=1, max_size=6)
)
often = settings(max_examples=examples(130), deadline=None, suppress_health_check=[HealthCheck.too_slow])
