"""Subscribers by labels and by the configuration, their lines, and the effect of time on a line."""

import json

from docker.models.containers import Container

from tests.conftest import Lab, eventually, make_network, newest_only

pytestmark = newest_only

WANTS_DB = {"hostwatch.hosts": "@{db.ip} db"}
GONE = ["# withheld: @{db.ip} db  (db: no running container)"]


def synced(lab: Lab, *containers: Container, configuration: str | None = None) -> list[dict[str, list[str]]]:
    """The records in the containers' blocks after one `sync`."""
    lab.command("sync", *(["-c", lab.configured(configuration)] if configuration is not None else []))
    return [lab.records(container) for container in containers]


def withheld(lab: Lab, container: Container) -> list[str]:
    """The withheld lines of the container's block."""
    return [line for line in lab.block(container) if line.startswith("# withheld: ")]


def test_labels_of_subscribers(lab: Lab) -> None:
    """A template, services under their own names, all names in reach. A template's line wins over `services`."""
    lab.run("db", address="10.123.7.7", labels={"hostwatch.names": "mysql.internal db-main"})
    lab.run("cache", address="10.123.7.8")
    template = (
        "# a comment\n\n@{db.ip}  db  @{db.name}.example # why\n192.0.2.10\tlegacy\n2001:db8::1 six\n@{db.ip} @@{x}"
    )
    web = lab.run("web", labels={"hostwatch.hosts": template.rpartition("\n")[0]})
    api = lab.run("api", labels={"hostwatch.services": "db, cache"})
    both = lab.run("both", labels={"hostwatch.services": "db", "hostwatch.hosts": "192.0.2.1 db"})
    everything = lab.run("everything", address="10.123.7.9", hostname="self", labels={"hostwatch.services": "*"})
    found = synced(lab, web, api, both, everything)
    db, cache = ["10.123.7.7"], ["10.123.7.8"]
    names = {"db": db, "mysql.internal": db, "db-main": db}
    assert found[0] == {"db": db, "db.example": db, "legacy": ["192.0.2.10"], "six": ["2001:db8::1"]}
    assert found[1] == names | {"cache": cache}
    assert found[2] == names | {"db": ["192.0.2.1"]}
    assert found[3].items() >= (names | {"cache": cache}).items()
    assert {"web", "api", "both"} <= found[3].keys()


def test_labels_of_services(lab: Lab) -> None:
    """Other names, one network alone, required health, and `enable: false` in both roles."""
    back = make_network(lab.client, "back", "10.124.0.0/16")
    names = {"hostwatch.names": "mysql.internal"}
    db = lab.create("db", address="10.123.7.7", labels=names | {"hostwatch.network": "front"})
    back.connect(db)
    db.start()
    lab.run("shy", labels={"hostwatch.enable": "false"})
    check = {"test": ["CMD", "test", "-e", "/well"], "interval": 200_000_000, "timeout": 10**9, "retries": 1}
    sick = lab.run("sick", address="10.123.7.8", healthcheck=check, labels={"hostwatch.health": "required"})
    lab.run("ill", address="10.123.7.9", healthcheck=check)
    template = "@{mysql.internal.ip} mysql\n@{shy.ip} shy\n@{sick.ip} sick\n@{ill.ip} ill"
    web = lab.create("web", labels={"hostwatch.hosts": template})
    back.connect(web)
    web.start()
    off = lab.run("off", labels=WANTS_DB | {"hostwatch.enable": "false"})
    everything = lab.run("everything", labels={"hostwatch.services": "*"})
    well = {"mysql": ["10.123.7.7"], "ill": ["10.123.7.9"]}
    with lab.hostwatch():
        eventually(lambda: lab.records(web) == well)
        eventually(lambda: lab.records(everything))
        sick.exec_run(["touch", "/well"])
        eventually(lambda: lab.records(web) == well | {"sick": ["10.123.7.8"]})
        sick.exec_run(["rm", "/well"])
        eventually(lambda: lab.records(web) == well)
    assert "shy" not in lab.records(everything)
    assert "off" not in lab.records(everything)
    assert "hostwatch" not in lab.hosts(off)
    assert [line.partition("  (")[2] for line in withheld(lab, web)] == [
        "shy: no running container)",
        "sick: sick is unhealthy)",
    ]


