"""The container's other file: /etc/resolv.conf, from a start to the end, on real engines."""

import json

from docker.models.containers import Container

from tests.conftest import Lab, eventually

DNS = {"hostwatch.resolv": "nameserver @{dns.ip}"}


def resolv(lab: Lab, container: Container) -> str:
    """The text of the file on the host."""
    return (lab.hosts_path(container).parent / "resolv.conf").read_text()


def follows(lab: Lab, container: Container, address: str) -> None:
    """Wait until the first line of the block is this nameserver."""
    head = f"# hostwatch: begin\nnameserver {address:<15}\n# hostwatch: end\n"
    eventually(lambda: resolv(lab, container).startswith(head))


def test_a_nameserver_is_followed(lab: Lab) -> None:
    """From the first instruction on, through moves of the service and restarts; foreign bytes stay."""
    with lab.hostwatch() as hostwatch:
        dns = lab.run("dns", address="10.123.7.1")
        web = lab.run("web", "cat /etc/resolv.conf; exec sleep 1000", labels=DNS)
        follows(lab, web, "10.123.7.1")
        bare = resolv(lab, web).partition("# hostwatch: end\n")[2]
        assert "nameserver 127.0.0.11" in bare
        eventually(lambda: web.logs().count(b"nameserver 127.0.0.11") == 1)
        assert web.logs().decode().startswith("# hostwatch: begin\nnameserver 10.123.7.1     \n# hostwatch: end\n")
        lab.network.disconnect(dns)
        lab.network.connect(dns, ipv4_address="10.123.7.22")
        follows(lab, web, "10.123.7.22")
        web.restart(timeout=0)
        follows(lab, web, "10.123.7.22")
        assert resolv(lab, web).partition("# hostwatch: end\n")[2].split() == bare.split()
        eventually(lambda: web.logs().count(b"nameserver 127.0.0.11") == 2)
        assert web.logs().count(b"nameserver 10.123.7.22") == 1
        shown = json.loads(lab.command("status", "--json").stdout)["subscribers"][0]["resolv"]
        assert shown["in_sync"]
        assert [line["line"] for line in shown["lines"]] == ["nameserver 10.123.7.22"]
        dns.remove(force=True)
        eventually(lambda: "nameserver 10." not in resolv(lab, web))
        assert "# withheld: nameserver @{dns.ip}  (dns: no running container)\n" in resolv(lab, web)
    assert "web: resolv.conf: nameserver 10.123.7.1 → 10.123.7.22" in hostwatch.log
