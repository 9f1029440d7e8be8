"""Subscribers whose resolv.conf names the nameservers of the host, which move from one network to another."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from tests import engine as engines
from tests.conftest import Hostwatch, Lab, eventually, make_lab, newest_only

pytestmark = newest_only

AT = """\
import sys
from pathlib import Path
from hostwatch.cli import main
from hostwatch.hosts import host_resolver
host_resolver.ON_HOST = host_resolver.Place(*map(Path, sys.argv[1:3]))
sys.argv[:] = ["hostwatch", *sys.argv[6:]]
main()
"""
"""hostwatch on a host with these two files. Its own command line, as a lab makes it, comes behind them."""
HOST = {"hostwatch.resolv": "nameserver host\nsearch host"}
STUB = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n"


@dataclass(frozen=True)
class Host:
    """The host's own files, and hostwatch on it."""

    lab: Lab
    file: Path
    upstream: Path
    hostwatch: Hostwatch

    def replace(self, path: Path, *lines: str) -> None:
        """Put a new file in the place of the old one, as NetworkManager and systemd-resolved do."""
        new = path.with_name(f"{path.name}.NEW")
        new.write_text("".join(f"{line}\n" for line in lines))
        new.rename(path)

    def block(self, container: Container) -> list[str]:
        """The lines of the block in a container's resolv.conf, without the blanks behind a nameserver."""
        text = (self.lab.hosts_path(container).parent / "resolv.conf").read_text()
        head, _, _ = text.partition("# hostwatch: end\n")
        return [line.rstrip() for line in head.splitlines()[1:]] if head.startswith("# hostwatch: begin\n") else []

    def follow(self, containers: list[Container], *lines: str) -> None:
        """Wait until the block of each container has these lines."""
        for container in containers:
            eventually(lambda: self.block(container) == [*lines])  # noqa: B023 (called at once)


@pytest.fixture(scope="module")
def host(
    engine: engines.Engine, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    """A host with files of its own, on which hostwatch runs."""
    directory = tmp_path_factory.mktemp("host")
    file, upstream = directory / "etc" / "resolv.conf", directory / "run" / "systemd" / "resolve" / "resolv.conf"
    file.parent.mkdir()
    file.write_text("nameserver 192.0.2.1\n")
    with make_lab(engine, client, directory) as lab:
        lab.within = (sys.executable, "-c", AT, str(file), str(upstream))
        with lab.hostwatch() as hostwatch:
            yield Host(lab, file, upstream, hostwatch)


@pytest.fixture(scope="module")
def subscribers(host: Host) -> list[Container]:
    """Containers on a network of a user, on the default bridge, and in the host's network."""
    return [
        host.lab.run("web", labels=HOST),
        host.lab.run("bridged", labels=HOST, network="bridge"),
        host.lab.run("on-host", labels=HOST, network_mode="host"),
    ]


def test_nothing_of_the_host_is_read_before_it_is_asked_for(host: Host) -> None:
    """Nor after that. A subscriber that asks for it finds it at its first instruction."""
    assert "nameservers of the host" not in host.hostwatch.log
    host.lab.run("other", labels={"hostwatch.resolv": "nameserver 192.0.2.9"})
    asking = host.lab.run("asking", "cp /etc/resolv.conf /seen; exec sleep 1000", labels=HOST)
    host.follow([asking], "nameserver 192.0.2.1", "# withheld: search host  (the host has no search domains)")
    assert "nameserver 192.0.2.1 " in host.lab.first_read(asking)
    host.lab.clear()
    eventually(lambda: "asking" not in host.lab.command("status").stdout)
    count = host.hostwatch.log.count("nameservers of the host")
    host.replace(host.file, "nameserver 192.0.2.2")
    host.lab.run("other", labels={"hostwatch.resolv": "nameserver 192.0.2.9"})
    assert host.hostwatch.log.count("nameservers of the host") == count
    host.lab.clear()


def test_every_subscriber_follows_the_host(host: Host, subscribers: list[Container]) -> None:
    """A file that is replaced, written in place, and one that systemd-resolved takes over."""
    host.replace(host.file, "nameserver 192.0.2.1")
    host.follow(subscribers, "nameserver 192.0.2.1", "# withheld: search host  (the host has no search domains)")
    host.replace(host.file, "search example.org", "nameserver 198.51.100.7")
    host.follow(subscribers, "nameserver 198.51.100.7", "search example.org")
    told = re.compile(r"nameserver 192\.0\.2\.1 → 198\.51\.100\.7.* \(the host's resolv\.conf, ")
    eventually(lambda: told.search(host.hostwatch.log))
    host.file.write_text("nameserver 203.0.113.5\nsearch example.net\n")
    host.follow(subscribers, "nameserver 203.0.113.5", "search example.net")
    host.upstream.parent.mkdir(parents=True)
    host.replace(host.upstream, "nameserver 192.0.2.53", "search corp.example")
    host.upstream.with_name("stub-resolv.conf").write_text(STUB)
    host.file.unlink()
    host.file.symlink_to("../run/systemd/resolve/stub-resolv.conf")
    host.follow(subscribers, "nameserver 192.0.2.53", "search corp.example")
    host.replace(host.upstream, "nameserver 192.0.2.54", "search corp.example")
    host.follow(subscribers, "nameserver 192.0.2.54", "search corp.example")


def test_a_host_without_a_nameserver(host: Host, subscribers: list[Container]) -> None:
    """For a moment nothing changes. If it has only loopback servers, the line is withheld, and doctor says so."""
    host.replace(host.file, "nameserver 192.0.2.7", "search example.org")
    host.follow(subscribers, "nameserver 192.0.2.7", "search example.org")
    host.file.unlink()
    host.file.touch()
    host.replace(host.file, "# Generated by NetworkManager")
    host.replace(host.file, "nameserver 192.0.2.8", "search example.org")
    host.follow(subscribers, "nameserver 192.0.2.8", "search example.org")

    def followers() -> list[str]:
        """What came after the first nameserver, as the log has it, which is written after the files."""
        return re.findall(r"nameserver 192\.0\.2\.7 → (\S+)", host.hostwatch.log)

    eventually(lambda: len(followers()) == len(subscribers))
    assert followers() == ["192.0.2.8"] * len(subscribers)
    host.replace(host.file, "nameserver 127.0.0.1", "search example.org")
    reason = "the host uses only loopback nameservers (127.0.0.1)"
    host.follow(subscribers, "search example.org", f"# withheld: nameserver host  ({reason})")
    assert f"WARNING nameservers of the host: none; {reason}\n" in host.hostwatch.log
    found = host.lab.command("doctor", status=1).stdout
    assert f"`nameserver host`: {reason}\n" in found