def test_the_configuration_matches_by_every_key(lab: Lab) -> None:
    """Name, label, its value, image, project, service: all keys of a match must hold, and any glob of a list."""
    compose = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
    lab.run("shop-db-1", address="10.123.7.1", labels={"app": "db"})
    lab.run("other-db", address="10.123.7.2", labels={"app": "db"})
    lab.run("keyed", address="10.123.7.3", labels={"vip": ""})
    web = lab.run("web", labels=compose)
    plain = lab.run("plain")
    configuration = """\
services:
  db: {match: {name: "shop-db-*", label: {app: "d*"}}, names: [db, mysql.internal]}
  apps: {match: {label: {app: [db, cache]}}, names: app.internal}
  vip: {match: {label: vip}}
  nobody: {match: {name: "shop-db-*", image: "mariadb:*"}}
  images: {match: {image: "busy*", name: [keyed, nothing]}}
subscribers:
  web: {match: {project: shop, service: [api, web]}, services: [db, vip, nobody], hosts: "@{apps.ip[1]} second\\n"}
  others: {match: {name: "p[l]ain"}, hosts: "@{images.ip} image\\n@{other-db.ip} other"}
  none: {match: {project: shop, service: api}, hosts: "192.0.2.1 wrong"}
"""
    found = synced(lab, web, plain, configuration=configuration)
    assert found == [
        {"second": ["10.123.7.2"], "db": ["10.123.7.1"], "mysql.internal": ["10.123.7.1"], "vip": ["10.123.7.3"]},
        {"image": ["10.123.7.3"], "other": ["10.123.7.2"]},
    ]
    assert withheld(lab, web) == ["# withheld: @{nobody.ip} nobody  (nobody: no running container)"]


def test_the_configuration_comes_before_labels(lab: Lab) -> None:
    """Its services keep their names against any label. With `labels: false` labels have no effect."""
    lab.run("real", address="10.123.7.1")
    lab.run("db", address="10.123.7.2", labels={"hostwatch.names": "db"})
    web = lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db\n192.0.2.1 name"})
    configuration = """\
services: {db: {match: {name: real}}}
subscribers: {web: {match: {name: web}, hosts: "192.0.2.2 name"}}
"""
    assert synced(lab, web, configuration=configuration) == [{"name": ["192.0.2.2"], "db": ["10.123.7.1"]}]
    assert synced(lab, web, configuration=configuration + "labels: false\n") == [{"name": ["192.0.2.2"]}]
    lab.command("clean")
    assert synced(lab, web, configuration="labels: false\n") == [{}]
    assert "hostwatch" not in lab.hosts(web)


def test_many_lines_are_written_in_their_order(lab: Lab) -> None:
    """Two subscribers with 900 lines each, from a label and from the configuration."""
    lab.run("db", address="10.123.7.7")
    lines = [f"@{{db.ip}} db-{number} alias-{number}.internal" for number in range(900)]
    labelled = lab.run("labelled", labels={"hostwatch.hosts": "\n".join(lines)})
    configured = lab.run("configured")
    indented = "\n".join(f"      {line}" for line in lines)
    configuration = f"subscribers:\n  configured:\n    match: {{name: configured}}\n    hosts: |\n{indented}\n"
    wanted = [name for number in range(900) for name in (f"db-{number}", f"alias-{number}.internal")]
    for found in synced(lab, labelled, configured, configuration=configuration):
        assert list(found) == wanted
        assert {tuple(addresses) for addresses in found.values()} == {("10.123.7.7",)}


BAD_LABELS = {
    "open": ("hostwatch.hosts", "@{db.ip db"),
    "attribute": ("hostwatch.hosts", "@{db.nonsense} db"),
    "two-services": ("hostwatch.hosts", "@{db.ip} @{cache.name}"),
    "no-name": ("hostwatch.hosts", "192.0.2.1"),
    "no-address": ("hostwatch.hosts", "db 192.0.2.1"),
    "bad-name": ("hostwatch.hosts", "192.0.2.1 -x"),
    "bad-service": ("hostwatch.services", "db, -"),
    "half-a-star": ("hostwatch.services", "db *x"),
    "bad-names": ("hostwatch.names", "good -bad"),
    "an-address": ("hostwatch.names", "192.0.2.1"),
    "reserved": ("hostwatch.names", "localhost"),
    "neither": ("hostwatch.enable", "perhaps"),
    "sometimes": ("hostwatch.health", "sometimes"),
    "notice": ("hostwatch.notify", "SIGNAL"),
    "slip": ("hostwatch.host", "192.0.2.1 a-slip-of-the-pen"),
}


def test_a_bad_label_stops_nothing(lab: Lab) -> None:
    """The other labels of the container count, and so do other containers."""
    lab.run("db", address="10.123.7.7")
    with lab.hostwatch():
        for name in ("reserved", "notice"):
            label, value = BAD_LABELS[name]
            container = lab.run(name, labels=WANTS_DB | {label: value})
            eventually(lambda container=container: lab.records(container) == {"db": ["10.123.7.7"]})  # type: ignore[misc]
        refused = lab.run("open", labels={"hostwatch.hosts": "@{db.ip db", "hostwatch.services": "db"})
        eventually(lambda: lab.records(refused) == {"db": ["10.123.7.7"]})


