"""A real dnsmasq and a real unbound that come back on other addresses, and programs that look names up meanwhile."""

import pytest
from docker.models.containers import Container

from tests import dns
from tests.conftest import Lab, eventually, newest_only

pytestmark = newest_only

NAME = "printer.test"
UNBOUND = """\
server:
  interface: 0.0.0.0
  access-control: 0.0.0.0/0 allow
  chroot: ""
  directory: /tmp
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  module-config: iterator
  local-zone: test. static
  local-data: "{name}. A {answer}"
remote-control:
  control-enable: no
"""
SERVERS = {
    "dnsmasq": "exec dnsmasq -k --user=root --pid-file= --no-resolv --no-hosts --address=/{name}/{answer}",
    "unbound": f"echo '{UNBOUND}' >/tmp/unbound.conf; exec unbound -d -c /tmp/unbound.conf",
}
LINES = {"hostwatch.resolv": "nameserver @{dns.ip}\noptions timeout:1 attempts:1"}
MOVES = 2


def resolv_path(lab: Lab, container: Container) -> str:
    """The file's path on the host."""
    return str(lab.hosts_path(container).parent / "resolv.conf")


def told(container: Container) -> str:
    """The last answer that the program in the container was given."""
    return container.logs(tail=1).decode().strip()


def started(container: Container) -> object:
    """When it was last started."""
    container.reload()
    return container.attrs["State"]["StartedAt"]


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_that_comes_back_elsewhere_is_asked_at_once(lab: Lab, server: str) -> None:
    """Its own first act is to read its clients' files: each has its address, before it answers anybody.

    A program that runs on is told by the new server, with glibc and with musl.
    """
    with lab.hostwatch() as hostwatch:
        clients = [
            lab.run(library, f"exec lookup-{library} {NAME}", labels=LINES, volumes=dns.mounts())
            for library in dns.LIBRARIES
        ]
        begun = [started(client) for client in clients]
        peers = [f"{resolv_path(lab, client)}:/peer-{client.name}:ro" for client in clients]
        for move in range(MOVES + 1):
            answer = f"192.0.2.{10 + move}"
            command = f"cat /peer-*; echo ---; {SERVERS[server].format(name=NAME, answer=answer)}"
            made = lab.run("dns", command, f"10.123.7.{9 + move}", volumes=[*dns.mounts(), *peers])
            eventually(lambda made=made: b"---" in made.logs())  # type: ignore[misc]
            first_act = made.logs().partition(b"---")[0].decode()
            assert first_act.count(f"nameserver 10.123.7.{9 + move} ") == len(clients), hostwatch.log
            for client in clients:
                eventually(lambda client=client, answer=answer: told(client) == answer)  # type: ignore[misc]
            if move < MOVES:
                made.remove(force=True)
        assert [started(client) for client in clients] == begun
