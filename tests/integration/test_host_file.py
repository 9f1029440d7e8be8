"""Files on the host that subscribe: they get every name of the engine, and keep their foreign lines."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Lab, eventually, make_network, newest_only

FOREIGN = "127.0.0.1\tlocalhost\n192.0.2.7 given # mine\n\n"


def compose(project: str, service: str, number: int = 1) -> dict[str, str]:
    """The labels by which Compose marks a container."""
    return {
        "com.docker.compose.project": project,
        "com.docker.compose.service": service,
        "com.docker.compose.container-number": str(number),
    }


def block(path: Path) -> list[str]:
    """The lines of the block in a file; none before the whole block is there."""
    _, _, rest = path.read_text().partition("# hostwatch: begin\n")
    lines, end, _ = rest.partition("# hostwatch: end\n")
    return lines.splitlines() if end else []


def records(path: Path) -> dict[str, list[str]]:
    """The names in a file's block with their addresses."""
    found: dict[str, list[str]] = {}
    for line in block(path):
        address, *names = line.partition("#")[0].split() or [""]
        for name in names:
            found.setdefault(name, []).append(address)
    return found


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    """A hosts file on the host."""
    path = tmp_path / "etc" / "hosts"
    path.parent.mkdir()
    path.write_text(FOREIGN)
    return path


def configuration(lab: Lab, path: Path, more: str = 'services: "*"', linger: str = "0") -> str:
    """A configuration with the file as its subscriber."""
    return lab.configured(f"subscribers:\n  this-host: {{file: {path}, {more}}}\ntiming: {{linger: {linger}}}\n")


def test_every_name_in_a_file_on_the_host(lab: Lab, hosts: Path) -> None:
    """Containers, aliases, `service` and `service.project`, replicas, a service that moves, and a removed container."""
    back = make_network(lab.client, "back", "10.124.0.0/16")
    lab.run("db", address="10.123.7.7")
    for number in (1, 2):
        lab.run(f"shop-web-{number}", address=f"10.123.8.{number}", labels=compose("shop", "web", number))
    other = lab.create("other-api-1", network="back", labels=compose("other", "api"))
    other.start()
    aliased = lab.create("aliased", address="10.123.7.9")
    back.connect(aliased, aliases=["by-alias"], ipv4_address="10.124.7.9")
    aliased.start()
    lab.run("on-host", network_mode="host")
    inode = hosts.stat().st_ino
    with lab.hostwatch("-c", configuration(lab, hosts)):
        replicas = ["10.123.8.1", "10.123.8.2"]
        eventually(lambda: len(records(hosts)) >= 10)
        found = records(hosts)
        assert found["db"] == ["10.123.7.7"]
        assert (found["web"], found["web.shop"], found["shop-web-2"]) == (replicas, replicas, ["10.123.8.2"])
        assert found["api"] == found["api.other"] == found["other-api-1"]
        assert found["by-alias"] == found["aliased"] == ["10.124.7.9"]
        assert found["on-host"] == ["127.0.0.1"]
        lab.client.containers.get("db").remove(force=True)
        eventually(lambda: "db" not in records(hosts))
        lab.run("db", address="10.123.7.8")
        eventually(lambda: records(hosts).get("db") == ["10.123.7.8"])
    assert hosts.read_text().startswith(FOREIGN)
    assert hosts.stat().st_ino == inode
    lab.command("clean", "-c", configuration(lab, hosts))
    assert hosts.read_text() == FOREIGN


@newest_only
def test_the_only_name_of_the_engine_lingers(lab: Lab, hosts: Path) -> None:
    """A restart at the same address is no change, even if the file has no other name."""
    db = lab.run("db", address="10.123.7.7")
    with lab.hostwatch("-c", configuration(lab, hosts, linger="1h")) as hostwatch:
        eventually(lambda: records(hosts) == {"db": ["10.123.7.7"]})
        for _ in range(3):
            db.restart(timeout=0)
        spare = lab.run("spare", address="10.123.7.8")
        eventually(lambda: records(hosts) == {"db": ["10.123.7.7"], "spare": ["10.123.7.8"]})
        spare.remove(force=True)
    changes = [line.partition("this-host: ")[2] for line in hostwatch.log.splitlines() if " → " in line]
    assert [change.partition(" (")[0] for change in changes] == ["db - → 10.123.7.7", "spare - → 10.123.7.8"]


