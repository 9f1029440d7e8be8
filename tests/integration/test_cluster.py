"""Two real hosts that share a real etcd: each one's names in the other one's files."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.hosts_lab import Host, Laboratory, laboratory
from tests.hosts_lab.switch import ADDRESS
from tests.servers import Etcd, etcd

PREFIX = "/hostwatch/v1/"
WAIT = "exec sleep 1000"


@dataclass
class Hosts:
    """Two hosts with routes to each other's containers, and an etcd between them."""

    lab: Laboratory
    store: Etcd

    @property
    def a(self) -> Host:
        """The host with the subscriber."""
        return self.lab.hosts[0]

    @property
    def b(self) -> Host:
        """The host with the service."""
        return self.lab.hosts[1]

    def configuration(
        self, host: Host, publish: str = '{services: "*", networks: [back]}', more: str = "", ttl: str = "20s"
    ) -> str:
        """A configuration that joins the cluster."""
        cluster = f"cluster: {{etcd: {self.store.urls}, node: host-{host.name}, ttl: {ttl}, publish: {publish}}}\n"
        return cluster + "timing: {linger: 500ms}\n" + more

    def told(self) -> set[str]:
        """The keys in the store, without their prefix."""
        return {key.removeprefix(PREFIX) for key in self.store.get("/hostwatch/")}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Both hosts; hostwatch runs on host a."""
    with laboratory("routed", f"cluster{os.getpid()}", ["28.5", "28.5"]) as lab:
        directory = tmp_path_factory.mktemp("etcd")
        with etcd("3.5", directory, address=ADDRESS, namespace=lab.switch.namespace) as store:
            yield Hosts(lab, store)


@pytest.fixture
def hosts(pair: Hosts) -> Iterator[Hosts]:
    """The hosts without containers."""
    yield pair
    for host in pair.lab.hosts:
        host.hostwatch.stop()
        if host.hostwatch.log.exists():
            log = host.hostwatch.log.read_text()
            assert "Traceback" not in log, log
        if containers := host.docker("ps", "--all", "--quiet").split():
            host.docker("rm", "--force", *containers)
    for key in pair.store.get("/hostwatch/"):
        pair.store.delete(key)


def run(host: Host, name: str, *options: str, command: str = WAIT) -> str:
    """Start a container on the network of all hosts; returns its id."""
    settings = ("--detach", "--name", name, "--network", "back", "--stop-signal", "KILL")
    return host.docker("run", *settings, *options, "busybox", "sh", "-c", command).strip()


def subscriber(host: Host, *lines: str) -> Path:
    """The hosts file of a new subscriber with these lines."""
    return file_of(host, run(host, "web", "--label", "hostwatch.hosts=" + "\n".join(lines)))


def file_of(host: Host, container: str) -> Path:
    """The hosts file of a container, as its host sees it."""
    return host.engine.data_root / "containers" / container / "hosts"


def block(file: Path) -> list[str]:
    """The lines of the block in a hosts file."""
    found = re.search("# hostwatch: begin\n(.*)# hostwatch: end\n", file.read_text(), re.DOTALL)
    return found[1].splitlines() if found is not None else []


def address(host: Host, container: str) -> str:
    """A container's address on the network of all hosts."""
    return host.docker("inspect", "--format", "{{.NetworkSettings.Networks.back.IPAddress}}", container).strip()


def line(host: Host, container: str) -> str:
    """The line of a container, under its name."""
    return f"{address(host, container):<15} {container}"


def await_line(file: Path, host: Host, container: str) -> None:
    """Wait until a block has this line alone."""
    wanted = [line(host, container)]
    eventually(lambda: block(file) == wanted)


def start(hosts: Hosts, **configurations: str) -> None:
    """Start hostwatch on both hosts, by default with the whole of `back` published."""
    for host in (hosts.a, hosts.b):
        host.start_hostwatch(configurations.get(host.name, hosts.configuration(host)))


def reload(host: Host, configuration: str) -> None:
    """Have hostwatch read this configuration."""
    host.configuration.write_text(configuration)
    process = host.hostwatch.process
    assert process is not None
    process.send(signal.SIGHUP)


