"""Hosts files that are out of sight: written by commands in their containers."""

import json
import random
import re
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from docker.models.containers import Container

from hostwatch.core.model import Container as Known
from hostwatch.core.model import ContainerId, ContainerKey, State
from hostwatch.docker.connect import located_engine
from hostwatch.docker.engine import DockerEngine
from hostwatch.hosts.execs import ExecHostsFiles
from tests.conftest import Lab, eventually, make_network, newest_only
from tests.integration.test_readers import started_reader
from tests.proxy import Proxy

WANTS_DB = {"hostwatch.hosts": "@{db.ip} db"}
EXECS = re.compile("POST .*/exec")


def out_of_sight(lab: Lab, more: str = "") -> tuple[str, str]:
    """The arguments for a hostwatch that does not see the engine's data root."""
    return "-c", lab.configured(f"docker: {{root: {lab.directory}/nothing}}\n{more}")


def follows(lab: Lab, *containers: Container, address: str, seconds: float = 10.0) -> None:
    """Wait until the containers know the database at this address."""
    for container in containers:
        eventually(lambda container=container: lab.records(container) == {"db": [address]}, seconds)  # type: ignore[misc]


def test_a_subscriber_out_of_sight_is_served(lab: Lab) -> None:
    """From its start on, through moves of the service, its own restarts, and changes of its networks."""
    with lab.hostwatch(*out_of_sight(lab)) as hostwatch:
        db = lab.run("db", address="10.123.7.1")
        web = lab.run("web", labels=WANTS_DB, user="1000", working_dir="/nowhere")
        follows(lab, web, address="10.123.7.1")
        inode = lab.hosts_path(web).stat().st_ino
        bare, _, rest = lab.hosts(web).partition("# hostwatch: begin\n")
        assert rest == "10.123.7.1      db\n# hostwatch: end\n"
        lab.network.disconnect(db)
        lab.network.connect(db, ipv4_address="10.123.7.22")
        follows(lab, web, address="10.123.7.22")
        assert lab.hosts(web).startswith(bare)
        web.restart(timeout=0)
        follows(lab, web, address="10.123.7.22")
        other = make_network(lab.client, "other")
        other.connect(web)
        other.disconnect(web)
        follows(lab, web, address="10.123.7.22")
        assert lab.hosts_path(web).stat().st_ino == inode
    assert hostwatch.log.count("out of sight") + hostwatch.log.count("docker.root") == 1
    shown = json.loads(lab.command("status", "--json", *out_of_sight(lab)).stdout)["subscribers"]
    assert [(each["writer"], each["path"], each["in_sync"]) for each in shown] == [("exec", "/etc/hosts", True)]
    before, block, after = lab.hosts(web).partition("# hostwatch: begin\n10.123.7.22     db\n# hostwatch: end\n")
    assert block
    lab.command("clean", *out_of_sight(lab))
    assert lab.hosts(web) == before + after


@newest_only
def test_the_writer_can_be_chosen(lab: Lab) -> None:
    """`exec` is used although the path is there, `path` although only exec would work. `auto` takes the path."""
    lab.run("db", address="10.123.7.1")
    for writer in ("exec", "path", "auto"):
        lab.run(f"by-{writer}")
    names = "\n".join(
        f"  {writer}: {{match: {{name: by-{writer}}}, services: [db], writer: {writer}}}"
        for writer in ("exec", "path", "auto")
    )
    subscribers = f"subscribers:\n{names}\n"
    shown = json.loads(lab.command("status", "--json", "-c", lab.configured(subscribers)).stdout)["subscribers"]
    assert {each["name"]: each["writer"] for each in shown} == {"by-exec": "exec", "by-path": "path", "by-auto": "path"}
    found = lab.command("sync", *out_of_sight(lab, subscribers), status=1)
    assert found.stdout.splitlines() == ["by-auto: brought right", "by-exec: brought right"]
    assert found.stderr.startswith("by-path: ")
    assert lab.records(lab.client.containers.get("by-path")) == {}