def test_short_names_of_two_projects_are_withheld(lab: Lab, hosts: Path) -> None:
    """They are reported. The long names stay, and so does a short name that only one project has."""
    for number, project in enumerate(("shop", "blog")):
        lab.run(f"{project}-db-1", address=f"10.123.8.{number}", labels=compose(project, "db"))
    with lab.hostwatch("-c", configuration(lab, hosts)) as hostwatch:
        eventually(lambda: records(hosts))
        found = records(hosts)
        assert (found["db.shop"], found["db.blog"]) == (["10.123.8.0"], ["10.123.8.1"])
        assert "db" not in found
        reason = "db: claimed by blog-db-1 and shop-db-1"
        assert f"# withheld: @{{db.ip}} db  ({reason})" in block(hosts)
        eventually(lambda: f"this-host: withheld: @{{db.ip}} db ({reason})" in hostwatch.log)
        lab.client.containers.get("blog-db-1").remove(force=True)
        eventually(lambda: records(hosts).get("db") == ["10.123.8.0"])


@newest_only
def test_names_by_patterns(lab: Lab, hosts: Path) -> None:
    """With a suffix, and by Compose. A service that moves has them all at its new address, and `why` explains them.

    Programs of the host find them. A host name with a dot that a container chose is refused, and said.
    """
    patterns = '["{name}", "{name}.docker", "{service}.{project}.internal", "{hostname}"]'
    chosen = configuration(lab, hosts, f'services: "*", publish_as: {patterns}')
    lab.run("db", address="10.123.7.7", hostname="github.com")
    for number in (1, 2):
        lab.run(f"shop-web-{number}", address=f"10.123.8.{number}", labels=compose("shop", "web", number))
    dotted = lab.run("a.b", address="10.123.7.9")
    with lab.hostwatch("-c", chosen) as hostwatch:
        replicas = ["10.123.8.1", "10.123.8.2"]
        eventually(lambda: records(hosts).get("web.docker") == replicas and "a.b.docker" in records(hosts))
        found = records(hosts)
        assert found["db"] == found["db.docker"] == ["10.123.7.7"]
        assert found["web"] == found["web.shop"] == found["web.shop.docker"] == found["web.shop.internal"] == replicas
        assert found["a.b.docker"] == found[str(dotted.id)[:12]] == ["10.123.7.9"]
        assert {"a.b", "github.com"}.isdisjoint(found)
        reason = "github.com: a container chose this name, and it may be that of another host"
        assert f"# withheld: @{{github.com.ip}} github.com  ({reason}" in hosts.read_text()
        eventually(lambda: f"this-host: withheld: @{{github.com.ip}} github.com ({reason}" in hostwatch.log)
        look_up = f"mount --bind {hosts} /etc/hosts && getent ahostsv4 db.docker"
        output = subprocess.check_output(["unshare", "--mount", "sh", "-c", look_up], text=True)
        assert output.split()[0] == "10.123.7.7"
        lab.client.containers.get("db").remove(force=True)
        lab.run("db", address="10.123.7.8")
        eventually(lambda: records(hosts).get("db.docker") == ["10.123.7.8"])
        assert records(hosts)["db"] == ["10.123.7.8"]
        told = lab.command("why", "this-host", "web.shop.internal", "-c", chosen).stdout
        assert "web.shop.internal is {service}.{project}.internal (hostwatch.yaml:2) of shop-web-1, shop-web-2" in told
        assert "db.docker" not in told
        (shown,) = json.loads(lab.command("status", "this-host", "-c", chosen, "--json").stdout)["subscribers"]
        (origin,) = (each["origin"] for each in shown["records"] if "db.docker" in each["names"])
        assert origin == "hostwatch.yaml:2"


@newest_only
def test_templates_in_a_file_on_the_host(lab: Lab, hosts: Path) -> None:
    """They have references to all kinds of names, names of foreign lines and of the host itself, and `self`."""
    lab.run("shop-db-1", address="10.123.8.1", labels=compose("shop", "db") | {"hostwatch.names": "mysql"})
    lines = ["@{db.ip} a", "@{db.shop.ip} b", "@{mysql.ip} c", "@{shop-db-1.ip} given", "@{self.ip} @{self.name}.here"]
    text = json.dumps("\n".join(lines))
    lab.command("sync", "-c", configuration(lab, hosts, f"hosts: {text}"))
    address = ["10.123.8.1"]
    assert records(hosts) == {"a": address, "b": address, "c": address, "this-host.here": ["127.0.0.1"]}
    assert block(hosts)[-1] == "# withheld: 10.123.8.1 given  (given: shadowed by 192.0.2.7 in the file)"


@newest_only
def test_commands_show_a_file_on_the_host(lab: Lab, hosts: Path) -> None:
    """`plan` shows it before a `sync`, and `status` after it."""
    lab.run("db", address="10.123.7.7")
    chosen = configuration(lab, hosts)
    diff = lab.command("plan", "-c", chosen).stdout
    assert f"+++ b/this-host:{hosts}\n" in diff
    assert "\n+10.123.7.7      db\n" in diff
    assert lab.command("sync", "-c", chosen).stdout == "this-host: brought right\n"
    (shown,) = json.loads(lab.command("status", "-c", chosen, "--json").stdout)["subscribers"]
    assert {key: shown[key] for key in ("name", "kind", "path", "writer", "in_sync", "error")} == {
        "name": "this-host",
        "kind": "file",
        "path": str(hosts),
        "writer": "path",
        "in_sync": True,
        "error": None,
    }


