"""While other hosts have not been heard, what only they may have stays as it is in the files."""

from dataclasses import replace
from pathlib import Path

import pytest

from hostwatch.core.block.records import Block, Record
from hostwatch.core.model import FileKind
from hostwatch.core.remote import config_group
from hostwatch.core.resolve.desired import asks_for_all, outcomes, unheard_by
from hostwatch.core.resolve.outcome import Memory
from hostwatch.core.resolve.recall import memory_of
from hostwatch.core.rules import Match, Rules, ServiceRule, SubscriberRule, Subscription
from hostwatch.core.store.store import Store
from tests.core.build import ENGINE, box, desired_block, ip, net, on, service, store
from tests.core.test_remotes import MESH, elsewhere, put, web

BRIDGE = net("front", "10.0.1.0/24")
FAR, OWN = "10.9.0.9", "10.0.1.9"
"""Addresses on another host, and inside a network of this one."""


def block(*records: tuple[str, str]) -> Block:
    """A block of an earlier run: each record with an address and its names."""
    return Block(tuple(Record(ip(address), tuple(names.split())) for address, names in records))


def recalled(made: Store, found: Block) -> Memory:
    """The memory that follows from the block of an earlier run in the only file."""
    (file,) = made.subscriber_files
    requests = made.sharing(file).requests
    unheard = unheard_by(made, requests) if asks_for_all(requests) else None
    return memory_of(outcomes(made, requests), found, FileKind.HOSTS, unheard)


def lines(made: Store, memory: Memory, now: float = 0.0) -> tuple[list[str], Memory]:
    """The records of the only file, as text, and what is remembered."""
    (file,) = made.subscriber_files
    desired = desired_block(made, file, memory, now, 2.0)
    return [f"{record.address} {' '.join(record.names)}" for record in desired.block.records], desired.memory


def heard(made: Store, source: str = "cluster") -> None:
    """The source has told all."""
    made.remotes.await_source(source, is_awaited=False)


def everything(*sources: str, rules: tuple[ServiceRule, ...] = ()) -> Store:
    """A file of the host with every name, while these sources are awaited."""
    star = SubscriberRule("all", Path("/all"), Subscription(everything=True))
    made = store(BRIDGE, MESH, box("web", on("front", "10.0.1.2")), rules=Rules(rules, (star,)))
    made.add_host_files(ENGINE, "host")
    for source in sources:
        made.remotes.await_source(source, is_awaited=True)
    return made


BEFORE = block(("10.0.1.2", "web"), (FAR, "db data"), (OWN, "gone"))


def test_names_of_other_hosts_stay_among_all_names() -> None:
    """Those that this host alone can have had go."""
    made = everything("cluster")
    found, memory = lines(made, recalled(made, BEFORE))
    assert found == ["10.0.1.2 web", f"{FAR} db data"]
    assert lines(made, memory, 1e6)[0] == found


def test_once_heard_they_are_what_is_told() -> None:
    made = everything("cluster")
    _, memory = lines(made, recalled(made, BEFORE))
    put(made, elsewhere("db", FAR, "db", "data"))
    for _ in range(2):
        assert sorted(lines(made, memory)[0]) == ["10.0.1.2 web", f"{FAR} data db"]
        heard(made)


def test_a_name_that_another_host_tells_is_not_kept_twice() -> None:
    """Not even until all are heard."""
    made = everything("cluster")
    _, memory = lines(made, recalled(made, BEFORE))
    put(made, elsewhere("db", "10.9.0.10", "db"))
    assert sorted(lines(made, memory)[0]) == ["10.0.1.2 web", "10.9.0.10 db"]


def test_once_heard_what_is_not_told_is_gone() -> None:
    """After the usual time."""
    made = everything("cluster")
    _, memory = lines(made, recalled(made, BEFORE))
    heard(made)
    found, memory = lines(made, memory, 1.0)
    assert found == ["10.0.1.2 web", f"{FAR} db data"]
    assert lines(made, memory, 9.0)[0] == ["10.0.1.2 web"]


def test_names_of_a_catalog_stay_among_all_names() -> None:
    rule = ServiceRule("db", Match(), ("db",), is_from_catalog=True)
    made = everything("catalog:db", rules=(rule,))
    assert lines(made, recalled(made, block((FAR, "db"))))[0] == ["10.0.1.2 web", f"{FAR} db"]


def test_a_network_that_a_subscriber_is_not_on_keeps_nothing_in_its_file() -> None:
    """It may never be heard, as that of a container that does not run."""
    made = everything("overlay:mesh")
    assert lines(made, recalled(made, BEFORE))[0] == ["10.0.1.2 web"]


def test_a_network_that_it_is_on_keeps_what_was_there() -> None:
    near = box("web", on("mesh", "10.0.0.2"), labels={"hostwatch.services": "*"})
    made = store(BRIDGE, MESH, near)
    made.remotes.await_source("overlay:mesh", is_awaited=True)
    assert lines(made, recalled(made, block(("10.0.0.9", "db"))))[0] == ["10.0.0.2 web", "10.0.0.9 db"]


def test_one_host_alone_keeps_nothing() -> None:
    """As before: what no line has is not recalled."""
    made = everything()
    assert recalled(made, BEFORE).keys() == {"@{web.ip} web"}
    assert lines(made, recalled(made, BEFORE))[0] == ["10.0.1.2 web"]


ANYWHERE = replace(service("db"), prefers_any=True)


def replicas(line: str = "@{db.ip} db") -> Store:
    """A subscriber of a service of which this host has a replica, and others may have more."""
    made = store(BRIDGE, web(line, network="front"), box("db-1", on("front", "10.0.1.5")), rules=Rules((ANYWHERE,)))
    made.remotes.await_source("cluster", is_awaited=True)
    return made


def test_replicas_of_other_hosts_stay_beside_those_of_this_one() -> None:
    """An address of this host's own networks is no other host's."""
    made = replicas()
    found, memory = lines(made, recalled(made, block((FAR, "db"), (OWN, "db"))))
    assert found == ["10.0.1.5 db", f"{FAR} db"]
    heard(made)
    assert lines(made, memory)[0] == ["10.0.1.5 db"]


def test_they_stay_as_they_were_told_too() -> None:
    made = replicas()
    put(made, far := elsewhere("db-2", FAR, group=config_group("db")))
    heard(made)
    found, memory = lines(made, {})
    assert found == ["10.0.1.5 db", f"{FAR} db"]
    put_away(made, far.id)
    made.remotes.await_source("cluster", is_awaited=True)
    assert lines(made, memory)[0] == found
    heard(made)
    assert lines(made, memory)[0] == ["10.0.1.5 db"]


def put_away(made: Store, identity: str) -> None:
    """The endpoint is there no more."""
    (key,) = made.by_index("group", ENGINE, config_group("db"))
    assert key.id.endswith(identity)
    made.put_remote(key, None)


@pytest.mark.parametrize("is_heard", [False, True])
def test_which_replica_comes_first_is_known_once_all_are(is_heard: bool) -> None:
    made = replicas("@{db.ip[0]} db")
    if is_heard:
        heard(made)
    assert lines(made, recalled(made, block((FAR, "db"))))[0] == (["10.0.1.5 db"] if is_heard else [f"{FAR} db"])