@newest_only
def test_a_look_by_exec_is_no_change_of_the_file(lab: Lab, proxy: Proxy) -> None:
    """A read by exec opens the file for writing, and the watch of its path reports that."""
    lab.run("db", address="10.123.7.1")
    web = lab.run("web")
    with lab.hostwatch("-c", lab.configured("subscribers: {web: {match: {name: web}, services: [db], writer: exec}}")):
        follows(lab, web, address="10.123.7.1")
        before = executed(proxy, web)
        time.sleep(3)  # one read follows another after half a second
        assert executed(proxy, web) <= before + 2
        path = lab.hosts_path(web)
        path.write_text(path.read_text().replace("10.123.7.1 ", "192.0.2.99 "))
        follows(lab, web, address="10.123.7.1")


DASH = {"/host/lib": {"bind": "/lib"}, "/host/lib64": {"bind": "/lib64"}, "/host/bin/dash": {"bind": "/dash"}}
"""The machine's own shell: that of busybox has `cat` and `dd` built in."""


def without(lab: Lab, *programs: str) -> Container:
    """A running subscriber whose image lacks these programs."""
    removed = " ".join(f"/bin/{program}" for program in programs)
    volumes = {name: bind | {"mode": "ro"} for name, bind in DASH.items()}
    command = f"rm -f {removed} /bin/sh; ln -s {'/nothing' if 'sh' in programs else '/dash'} /bin/sh; exec sleep 1000"
    container = lab.run("odd", command, labels=WANTS_DB, volumes=volumes)
    eventually(lambda: "sleep" in container.top()["Processes"][0][-1])
    return container


@newest_only
@pytest.mark.parametrize("programs", [(), ("dd",)], ids=["with dd", "without dd"])
async def test_any_text_becomes_any_other(lab: Lab, programs: tuple[str, ...]) -> None:
    """Texts of any bytes grow and shrink. The file then has exactly the new text."""
    container = without(lab, *programs)
    chance = random.Random(7)
    path = lab.hosts_path(container)
    async with DockerEngine(located_engine(lab.engine.docker_host, {})) as engine:
        known = Known(ContainerKey((await engine.info()).id, ContainerId(str(container.id))), "web", State.RUNNING, {})
        files = ExecHostsFiles(engine)
        old = path.read_bytes()
        for _ in range(25):
            new = b"".join(random_line(chance) for _ in range(chance.randrange(1, 40)))
            update = await files.update(known, lambda _, new=new: new)  # type: ignore[misc]
            assert (update.before, update.after) == (old, new)
            assert path.read_bytes() == await files.read(known) == new
            old = new


def random_line(chance: random.Random) -> bytes:
    """A line of a hosts file, or one of any bytes."""
    if chance.random() < 0.7:
        return b"10.0.0.%d      name-%d\n" % (chance.randrange(256), chance.randrange(3))
    return chance.randbytes(chance.randrange(60)).replace(b"\n", b"").replace(b"\0", b"") + b"%s\\n\xe9'\"$x`-\n"


@newest_only
def test_no_reader_finds_the_file_empty(lab: Lab) -> None:
    """The database moves 20 times, and another line comes and goes."""
    addresses = [f"10.123.7.{number}" for number in range(1, 22)]
    lines = {f"{address:<16}db" for address in addresses} | {"# hostwatch: begin", "# hostwatch: end"}
    lines.add("# withheld: @{db.ip} db  (db: no running container)")
    with lab.hostwatch(*out_of_sight(lab, "timing: {linger: 0}")):
        web = lab.run("web", labels=WANTS_DB)
        eventually(lambda: "withheld" in lab.hosts(web))
        reader = started_reader(lab.hosts_path(web), lines | {*lab.hosts(web).splitlines(), ""})
        db = lab.run("db", address="10.123.7.100")
        lab.network.disconnect(db)
        for address in addresses:
            lab.network.connect(db, ipv4_address=address)
            follows(lab, web, address=address)
            lab.network.disconnect(db)
            eventually(lambda: lab.records(web) == {})
        reader.terminate()
        reads, empty, homeless, _ = json.loads(reader.communicate(timeout=10)[0])
    assert reads > len(addresses)
    assert (empty, homeless) == (0, 0)


