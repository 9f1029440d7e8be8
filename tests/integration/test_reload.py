"""SIGHUP: a valid configuration takes effect at once, an invalid one has no effect. Blocks without a subscriber go."""

import json
import re
import signal
from pathlib import Path

from tests.conftest import Hostwatch, Lab, eventually, newest_only
from tests.proxy import Proxy

pytestmark = newest_only

LEFT = "# hostwatch: begin\n192.0.2.1       left\n# hostwatch: end\n"


def reloaded(
    lab: Lab, hostwatch: Hostwatch, text: str, answer: str = "SIGHUP: the configuration was read again"
) -> None:
    """Give a running hostwatch another configuration, and wait for its log line."""
    before = hostwatch.log.count("SIGHUP:")
    lab.configured(text)
    hostwatch.process.send_signal(signal.SIGHUP)
    eventually(lambda: hostwatch.log.count("SIGHUP:") > before)
    eventually(lambda: answer in hostwatch.log)


def subscriber(name: str, more: str = "") -> str:
    """A configuration with one subscriber to `db`."""
    return f"subscribers: {{x: {{match: {{name: {name}}}, services: [db]}}}}\n{more}"


def test_another_configuration_is_followed_at_once(lab: Lab) -> None:
    """A former subscriber loses the block, a new one gets it, services change, and the connection stays."""
    lab.run("db", address="10.123.7.1")
    lab.run("other", address="10.123.7.2")
    one, two = lab.run("one"), lab.run("two")
    bare = lab.hosts(one)
    with lab.hostwatch("-c", lab.configured(subscriber("one", "timing: {resync: 1h}"))) as hostwatch:
        eventually(lambda: lab.records(one) == {"db": ["10.123.7.1"]})
        reloaded(lab, hostwatch, subscriber("two", "timing: {resync: 1h}"))
        eventually(lambda: lab.records(two) == {"db": ["10.123.7.1"]})
        eventually(lambda: lab.hosts(one) == bare)
        reloaded(lab, hostwatch, subscriber("two", "services: {db: {match: {name: other}}}"))
        eventually(lambda: lab.records(two) == {"db": ["10.123.7.2"]})
        reloaded(lab, hostwatch, "labels: true\n")
        eventually(lambda: lab.records(two) == {})
    assert "two: db - → 10.123.7.1 (configuration, " in hostwatch.log
    assert hostwatch.log.count("connected to engine") == 1


def test_an_invalid_configuration_is_reported_and_the_old_one_stays(lab: Lab) -> None:
    """The message has the place and the value. A later valid one takes effect."""
    db = lab.run("db", address="10.123.7.1")
    web = lab.run("web")
    with lab.hostwatch("-c", lab.configured(subscriber("web"))) as hostwatch:
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.1"]})
        reloaded(lab, hostwatch, "labels: perhaps\nzzz: 1\n", "the configuration stays as it was")
        eventually(lambda: "hostwatch.yaml:1:9: must be true or false" in hostwatch.log)
        eventually(lambda: "hostwatch.yaml:2:1: unknown key" in hostwatch.log)
        Path(lab.configured("")).unlink()
        reloaded(lab, hostwatch, f"log: {{file: {lab.directory}/hostwatch.yaml/log}}", "mend log.file")
        lab.network.disconnect(db)
        lab.network.connect(db, ipv4_address="10.123.7.2")
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.2"]})
        reloaded(lab, hostwatch, subscriber("nobody"))
        eventually(lambda: lab.records(web) == {})


def test_everything_else_is_reread_too(lab: Lab) -> None:
    """The engine's data root, a file on the host, the log's format, and the linger of a service."""
    db = lab.run("db", address="10.123.7.1")
    web = lab.run("web")
    hosts = lab.directory / "hosts"
    hosts.write_text("")
    elsewhere = subscriber("web", f"docker: {{root: {lab.directory}/nothing}}\ntiming: {{linger: 1h}}\n")
    with lab.hostwatch("-c", lab.configured(elsewhere)) as hostwatch:
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.1"]})
        eventually(lambda: "written by exec" in hostwatch.log)
        reloaded(lab, hostwatch, subscriber("web", "timing: {linger: 1h}\n"))
        eventually(lambda: hostwatch.log.count("connected to engine") == 2)
        host = f"subscribers: {{host: {{file: {hosts}, services: [db]}}}}\ntiming: {{linger: 0}}\n"
        reloaded(lab, hostwatch, host + "log: {format: json}\n")
        eventually(lambda: "10.123.7.1      db" in hosts.read_text())
        hosts.write_text("192.0.2.1 foreign\n")
        eventually(lambda: "10.123.7.1      db" in hosts.read_text())
        db.remove(force=True)
        eventually(lambda: "# withheld: @{db.ip} db" in hosts.read_text())
        reloaded(lab, hostwatch, "labels: false")
        eventually(lambda: hosts.read_text() == "192.0.2.1 foreign\n")
    told = [json.loads(line) for line in hostwatch.log.splitlines() if line.startswith("{")]
    assert any(entry.get("subscriber") == "host" and entry["changes"] for entry in told)


def test_on_exit_is_reread(lab: Lab) -> None:
    """The last valid configuration decides whether blocks stay."""
    lab.run("db", address="10.123.7.1")
    web = lab.run("web")
    with lab.hostwatch("-c", lab.configured(subscriber("web"))) as hostwatch:
        eventually(lambda: lab.records(web))
        reloaded(lab, hostwatch, subscriber("web", "on_exit: remove"))
    assert "hostwatch" not in lab.hosts(web)