def test_a_service_of_another_host_is_followed(hosts: Hosts) -> None:
    """Through its start, its move, its end and its return; what it has is reached."""
    a, b = hosts.a, hosts.b
    start(hosts)
    web = subscriber(a, "@{db.ip} db")
    eventually(
        lambda: block(web) == ["# withheld: @{db.ip} db  (db: no running container here, and no other host has it)"]
    )
    run(b, "db", command="mkdir /www && echo hello >/www/index.html && exec httpd -f -p 80 -h /www")
    await_line(web, b, "db")
    services = {"services/host-a/container/web", "services/host-b/container/db"}
    assert hosts.told() == {"nodes/host-a", "nodes/host-b", *services}
    assert eventually(lambda: a.docker("exec", "web", "wget", "-qO-", "-T5", "http://db/") == "hello\n")
    b.docker("network", "disconnect", "back", "db")
    run(b, "other")  # takes the address
    eventually(lambda: "withheld" in block(web)[0])
    b.docker("network", "connect", "back", "db")
    await_line(web, b, "db")
    assert f"publishes db: {address(b, 'db')}" in b.hostwatch.log.read_text()
    b.docker("rm", "--force", "db")
    eventually(lambda: "withheld" in block(web)[0])
    assert "db" not in str(hosts.told())
    eventually(lambda: "publishes no more db" in b.hostwatch.log.read_text())


def test_a_restart_is_no_change_and_a_death_is_one(hosts: Hosts) -> None:
    """The names of a hostwatch that ended stay for the time of its lease."""
    a, b = hosts.a, hosts.b
    start(hosts)
    run(b, "db")
    web = subscriber(a, "@{db.ip} db")
    await_line(web, b, "db")
    before = a.hostwatch.log.read_text()
    b.restart_hostwatch()
    run(b, "mq")
    eventually(lambda: "services/host-b/container/mq" in hosts.told())
    reload(b, hosts.configuration(b, ttl="3s"))
    b.docker("rm", "--force", "mq")
    eventually(lambda: "services/host-b/container/mq" not in hosts.told())
    b.hostwatch.kill()
    assert block(web) == [line(b, "db")]
    assert " db " not in a.hostwatch.log.read_text().removeprefix(before)
    eventually(lambda: "withheld" in block(web)[0])


def test_while_the_store_is_away_all_stays(hosts: Hosts) -> None:
    """What has changed meanwhile follows after its return."""
    a, b = hosts.a, hosts.b
    start(hosts)
    run(b, "db")
    web = subscriber(a, "@{db.ip} db")
    await_line(web, b, "db")
    first = block(web)
    hosts.store.nodes[0].kill()
    b.docker("network", "disconnect", "back", "db")
    run(b, "other")
    b.docker("network", "connect", "back", "db")
    eventually(lambda: "the shared store is away" in a.hostwatch.log.read_text())
    assert block(web) == first
    hosts.store.start()
    await_line(web, b, "db")
    assert block(web) != first
    assert "answers again" in a.hostwatch.log.read_text()


def test_a_name_of_another_engine_is_refused(hosts: Hosts) -> None:
    """This host publishes nothing, and follows all the same."""
    a, b = hosts.a, hosts.b
    run(a, "db")
    run(b, "mq")
    web = file_of(b, run(b, "web", "--label", "hostwatch.hosts=@{db.ip} db"))
    start(hosts, b=hosts.configuration(a))
    await_line(web, a, "db")
    refused = "the name host-a belongs to another engine"
    eventually(lambda: refused in b.hostwatch.log.read_text())
    assert hosts.told() == {"nodes/host-a", "services/host-a/container/db"}
    reload(b, hosts.configuration(b))
    eventually(lambda: "services/host-b/container/mq" in hosts.told())
    assert b.hostwatch.log.read_text().count(refused) == 1


def test_the_configuration_may_change(hosts: Hosts) -> None:
    """Other services are published, or none; without the cluster all of it goes, and with `remove` at the end."""
    a, b = hosts.a, hosts.b
    run(b, "db", "--publish", "8080:80")
    start(hosts)
    web = subscriber(a, "@{db.ip} db")
    await_line(web, b, "db")
    own = hosts.configuration(b, "{services: [db], host_address: [db]}", "advertise: 192.0.2.9\non_exit: remove\n")
    reload(b, own)
    eventually(lambda: block(web) == ["192.0.2.9       db"])
    reload(b, "on_exit: keep\n")
    eventually(lambda: "withheld" in block(web)[0])
    assert hosts.told() == {"nodes/host-a", "services/host-a/container/web"}
    reload(b, own)
    eventually(lambda: block(web) == ["192.0.2.9       db"])
    reload(b, own.replace("host-b", "host-c"))
    eventually(
        lambda: {key for key in hosts.told() if "-a" not in key} == {"nodes/host-c", "services/host-c/container/db"}
    )
    b.hostwatch.stop()
    assert hosts.told() == {"nodes/host-a", "services/host-a/container/web"}
    eventually(lambda: "withheld" in block(web)[0])
