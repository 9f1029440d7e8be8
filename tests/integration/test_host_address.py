"""`HostIp` and `advertise: auto` on real engines: between networks that do not meet, with real traffic."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import Lab, eventually, make_network, newest_only

OWN, NEXT = "203.0.113.7", "203.0.113.8"
SERVE = "mkdir /www && echo hello >/www/index.html && exec httpd -f -p 80 -h /www"
HOST_IP = {"hostwatch.hosts": "@{db.HostIp} db"}


def ip(lab: Lab, line: str) -> None:
    """Change the addresses and routes of the engine's host."""
    subprocess.run([*on_host(lab), "ip", *line.split()], check=True)


def on_host(lab: Lab) -> tuple[str, ...]:
    """The beginning of a command that runs in the network of the engine's host."""
    assert lab.engine.holder is not None
    return "nsenter", f"--target={lab.engine.holder.pid}", "--net"


@pytest.fixture
def routed(lab: Lab) -> Iterator[Lab]:
    """A lab on a host with a default route, where hostwatch runs on that host."""
    lab.within = on_host(lab)
    for address in (OWN, NEXT):
        ip(lab, f"address add {address}/32 dev lo")
    ip(lab, f"route add default dev docker0 src {OWN}")
    yield lab
    for address in (OWN, NEXT):
        ip(lab, f"address del {address}/32 dev lo")


@newest_only
def test_a_published_port_needs_no_network_in_common(routed: Lab) -> None:
    """It is reached by the name, on the host's own address, and that is followed while it changes."""
    lab = routed
    make_network(lab.client, "back", "10.124.0.0/16")
    configuration = lab.configured("advertise: auto\ntiming: {linger: 0.2s}\n")
    web = lab.run("web", labels=HOST_IP)
    with lab.hostwatch("-c", configuration):
        lab.run("db", SERVE, network="back", ports={"80/tcp": 8080})
        eventually(lambda: lab.records(web) == {"db": [OWN]})
        get = ["wget", "-qO-", "-T5", "http://db:8080/"]
        assert eventually(lambda: web.exec_run(get).output == b"hello\n")
        ip(lab, f"route change default dev docker0 src {NEXT}")
        eventually(lambda: lab.records(web) == {"db": [NEXT]})
        assert web.exec_run(get).output == b"hello\n"
        ip(lab, "route del default")
        eventually(lambda: "this host has no default route" in "".join(lab.block(web)))
        ip(lab, f"route add default dev docker0 src {OWN}")
        eventually(lambda: lab.records(web) == {"db": [OWN]})
        why = lab.command("why", "web").stdout
        assert "containers out of reach, by their own names: db" in why
        assert f"taken: it runs, and the host is {OWN}" in why


@newest_only
def test_ports_count_as_they_are_bound(lab: Lab) -> None:
    """In a running container, whatever ended before; those of one that joins another are that one's."""
    lines = "@{db.HostIp} db\n@{db.HostIp[80]} db-80\n@{side.HostIp[81]} side-81\n@{quiet.HostIp} quiet"
    web = lab.run("web", labels={"hostwatch.hosts": lines})
    local = lab.run("local", network_mode="host", labels=HOST_IP)
    bound = lab.configured("")
    with lab.hostwatch("-c", bound):
        two = {"80/tcp": ("127.0.0.2", 8080), "81/tcp": ("127.0.0.1", 8081)}
        db = lab.run("db", ports=two)
        lab.run("side", network_mode="container:db")
        quiet = lab.run("quiet")
        eventually(lambda: "quiet publishes no port" in "".join(lab.block(web)))
        withheld = "".join(lab.block(web))
        assert "db publishes its ports on several addresses: 127.0.0.1 (81/tcp), 127.0.0.2 (80/tcp)" in withheld
        assert "db publishes its ports on 127.0.0.2, which only the host itself reaches" in withheld
        assert "db publishes its ports on 127.0.0.1, which only the host itself reaches" in withheld
        db.remove(force=True)
        lab.run("db", ports={"80/tcp": ("127.0.0.1", 8080)})
        eventually(lambda: lab.records(local) == {"db": ["127.0.0.1"]})
        quiet.remove(force=True)
        lab.run("db2")
    assert lab.records(web) == {}