@newest_only
@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (lambda lab: without(lab, "sh"), "unreachable: its image has no shell with `cat`"),
        (lambda lab: without(lab, "cat"), "unreachable: its image has no shell with `cat`"),
        (lambda lab: lab.run("odd", labels=WANTS_DB, read_only=True), "ead-only file system"),
    ],
    ids=["no shell", "no cat", "read-only"],
)
def test_a_file_that_cannot_be_reached_is_reported_once(
    lab: Lab, proxy: Proxy, start: Callable[[Lab], Container], reason: str
) -> None:
    """The line has the reason and a remedy. Events do not lead to further tries. Another subscriber is served."""
    lab.run("db", address="10.123.7.1")
    odd = start(lab)
    with lab.hostwatch(*out_of_sight(lab)) as hostwatch:
        eventually(lambda: reason in hostwatch.log)
        tried = executed(proxy, odd)
        for number in range(2, 7):
            lab.client.containers.get("db").remove(force=True)
            lab.run("db", address=f"10.123.7.{number}")
        web = lab.run("web", labels=WANTS_DB)
        follows(lab, web, address="10.123.7.6")
    assert "docker.root" in next(line for line in hostwatch.log.splitlines() if reason in line)
    assert hostwatch.log.count(reason) == 1
    assert executed(proxy, odd) == tried <= 3
    assert reason in lab.command("sync", *out_of_sight(lab), status=1).stderr


def executed(proxy: Proxy, container: Container) -> int:
    """The number of commands that were begun in a container."""
    return sum(f"/containers/{container.id}/exec" in request for request in proxy.requests)


@newest_only
def test_a_command_that_hangs_delays_nobody_and_is_not_repeated(lab: Lab, proxy: Proxy) -> None:
    """Every command hangs in six containers. Files by path go on at once, and the engine gets few requests."""
    lab.run("db", address="10.123.7.1")
    hanging = [lab.run(f"hang-{number}", labels={"wants": "exec"}) for number in range(6)]
    proxy.hold = re.compile("|".join(f"/containers/{container.id}/exec" for container in hanging))
    configured = "subscribers: {hang: {match: {label: {wants: exec}}, services: [db], writer: exec}}"
    with lab.hostwatch("-c", lab.configured(configured)):
        eventually(lambda: proxy.held)
        for number in range(2, 6):
            web = lab.run(f"web-{number}", labels=WANTS_DB)
            lab.client.containers.get("db").remove(force=True)
            lab.run("db", address=f"10.123.7.{number}")
            follows(lab, web, address=f"10.123.7.{number}")
        assert len(proxy.held) <= 6, "some commands at a time, each once"
        proxy.release()
        follows(lab, *hanging, address="10.123.7.5", seconds=30)  # they are tried again after ever longer waits


@newest_only
def test_a_proxy_that_refuses_commands_is_named(lab: Lab, proxy: Proxy) -> None:
    """It keeps refusing, and hostwatch says so only once."""
    proxy.refuse = EXECS
    lab.run("db", address="10.123.7.1")
    lab.run("web", labels=WANTS_DB)
    found = lab.command("sync", *out_of_sight(lab), status=1)
    assert found.stderr.startswith("web: cannot write by exec: ")
    assert "; make the engine's hosts files visible to hostwatch (docker.root)" in found.stderr


@newest_only
def test_a_paused_container_is_served_afterwards(lab: Lab) -> None:
    """The engine runs no command in it, so the write is tried again."""
    db = lab.run("db", address="10.123.7.1")
    with lab.hostwatch(*out_of_sight(lab)) as hostwatch:
        web = lab.run("web", labels=WANTS_DB)
        follows(lab, web, address="10.123.7.1")
        web.pause()
        lab.network.disconnect(db)
        lab.network.connect(db, ipv4_address="10.123.7.2")
        eventually(lambda: "db" in hostwatch.log)
        with suppress(AssertionError):
            eventually(lambda: lab.records(web) == {"db": ["10.123.7.2"]}, 1.0)
        web.unpause()
        follows(lab, web, address="10.123.7.2")