def test_each_kind_of_bad_label_is_reported_once_by_name(lab: Lab) -> None:
    """Containers from before and after the start have a report with the label's name, and never a second one."""
    names = list(BAD_LABELS)

    def reports(name: str) -> list[str]:
        return [line for line in hostwatch.log.splitlines() if f" {name}: " in line]

    for name in names[::2]:
        lab.create(name, labels=dict([BAD_LABELS[name]]))
    with lab.hostwatch() as hostwatch:
        for name in names[1::2]:
            lab.create(name, labels=dict([BAD_LABELS[name]]))
        for name in names:
            eventually(lambda name=name: BAD_LABELS[name][0] in "".join(reports(name)))  # type: ignore[misc]
        again = lab.client.containers.get(names[0])
        again.start()
        again.rename("renamed")
        web = lab.run("web", labels={"hostwatch.hosts": "192.0.2.1 fixed"})
        eventually(lambda: lab.records(web))
    assert [len(reports(name)) for name in names] == [1] * len(names)
    assert reports("renamed") == []
    assert "neither a signal" in reports("notice")[0]


def test_names_that_belong_to_others_are_withheld(lab: Lab) -> None:
    """These are names of the image, of the subscriber, and of foreign lines. A comment has the reason."""
    lab.run("localhost", address="10.123.7.6")
    lab.run("db", address="10.123.7.7")
    own = {"hostwatch.hosts": "@{db.ip} web Web db\n@{db.ip} given given-here", "hostwatch.services": "*"}
    web = lab.run("web", hostname="web", labels=own, extra_hosts={"given": "10.9.9.9", "given-here": "10.123.7.7"})
    assert synced(lab, web) == [{"db": ["10.123.7.7"], "given-here": ["10.123.7.7"]}]
    told = "\n".join(withheld(lab, web))
    assert "web: the subscriber's own hostname" in told
    assert "given: shadowed by 10.9.9.9" in told


def test_no_label_can_add_a_line(lab: Lab) -> None:
    """Control characters, any line ends, and markers are refused, or stay within the names of one record."""
    lab.run("db", address="10.123.7.7")
    tricks = ["\r192.0.2.9 x", "\x85192.0.2.9 x", "\u2028192.0.2.9 x", "\x0b192.0.2.9 x", " # hostwatch: end"]
    webs = []
    for number, trick in enumerate(tricks):
        labels = {"hostwatch.hosts": f"@{{db.ip}} db{trick}", "hostwatch.names": f"x{trick}"}
        webs.append(lab.run(f"web-{number}", labels=labels))
    synced(lab)
    for web in webs:
        assert lab.hosts(web).count("hostwatch: end") <= 1
        assert lab.records(web).keys() <= {"db"}, lab.hosts(web)


def test_a_vanished_service_lingers_and_is_then_withheld(lab: Lab) -> None:
    """Its line stays for `timing.linger`, then a comment has the reason. The log has a line for each step."""
    with lab.hostwatch("-c", lab.configured("timing: {linger: 3s}")) as hostwatch:  # longer than a removal takes
        web = lab.run("web", labels=WANTS_DB)
        db = lab.run("db", address="10.123.7.7")
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.7"]})
        db.remove(force=True)
        assert lab.records(web) == {"db": ["10.123.7.7"]}
        eventually(lambda: lab.block(web) == GONE)
        lab.run("db", address="10.123.7.8")
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.8"]})
    told = [line.partition("INFO    web: ")[2].partition(" (")[0] for line in hostwatch.log.splitlines()]
    assert [line for line in told if line][-6:] == [
        "db - → 10.123.7.7",
        "no longer withheld: @{db.ip} db",
        "db 10.123.7.7 → -",
        "withheld: @{db.ip} db",
        "db - → 10.123.7.8",
        "no longer withheld: @{db.ip} db",
    ]


def test_a_recreation_within_linger_is_one_change(lab: Lab) -> None:
    """The line is not withheld between the two addresses. A restart at the same address is no change."""
    with lab.hostwatch("-c", lab.configured("timing: {linger: 1h}")) as hostwatch:
        web = lab.run("web", labels=WANTS_DB)
        db = lab.run("db", address="10.123.7.7")
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.7"]})
        db.restart(timeout=0)
        db.remove(force=True)
        lab.run("db", address="10.123.7.8")
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.8"]})
        eventually(lambda: "10.123.7.8" in hostwatch.log)
    assert [line.partition("web: ")[2].partition(" (")[0] for line in hostwatch.log.splitlines() if " → " in line] == [
        "db - → 10.123.7.7",
        "db 10.123.7.7 → 10.123.7.8",
    ]


