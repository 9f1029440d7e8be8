"""`why` beside a real engine: each reason why a line says what it says, from the daemon and without one."""

import json
from typing import Any

from tests.conftest import Lab, eventually, make_network, newest_only

pytestmark = newest_only

ASKS = """\
@{conf.ip} conf
@{mq.ip} mq
@{db.ip} db
@{alias.ip} alias
@{label.ip} label
@{two.ip} two
@{far.ip} far
@{job.ip} job
@{nobody.ip} nobody
@{db.ip} shadowed
@{self.ip} me-too
192.0.2.1 fixed
"""
CONFIGURATION = """\
services:
  conf: {{match: {{name: conf-*}}}}
subscribers:
  by-exec:
    match: {{name: by-exec}}
    writer: exec
    services: db
  this-host:
    file: {file}
    services: "*"
"""
SHOP = {"com.docker.compose.project": "shop"}


def service(name: str, **more: str) -> dict[str, str]:
    """The labels of a compose service."""
    return SHOP | {"com.docker.compose.service": name} | more


def explained(lab: Lab, *arguments: str, by: str = "daemon") -> dict[str, dict[str, Any]]:
    """The explained lines of the only subscriber that is meant, by the lines."""
    found = json.loads(lab.command("why", "--json", *arguments).stdout)
    assert found["worked_out_by"] == by
    (subscriber,) = found["subscribers"]
    return {line["line"]: line for line in subscriber["lines"]}


def steps(line: dict[str, Any], kind: str) -> str:
    """The texts of a line's steps of one kind."""
    return "\n".join(step["text"] for step in line["steps"] if step["kind"] == kind)


def scene(lab: Lab) -> str:
    """A subscriber with a line for each reason; returns the path of the configuration."""
    make_network(lab.client, "far", "10.124.0.0/16")
    lab.run("conf-1", address="10.123.7.1")
    lab.run("shop-mq-1", address="10.123.7.2", labels=service("mq"))
    lab.run("db", address="10.123.7.3")
    named = lab.create("named")
    lab.network.disconnect(named)
    lab.network.connect(named, aliases=["alias"], ipv4_address="10.123.7.4")
    named.start()
    lab.run("told", address="10.123.7.5", labels={"hostwatch.names": "label two"})
    lab.run("other", address="10.123.7.6", labels={"hostwatch.names": "two"})
    lab.run("far", network="far")
    lab.run("shop-job-run-1", labels=service("job") | {"com.docker.compose.oneoff": "True"})
    labels = service("web") | {"hostwatch.hosts": ASKS}
    lab.run("shop-web-1", address="10.123.7.9", labels=labels, extra_hosts={"shadowed": "10.9.9.9"})
    lab.run("by-exec")
    host_file = lab.directory / "hosts"
    host_file.write_text("127.0.0.1 localhost\n")
    return lab.configured(CONFIGURATION.format(file=host_file))


def check_web(lines: dict[str, dict[str, Any]]) -> None:
    """Each line of the subscriber is explained as it is."""
    asked = "label hostwatch.hosts of shop-web-1"
    for name, tier, container, address in (
        ("conf", "config", "conf-1", "10.123.7.1"),
        ("mq", "compose", "shop-mq-1", "10.123.7.2"),
        ("db", "container", "db", "10.123.7.3"),
        ("alias", "alias", "named", "10.123.7.4"),
        ("label", "label", "told", "10.123.7.5"),
    ):
        line = lines[f"@{{{name}.ip}} {name}"]
        (record,) = line["records"]
        assert (line["state"], line["asked_by"]) == ("published", asked)
        assert (
            record.items()
            >= {
                "address": address,
                "names": [name],
                "origin": asked,
                "service": name,
                "tier": tier,
                "container": container,
                "network": "front",
            }.items()
        )
        assert f"{container}; this is the one that counts" in steps(line, "tier") or tier == "config"
        assert steps(line, "taken") == f"taken: {address} on front, where both are"
    for text, reason, step in (
        ("@{two.ip} two", "two: claimed by other and told", "decides who is meant"),
        ("@{far.ip} far", "far: no shared network with far (on far)", "docker network connect"),
        ("@{job.ip} job", "job: no running container", "is a container of `docker compose run`"),
        ("@{nobody.ip} nobody", "nobody: no running container", "a service nobody in the compose project shop"),
        (
            "@{db.ip} shadowed",
            "shadowed: shadowed by 10.9.9.9 in the file",
            "`extra_hosts` and `--add-host` stay until",
        ),
    ):
        found = lines[text]
        assert (found["state"], found["reason"], found["records"]) == ("withheld", reason, [])
        assert step in steps(found, "would_change") + steps(found, "passed")
    assert lines["@{self.ip} me-too"]["records"][0].items() >= {"tier": "self", "address": "10.123.7.9"}.items()
    assert lines["192.0.2.1 fixed"]["records"][0].items() >= {"tier": None, "service": None}.items()