@newest_only
@pytest.mark.parametrize("missing", ["directory", "file"])
def test_a_missing_file_is_told_and_kept_once_it_is_there(lab: Lab, hosts: Path, missing: str) -> None:
    """Start and `sync` print a clear error. hostwatch notices the new file, or its replacement, before any resync."""
    lab.run("db", address="10.123.7.7")
    hosts.unlink()
    if missing == "directory":
        hosts.parent.rmdir()
    chosen = configuration(lab, hosts)
    assert f"this-host: {hosts} is not there" in lab.command("sync", "-c", chosen, status=1).stderr
    with lab.hostwatch("-c", chosen) as hostwatch:
        eventually(lambda: f"ERROR   this-host: refused: {hosts} is not there" in hostwatch.log)
        assert not hosts.exists()
        hosts.parent.mkdir(exist_ok=True)
        hosts.write_text(FOREIGN)
        eventually(lambda: "db" in records(hosts))
        replacement = hosts.with_name("new")
        replacement.write_text("192.0.2.1 new\n")
        replacement.rename(hosts)
        eventually(lambda: "db" in records(hosts))
        hosts.write_text("192.0.2.2 newer\n")
        eventually(lambda: "db" in records(hosts))
        assert hosts.read_text().startswith("192.0.2.2 newer\n# hostwatch: begin\n")
    assert hostwatch.log.count("is not there") == 1


@newest_only
def test_a_link_is_not_followed(lab: Lab, hosts: Path) -> None:
    """The file is refused. Its directory may be a link, as /var/run is."""
    lab.run("db", address="10.123.7.7")
    link = hosts.with_name("link")
    link.symlink_to(hosts)
    assert "put a real file there" in lab.command("sync", "-c", configuration(lab, link), status=1).stderr
    assert hosts.read_text() == FOREIGN
    folder = hosts.parent.with_name("linked")
    folder.symlink_to(hosts.parent)
    lab.command("sync", "-c", configuration(lab, folder / "hosts"))
    assert "db" in records(hosts)


@newest_only
def test_a_command_tells_of_a_change(lab: Lab, hosts: Path) -> None:
    """It runs once for each settled change. A failure is logged with the command's output, and tried again."""
    told, refuse = hosts.with_name("told"), hosts.with_name("refuse")
    script = f'if [ -e {refuse} ]; then echo "not now" >&2; exit 7; fi; echo "$0" >>{told}'
    more = f"services: [db], notify: {{command: [sh, -c, '{script}', 'a b']}}"
    with lab.hostwatch("-c", configuration(lab, hosts, more)) as hostwatch:
        eventually(lambda: "db: no running container" in hosts.read_text())
        refuse.touch()
        lab.run("db", address="10.123.7.7")
        eventually(lambda: "exit status 7: not now; it will be tried again" in hostwatch.log)
        refuse.unlink()
        eventually(lambda: told.exists() and told.read_text() == "a b\n")
        eventually(lambda: "this-host: notified by command: sh -c " in hostwatch.log)
        assert "(db - → 10.123.7.7)" in hostwatch.log


@pytest.mark.parametrize("labels", [{}, {"hostwatch.hosts": "@{web.ip} own"}], ids=["nobody's", "a subscriber's"])
def test_a_copy_of_the_host_s_file_keeps_no_block_of_it(lab: Lab, labels: dict[str, str]) -> None:
    """A container in host mode begins with a copy of the host's file. Its block would never be updated."""
    holder = lab.engine.holder
    assert holder is not None
    own = Path(f"/proc/{holder.pid}/root/etc/hosts")
    before = own.read_text()
    own.write_text(f"{before}# hostwatch: begin\n10.123.7.7      db\n# hostwatch: end\n10.9.9.9\tbehind\n")
    try:
        with lab.hostwatch() as hostwatch:
            lab.run("web", address="10.123.7.8")
            copied = lab.run("copied", network_mode="host", labels=labels)
            eventually(lambda: "behind" in lab.hosts(copied) and "10.123.7.7 " not in lab.hosts(copied))
            if labels:
                eventually(lambda: lab.records(copied) == {"own": ["10.123.7.8"]})
            else:
                eventually(lambda: "hostwatch" not in lab.hosts(copied))
                eventually(lambda: "copied: block removed, as nobody subscribes to it" in hostwatch.log)
    finally:
        own.write_text(before)
