"""Names that cross machines, on real engines: on a swarm's overlay network, and by an etcd between routed hosts."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conftest import Lab, eventually
from tests.hosts_lab import Laboratory, laboratory
from tests.hosts_lab.beside import labs
from tests.hosts_lab.switch import ADDRESS
from tests.servers import Etcd, etcd

SERVE = "mkdir /www && echo hello >/www/index.html && exec httpd -f -p 80 -h /www"
WANTS_DB = {"hostwatch.hosts": "@{db.ip} db"}
GET = ["wget", "-qO-", "-T5", "http://db/"]
CLUSTER = """\
cluster:
  etcd: {urls}
  node: host-{name}
  ttl: 3s
  publish: {{services: "*", networks: [back]}}
timing: {{linger: 0.2s}}
"""


@pytest.fixture(scope="module")
def swarm_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Laboratory, list[Lab]]]:
    """A swarm of two engines."""
    with (
        laboratory("swarm", f"swarm{os.getpid()}", ("26.1", "28.5")) as made,
        labs(made, tmp_path_factory.mktemp("swarm")) as found,
    ):
        yield made, found


@dataclass
class Routed:
    """Two hosts with a hostwatch each, and their shared store."""

    lab: Laboratory
    store: Etcd
    a: Lab
    b: Lab


@pytest.fixture(scope="module")
def routed_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Routed]:
    """Two hosts that route to each other's containers."""
    directory = tmp_path_factory.mktemp("routed")
    with (
        laboratory("routed", f"routed{os.getpid()}", ("28.5", "28.5")) as made,
        labs(made, directory) as found,
        etcd("3.5", directory / "etcd", address=ADDRESS, namespace=made.switch.namespace) as store,
    ):
        for host in made.hosts:
            host.start_hostwatch(CLUSTER.format(urls=store.urls, name=host.name))
        yield Routed(made, store, *found)
        for host in made.hosts:
            host.hostwatch.stop()
            assert "Traceback" not in host.hostwatch.log.read_text()


@pytest.fixture
def routed(routed_lab: Routed) -> Iterator[Routed]:
    """The same, without containers."""
    yield routed_lab
    routed_lab.a.clear()
    routed_lab.b.clear()


def test_a_node_of_a_swarm_that_is_cut_off_stays_known(swarm_lab: tuple[Laboratory, list[Lab]]) -> None:
    """Its names stay, and new containers get them, although the gossip has them no more."""
    made, (a, b) = swarm_lab
    web = a.run("web", labels=WANTS_DB)
    with a.hostwatch("-c", a.configured("timing: {linger: 0.2s}\n")) as hostwatch:
        db = b.run("db", SERVE)
        db.reload()
        known = {"db": [db.attrs["NetworkSettings"]["Networks"]["mesh"]["IPAddress"]]}
        eventually(lambda: a.records(web) == known)
        assert eventually(lambda: web.exec_run(GET).output == b"hello\n")
        made.switch.cut("b")
        eventually(lambda: "no other node of the swarm is heard" in hostwatch.log, 40)
        late = a.run("late", labels=WANTS_DB)
        eventually(lambda: a.records(late) == known)
        assert a.records(web) == known


def test_a_database_moves_from_host_to_host(routed: Routed) -> None:
    """The name goes where it is, and the new container finds all right before its first instruction."""
    a, b = routed.a, routed.b
    web = a.run("web", labels=WANTS_DB)
    mount = {f"/host{a.hosts_path(web)}": {"bind": "/web", "mode": "ro"}}
    away = b.run("db", f"cp /web /seen; {SERVE}", "10.77.33.7", volumes=mount)
    eventually(lambda: a.records(web) == {"db": ["10.77.33.7"]})
    assert eventually(lambda: web.exec_run(GET).output == b"hello\n")
    assert "10.77.33.7" in b.first_read(away)
    away.remove(force=True)
    here = a.run("db", SERVE, "10.77.17.7")
    eventually(lambda: a.records(web) == {"db": ["10.77.17.7"]})
    other = b.run("other", labels=WANTS_DB)
    eventually(lambda: b.records(other) == {"db": ["10.77.17.7"]})
    here.remove(force=True)
    eventually(lambda: not a.records(web) and not b.records(other))


def test_a_host_that_is_cut_off_keeps_what_it_knew_and_one_that_dies_is_gone(routed: Routed) -> None:
    """For the others its names go with its lease in both cases. Once it is back, all is right again."""
    a, b = routed.a, routed.b
    web = a.run("web", address="10.77.17.10", labels=WANTS_DB)
    db = b.run("db", address="10.77.33.10", labels={"hostwatch.hosts": "@{web.ip} web"})
    eventually(lambda: a.records(web) == {"db": ["10.77.33.10"]})
    eventually(lambda: b.records(db) == {"web": ["10.77.17.10"]})
    routed.lab.switch.cut("b")
    eventually(lambda: a.records(web) == {})
    assert b.records(db) == {"web": ["10.77.17.10"]}
    routed.lab.switch.mend("b")
    eventually(lambda: a.records(web) == {"db": ["10.77.33.10"]})
    assert b.records(db) == {"web": ["10.77.17.10"]}
    host = routed.lab.host("b")
    host.power_off()
    eventually(lambda: a.records(web) == {})
    host.power_on()
    host.restart_hostwatch()
    db.start()
    eventually(lambda: a.records(web) == {"db": ["10.77.33.10"]})
    eventually(lambda: b.records(db) == {"web": ["10.77.17.10"]})


def test_hosts_of_other_versions_are_understood(routed: Routed) -> None:
    """A newer one's unknown fields are ignored, and what an older one does not say has its default."""
    a = routed.a
    web = a.run("web", labels={"hostwatch.hosts": "@{old.ip} old\n@{new.ip} new"})
    old = {"id": "2", "name": "old", "names": ["old"], "ipv4": "10.77.65.2"}
    new = {"id": "1", "name": "new-1", "names": ["new"], "ipv4": "10.77.65.1", "zone": "west", "ports": [80, 81]}
    values = {
        "nodes/host-y": {"engine": "another"},
        "services/host-y/container/old": {"replicas": [old]},
        "nodes/host-z": {"version": 9, "engine": "a third", "hostwatch": "9.0", "weights": {"new": 3}},
        "services/host-z/config/new": {"version": 9, "replicas": [new], "spread": None},
    }
    lease = routed.store.grant(60)
    for key, value in values.items():
        routed.store.put(f"/hostwatch/v1/{key}", json.dumps(value), lease)
    eventually(lambda: a.records(web) == {"old": ["10.77.65.2"], "new": ["10.77.65.1"]})
    routed.store.call("lease/revoke", {"ID": str(lease)})
    eventually(lambda: a.records(web) == {})