def test_orphaned_blocks_are_removed(lab: Lab) -> None:
    """They go at the start and at each resync, except in containers with `hostwatch.enable: false`."""
    former, alone = lab.run("former"), lab.run("alone", labels={"hostwatch.enable": "false"})
    bare = lab.hosts(former)
    for container in (former, alone):
        path = lab.hosts_path(container)
        path.write_text(path.read_text() + LEFT)
    with lab.hostwatch("-c", lab.configured("timing: {resync: 1s}")) as hostwatch:
        eventually(lambda: lab.hosts(former) == bare)
        path = lab.hosts_path(former)
        path.write_text(bare + LEFT + "192.0.2.2 kept\n")
        eventually(lambda: path.read_text() == bare + "192.0.2.2 kept\n")
        eventually(lambda: hostwatch.log.count("former: block removed") == 2)
    assert hostwatch.log.count("former: block removed, as nobody subscribes to it") == 2
    assert LEFT in lab.hosts(alone)


# While the engine is away, or before it was ever there.


def test_a_file_that_is_configured_no_longer_loses_its_block_without_an_engine(lab: Lab, proxy: Proxy) -> None:
    """This works before the first connection, and after its loss."""
    lab.run("db", address="10.123.7.1")
    files = [lab.directory / name for name in ("first", "second", "kept")]
    for file in files:
        file.write_text(LEFT)
    texts = [
        "subscribers:\n" + "".join(f"  {file.name}: {{file: {file}, services: [db]}}\n" for file in wanted)
        for wanted in (files, files[1:], files[2:])
    ]
    proxy.refuse = re.compile("")
    with lab.hostwatch("-c", lab.configured(texts[0]), ready="trying again until it is there") as hostwatch:
        reloaded(lab, hostwatch, texts[1])
        eventually(lambda: files[0].read_text() == "")
        assert files[1].read_text() == LEFT
        proxy.refuse = None
        eventually(lambda: all("10.123.7.1      db" in file.read_text() for file in files[1:]))
        proxy.refuse = re.compile("")
        proxy.cut()
        eventually(lambda: "lost the engine" in hostwatch.log)
        reloaded(lab, hostwatch, texts[2])
        eventually(lambda: files[1].read_text() == "")
        assert "10.123.7.1      db" in files[2].read_text()


def test_timing_is_reread_before_the_engine_is_there(lab: Lab, proxy: Proxy) -> None:
    """That includes times which are not in use yet: the debounce of notifications, and linger."""
    db = lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels={"hostwatch.services": "db", "hostwatch.notify": "exec: touch /told"})
    proxy.refuse = re.compile("")
    long = lab.configured("timing: {notify_debounce: 1h, linger: 1h, resync: 1h}\n")
    with lab.hostwatch("-c", long, ready="trying again until it is there") as hostwatch:
        reloaded(lab, hostwatch, "timing: {notify_debounce: 0, linger: 0, resync: 1h}\n")
        proxy.refuse = None
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.1"]})
        db.remove(force=True)
        eventually(lambda: lab.records(web) == {})
        eventually(lambda: web.exec_run(["test", "-e", "/told"]).exit_code == 0)


def test_the_log_stays_as_it_was_after_any_error(lab: Lab) -> None:
    """The configuration is valid by itself, but it names an engine that cannot be used."""
    host = lab.environ.pop("DOCKER_HOST")
    text = lab.configured(f"docker: {{host: '{host}'}}")
    with lab.hostwatch("-c", text, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(lab.directory)) as hostwatch:
        text = f"docker: {{host: 'tcp://192.0.2.1'}}\nlog: {{format: json, file: {lab.directory}/log}}\n"
        reloaded(lab, hostwatch, text, "ca.pem")
        reloaded(lab, hostwatch, "labels: perhaps", "must be true or false")
    assert not (lab.directory / "log").exists()
    assert "stopping on SIGTERM" in hostwatch.log
    assert "{" not in hostwatch.log


def test_blocks_are_removed_at_the_end_from_an_engine_that_was_left_too(lab: Lab, proxy: Proxy) -> None:
    """Another address of the same engine keeps its blocks. Then hostwatch leaves it for one that is not there."""
    lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels={"hostwatch.services": "db"})
    hosts = lab.directory / "hosts"
    hosts.write_text("192.0.2.1 foreign\n")
    bare = lab.hosts(web)
    file = f"on_exit: remove\nsubscribers: {{host: {{file: {hosts}, services: [db]}}}}\n"
    del lab.environ["DOCKER_HOST"]
    there, again, nowhere = (
        f"docker: {{host: '{host}'}}\n{file}" for host in (lab.engine.docker_host, proxy.host, "unix:///nowhere")
    )
    with lab.hostwatch("-c", lab.configured(there)) as hostwatch:
        eventually(lambda: lab.records(web) and "db" in hosts.read_text())
        reloaded(lab, hostwatch, again)
        eventually(lambda: hostwatch.log.count("connected to engine") == 2)
        reloaded(lab, hostwatch, nowhere)
        eventually(lambda: "no engine at unix:///nowhere" in hostwatch.log)
        assert lab.records(web) == {"db": ["10.123.7.1"]}
        assert "db" in hosts.read_text()
    assert lab.hosts(web) == bare
    assert hosts.read_text() == "192.0.2.1 foreign\n"
    assert "db 10.123.7.1 → -" not in hostwatch.log