def test_an_address_that_another_container_has_goes_at_once(lab: Lab) -> None:
    """Linger does not count: a name must not lead to a stranger. A comment names the new owner meanwhile."""
    now = "db: no running container; its last address 10.123.7.7 is stranger's now"
    with lab.hostwatch("-c", lab.configured("timing: {linger: 1h}")) as hostwatch:
        web = lab.run("web", labels=WANTS_DB)
        db = lab.run("db", address="10.123.7.7")
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.7"]})
        db.kill()
        stranger = lab.run("stranger", address="10.123.7.7")
        eventually(lambda: lab.block(web) == [f"# withheld: @{{db.ip}} db  ({now})"])
        lab.command("plan", "--exit-code")
        stranger.remove(force=True)
        eventually(lambda: lab.block(web) == GONE)
        assert hostwatch.log.count(": withheld: ") <= 2, hostwatch.log


def test_two_services_that_claim_a_name_are_both_withheld(lab: Lab) -> None:
    """Both claim it by `hostwatch.names`, until one is gone. Compose replicas are one service, and no conflict."""
    names = {"hostwatch.names": "mysql"}
    compose = {"com.docker.compose.project": "shop", "com.docker.compose.service": "db"}
    with lab.hostwatch("-c", lab.configured("timing: {linger: 0}")):
        web = lab.run("web", labels={"hostwatch.hosts": "@{mysql.ip} mysql"})
        for number in (1, 2):
            number_label = {"com.docker.compose.container-number": str(number)}
            lab.run(f"shop-db-{number}", address=f"10.123.7.{number}", labels=names | compose | number_label)
        replicas = {"mysql": ["10.123.7.1", "10.123.7.2"]}
        eventually(lambda: lab.records(web) == replicas)
        stranger = lab.run("stranger", address="10.123.7.9", labels=names)
        eventually(lambda: "claimed by" in "".join(lab.block(web)))
        assert lab.records(web) == {}
        stranger.remove(force=True)
        eventually(lambda: lab.records(web) == replicas)


def test_blocks_stay_at_the_end(lab: Lab) -> None:
    """The default is `on_exit: keep`. Nothing else changes after the end."""
    lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels=WANTS_DB)
    bare = lab.hosts(web)
    with lab.hostwatch() as hostwatch:
        eventually(lambda: lab.records(web))
        assert hostwatch.stop() == 0
    assert lab.hosts(web) == f"{bare}# hostwatch: begin\n10.123.7.7      db\n# hostwatch: end\n"
    assert "blocks removed" not in hostwatch.log


def test_a_subscriber_whose_network_is_gone_is_told(lab: Lab) -> None:
    """`container:X` lives on without X. It has only its old file, which an exec still reaches.

    Its lines are withheld, as others will get the addresses. The log has the remedy once. Lines that name the container
    have the reason, too. A later daemon finds the same.
    """
    reason = "the subscriber's network is gone, with the container whose network it used"
    error = "its network is gone with the container whose network it used (--network container:…); recreate it"
    configuration = lab.configured("timing: {linger: 0}")
    with lab.hostwatch("-c", configuration) as hostwatch:
        lab.run("db", address="10.123.7.7")
        vpn = lab.run("vpn", address="10.123.7.8")
        orphan = lab.run("orphan", network_mode="container:vpn", labels=WANTS_DB)
        web = lab.run("web", labels={"hostwatch.hosts": "@{orphan.ip} orphan"})
        eventually(lambda: "10.123.7.7      db" in lab.seen(orphan))
        eventually(lambda: lab.records(web) == {"orphan": ["10.123.7.8"]})
        vpn.remove(force=True)
        lab.run("vpn", address="10.123.7.8")
        told = f"# withheld: @{{db.ip}} db  (db: {reason})"
        eventually(lambda: told in lab.seen(orphan))
        eventually(lambda: "10.123.7.7" not in lab.seen(orphan))
        gone = "(orphan: the container whose network orphan uses is gone"
        eventually(lambda: any(gone in line for line in withheld(lab, web)))
        eventually(lambda: f"ERROR   orphan: {error}" in hostwatch.log)
        lab.client.containers.get("db").restart(timeout=0)
    assert hostwatch.log.count(error) == 1
    with lab.hostwatch("-c", configuration) as hostwatch:
        eventually(lambda: f"ERROR   orphan: {error}" in hostwatch.log)
        (status,) = (found for found in subscribers(lab) if found["name"] == "orphan")
        assert (status["in_sync"], status["error"], status["records"]) == (False, error, [])
        assert f"orphan: {error}" in lab.command("sync", "--force", "-c", configuration, status=1).stderr
        assert "problem  orphan: its network is gone" in lab.command("doctor", status=1).stdout
    assert told in lab.seen(orphan)


def subscribers(lab: Lab) -> list[dict[str, object]]:
    """The subscribers in the output of `status`."""
    found: list[dict[str, object]] = json.loads(lab.command("status", "--json").stdout)["subscribers"]
    return found
