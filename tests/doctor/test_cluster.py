"""What the doctor says of `cluster`: the store, its users, the names of hosts, and the ways between these."""

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hostwatch.config.cluster import PublishSettings
from hostwatch.config.settings import Settings
from hostwatch.control.source import EngineInfo
from hostwatch.core.cluster.values import NODES, SERVICES
from hostwatch.doctor.cluster import cluster
from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, Level
from hostwatch.doctor.routing import dropped, is_beside
from hostwatch.hosts import probe
from hostwatch.hosts.lock import Holder
from tests.conftest import eventually
from tests.core.build import ENGINE, STOPPED, box, net, on, store
from tests.servers import ETCDS, Etcd, User, etcd
from tests.servers.etcd import ROOT_PASSWORD
from tests.servers.server import free_ports

MEMBER = User("hostwatch", "the member's own")
READER = User("reader", "the reader's own", "/elsewhere/")
HERE = EngineInfo(ENGINE, "28.5.2", "1.51", Path("/nowhere"), name="host-a")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """A server with users, one of whom may only read."""
    with etcd(ETCDS[-1], tmp_path_factory.mktemp("etcd"), users=[MEMBER, READER]) as made:
        yield made


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A prefix of its own, below which the member may write."""
    return f"/hostwatch/{request.node.name.partition('[')[0]}/"


def evidence(*, holder: Holder | None = None, version: str = "28.5.2") -> Evidence:
    """The engine of this host, with a container on a bridge."""
    containers = box("db", on("back", "10.213.0.2")), box("ended", on("back", "10.213.0.3"), state=STOPPED)
    made = store(net("back", "10.213.0.0/24", gateways=("10.213.0.1",)), *containers)
    return Evidence(replace(HERE, version=version), made, (), None, holder=holder)


def found(
    server: Etcd, prefix: str, directory: Path, *more: str, user: str = MEMBER.name, password: str = MEMBER.password
) -> list[Finding]:
    """The findings for a user of the store; `more` servers are listed, too."""
    secret = directory / "password"
    secret.write_text(f"{password}\n")
    asked = {"etcd": [*server.urls, *more], "prefix": prefix, "user": user, "password_file": str(secret)}
    return [*cluster(Settings.model_validate({"cluster": asked}), evidence())]


def of(level: Level, findings: list[Finding]) -> list[str]:
    """What was found of a level, with the remedies."""
    return [f"{finding.what}; {finding.remedy}".removesuffix("; ") for finding in findings if finding.level is level]


def put(server: Etcd, key: str, **fields: object) -> None:
    """Put a value as a host does."""
    server.put(key, json.dumps(fields))


def test_without_a_cluster_there_is_nothing_to_say() -> None:
    assert [*cluster(Settings(), evidence())] == []


@pytest.mark.slow
def test_a_store_that_can_be_used(server: Etcd, prefix: str, tmp_path: Path) -> None:
    """With the other hosts. Nothing is written."""
    put(server, f"{prefix}{NODES}host-a", engine=ENGINE)
    put(server, f"{prefix}{NODES}host-b", engine="another")
    before = server.get(prefix)
    findings = found(server, prefix, tmp_path)
    assert of(Level.OK, findings) == [f"cluster: {server.urls[0]} answers", "cluster: other hosts are host-b"]
    assert len(findings) == 2
    assert server.get(prefix) == before


def test_a_wrong_password_is_told_and_never_shown(server: Etcd, prefix: str, tmp_path: Path) -> None:
    (told,) = of(Level.PROBLEM, findings := found(server, prefix, tmp_path, password="wrong one"))
    assert "check `user` and the password in `password_file`" in told
    assert "wrong one" not in str(findings)


def test_a_user_who_may_only_read_cannot_publish(server: Etcd, prefix: str, tmp_path: Path) -> None:
    end = prefix[:-1] + "0"
    permission = {"permType": "READ", "key": encoded(prefix), "range_end": encoded(end)}
    server.call("auth/role/grant", {"name": READER.name, "perm": permission}, token=root(server))
    findings = found(server, prefix, tmp_path, user=READER.name, password=READER.password)
    (told,) = of(Level.PROBLEM, findings)
    assert told.startswith(
        f"cluster: no name of this host can be published, as {prefix}{NODES}host-a cannot be written: "
    )
    assert f"grant-permission ROLE readwrite {prefix}{NODES}host-a`, or set `cluster.node` to the name" in told


def test_a_user_who_may_write_the_keys_of_this_host_alone_can_publish(
    server: Etcd, prefix: str, tmp_path: Path
) -> None:
    for key, end, kind in ((prefix, prefix[:-1] + "0", "READ"), (f"{prefix}{NODES}host-a", "", "READWRITE")):
        permission = {"permType": kind, "key": encoded(key), "range_end": encoded(end)}
        server.call("auth/role/grant", {"name": READER.name, "perm": permission}, token=root(server))
    findings = found(server, prefix, tmp_path, user=READER.name, password=READER.password)
    assert not of(Level.PROBLEM, findings)


def encoded(text: str) -> str:
    """Text as the gateway wants it."""
    return base64.b64encode(text.encode()).decode()


def root(server: Etcd) -> str:
    """A login of the user who may do everything."""
    return str(server.call("auth/authenticate", {"name": "root", "password": ROOT_PASSWORD})["token"])


def test_one_of_two_servers_is_a_warning(server: Etcd, prefix: str, tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    findings = found(server, prefix, tmp_path, nobody)
    (told,) = of(Level.WARNING, findings)
    assert told.startswith(
        f"cluster: {nobody} refuses connections; its other servers are asked; look whether etcd runs"
    )
    assert not of(Level.PROBLEM, findings)


def test_no_server_is_a_problem() -> None:
    settings = Settings.model_validate({"cluster": {"etcd": f"http://127.0.0.1:{free_ports(1)[0]}"}})
    (finding,) = cluster(settings, evidence())
    assert (finding.level, "refuses connections" in finding.what) == (Level.PROBLEM, True)


def test_a_daemon_in_a_network_of_its_own_has_no_way() -> None:
    sleeper = subprocess.Popen(["unshare", "--net", "sleep", "100"])
    try:
        assert eventually(lambda: not probe.shares_network(sleeper.pid))
        settings = Settings.model_validate({"cluster": {"etcd": "http://127.0.0.1:1"}})
        (finding,) = cluster(settings, evidence(holder=Holder(is_hostwatch=True, pid=sleeper.pid)))
        assert finding.what.endswith("has a network of its own, without a way to the store")
        assert "config/hostwatch.service.d/cluster.conf" in finding.remedy
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_name_of_another_engine_is_a_problem(server: Etcd, prefix: str, tmp_path: Path) -> None:
    put(server, f"{prefix}{NODES}host-a", engine="another")
    (told,) = of(Level.PROBLEM, found(server, prefix, tmp_path))
    assert "the name host-a belongs to the host with the engine another; give each host a `cluster.node`" in told
    server.put(f"{prefix}{NODES}host-a", "[")
    (told,) = of(Level.PROBLEM, found(server, prefix, tmp_path))
    assert f"what is at {prefix}{NODES}host-a is no host's (no JSON); delete it with `etcdctl del" in told


def test_an_address_without_a_route_is_a_problem(server: Etcd, prefix: str, tmp_path: Path) -> None:
    """Of another host; loopback stands for one that no route leads to."""
    put(server, f"{prefix}{SERVICES}host-b/config/db", replicas=[{"id": "x", "name": "db-1", "ipv4": "127.0.0.9"}])
    put(server, f"{prefix}{SERVICES}host-a/config/db", replicas=[{"id": "x", "name": "db-1", "ipv4": "127.0.0.8"}])
    (told,) = of(Level.PROBLEM, found(server, prefix, tmp_path))
    assert told.startswith("cluster: this host has no route to 127.0.0.9 (db-1 of host-b); give this host a route")


RULES = """\
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -d 10.213.0.2/32 ! -i br-5be4007328c7 -j DROP
-A PREROUTING -d 10.203.0.2/32 ! -i docker0 -j DROP
COMMIT
"""
"""As engine 28.5 writes them."""
OTHERS = RULES.replace("10.213.0.2", "10.213.0.9")
BACK = PublishSettings.model_validate({"services": "*", "networks": ["back"]})


@pytest.mark.parametrize(
    ("version", "rules", "level", "what"),
    [
        ("28.5.2", RULES, Level.PROBLEM, "the engine drops what other hosts send to 10.213.0.2 (db)"),
        ("29.1.0", RULES, Level.PROBLEM, "the engine drops what other hosts send to 10.213.0.2 (db)"),
        ("28.5.2", OTHERS, Level.OK, "the engine lets packets of other hosts pass (1 addresses)"),
        ("26.1.5", OTHERS, Level.OK, "the engine lets packets of other hosts pass (1 addresses)"),
        ("28.5.2", None, Level.NOTE, "engine 28.5.2 drops what other hosts send to addresses of its bridges"),
        ("29.1.0", OTHERS, Level.NOTE, "engine 29.1.0 drops what other hosts send to addresses of its bridges"),
    ],
)
def test_what_the_engine_drops_is_told(version: str, rules: str | None, level: Level, what: str) -> None:
    """It has a rule for each address of a bridge, unless it is told to let other hosts in."""
    (finding,) = dropped(BACK, evidence(version=version), rules)
    assert (finding.level, finding.what.partition(": ")[2][: len(what)]) == (level, what)
    assert ("--allow-direct-routing" in finding.remedy) == (level is not Level.OK)


def test_nothing_is_said_of_addresses_that_nobody_publishes() -> None:
    """Nor before engine 28, which drops nothing."""
    assert [*dropped(PublishSettings(), evidence(), RULES)] == []
    assert [*dropped(BACK, evidence(version="26.1.5"), None)] == []


@pytest.mark.parametrize(("gateway", "expected"), [("127.0.0.1", True), ("203.0.113.1", False)])
def test_the_rules_count_on_the_host_of_the_engine_alone(gateway: str, expected: bool) -> None:
    """It has the addresses of the engine's bridges."""
    made = store(net("back", "10.213.0.0/24", gateways=(gateway,)))
    assert is_beside(Evidence(HERE, made, (), None)) is expected