def test_each_line_is_explained_with_and_without_a_daemon(lab: Lab) -> None:
    """By both alike; the command says what it does not know."""
    configuration = scene(lab)
    alone = explained(lab, "shop-web-1", "-c", configuration, by="command")
    check_web(alone)
    with lab.hostwatch("-c", configuration) as _:
        eventually(lambda: lab.command("status", "--json", "-c", configuration).stdout.count('"in_sync": true') == 3)
        asked = explained(lab, "shop-web-1", "-c", configuration)
        check_web(asked)
        assert {line: found["steps"] for line, found in asked.items()} == {
            line: found["steps"] for line, found in alone.items()
        }
        assert {record["since"] is None for found in asked.values() for record in found["records"]} == {False}
        held = [found for found in asked.values() if found["state"] == "withheld" and "shadowed" not in found["line"]]
        assert len(held) == 4
        assert None not in [found["since"] for found in held]
        check_others(lab, configuration)
        shown = lab.command("why", "shop-web-1", "db", "-c", configuration).stdout
        assert "far" not in shown
        assert "- taken: 10.123.7.3 on front, where both are" in shown
        assert "no daemon" not in shown
    assert "note: no daemon was asked" in lab.command("why", "shop-web-1", "db", "-c", configuration).stdout


def check_others(lab: Lab, configuration: str) -> None:
    """Files by exec and on the host, and words that mean nothing."""
    (line,) = explained(lab, "by-exec", "-c", configuration).values()
    assert (line["asked_by"], line["state"]) == ("hostwatch.yaml:7", "published")
    everyone = explained(lab, "this-host", "-c", configuration)
    assert any(line.startswith("@{conf.ip} conf") for line in everyone), everyone.keys()
    assert {line["asked_by"] for line in everyone.values()} == {"hostwatch.yaml:10"}
    assert steps(everyone["@{db.ip} db"], "taken").endswith(
        "10.123.7.3 on front, the first network that the host reaches"
    )
    wrong = lab.command("why", "shop-wbe-1", "-c", configuration, status=1)
    assert (wrong.stdout, "did you mean shop-web-1?" in wrong.stderr) == ("", True)
    assert "sdb: no line gives" in lab.command("why", "shop-web-1", "sdb", "-c", configuration, status=1).stderr


def test_what_lingers_and_what_is_lost_is_known_to_the_daemon(lab: Lab) -> None:
    """A line that lingers says until when; one whose address another container has says who has it."""
    db = lab.run("db", address="10.123.7.3")
    lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db"})
    configuration = lab.configured("timing: {linger: 10m}")
    with lab.hostwatch("-c", configuration, ready="web: ") as hostwatch:
        db.remove(force=True)
        lingering = eventually(lambda: [line for line in explained(lab, "web").values() if line["state"] == "lingers"])
        assert lingering[0]["records"][0]["address"] == "10.123.7.3"
        assert lingering[0]["records"][0]["container"] == "db"
        assert "10.123.7.3 db lingers until 2" in steps(lingering[0], "lingers")
        lab.run("thief", address="10.123.7.3")
        lost = eventually(lambda: [line for line in explained(lab, "web").values() if line["state"] == "withheld"])
        assert steps(lost[0], "lost") == "its last address 10.123.7.3 belongs to thief now"
        assert "; its last address 10.123.7.3 is thief's now" in lost[0]["reason"]
        eventually(lambda: "withheld: @{db.ip} db" in hostwatch.log)


HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


def test_hostile_labels_are_data(lab: Lab) -> None:
    """They are shown, cannot act on a terminal, and slow nothing down."""
    lab.run(
        "evil", labels={"hostwatch.names": HOSTILE, "hostwatch.hosts": HOSTILE, "com.docker.compose.service": HOSTILE}
    )
    lab.run("huge", labels={"hostwatch.names": "x" * 100_000, "com.docker.compose.project": "y" * 100_000})
    lab.run(
        "web", labels={"hostwatch.hosts": "@{evil.ip} evil\n@{nobody.ip} nobody", "com.docker.compose.project": HOSTILE}
    )
    shown = lab.command("why", "web").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert json.loads(lab.command("why", "web", "--json").stdout)
