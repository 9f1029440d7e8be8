"""The commands for people and scripts: their output on each stream, and their exit status."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import nobody
from tests.conftest import Lab, eventually, newest_only
from tests.engine import roots
from tests.terminal import on_terminal

pytestmark = newest_only

WANTS_DB = {"hostwatch.hosts": "@{db.ip} db\n@{cache.ip} cache"}
BLOCK = """\
# hostwatch: begin
10.123.7.7      db
# withheld: @{cache.ip} cache  (cache: no running container)
# hostwatch: end
"""
AS_NOBODY = nobody.program(
    *("hostwatch.cli.running", "hostwatch.cli.showing", "hostwatch.control.status", "hostwatch.doctor"),
    *("hostwatch.http.client", "rich.live", "rich.progress"),
)


def test_plan_sync_status_and_clean_tell_and_do_the_same(lab: Lab) -> None:
    """A file gets a block and loses it again, and `plan` announces each step."""
    db = lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels=WANTS_DB)
    bare = lab.hosts(web)

    planned = lab.command("plan")
    assert planned.stdout.splitlines()[:2] == ["--- a/web:/etc/hosts", "+++ b/web:/etc/hosts"]
    assert [line[1:] for line in planned.stdout.splitlines() if re.match(r"\+[^+]", line)] == BLOCK.splitlines()
    lab.command("plan", "--exit-code", status=3)
    assert listed(lab, "plan", "--json") == [
        {
            "id": web.id,
            "name": "web",
            "file": "hosts",
            "path": str(lab.hosts_path(web)),
            "changes": True,
            "diff": planned.stdout,
            "error": None,
        }
    ]
    assert status(lab)["subscribers"][0]["in_sync"] is False
    assert lab.hosts(web) == bare

    synced = lab.command("sync")
    assert "web" in synced.stdout
    assert lab.hosts(web) == bare + BLOCK
    assert lab.command("plan", "--exit-code").stdout == ""
    assert lab.command("sync").stdout == ""
    assert status(lab) == expected_status(lab, db.id, web.id)

    shown = lab.command("status").stdout
    assert {"db", "10.123.7.7", "web:", "right"} <= set(shown.split())
    assert "other hosts" not in shown
    leaves_other_hosts_alone(lab, lab.hosts_path(web))

    assert "web" in lab.command("clean").stdout
    assert lab.hosts(web) == bare


def leaves_other_hosts_alone(lab: Lab, hosts: Path) -> None:
    """A command asks no other host, and says so: what a daemon has of them stays as it is."""
    of_daemon = BLOCK.replace("# withheld: @{cache.ip} cache  (cache: no running container)", "10.9.0.9        cache")
    configuration = lab.configured("cluster: {etcd: http://127.0.0.1:1}")
    assert lab.command("plan", "--exit-code", "-c", configuration).stdout == ""
    hosts.write_text(hosts.read_text().replace(BLOCK, of_daemon))
    assert lab.command("plan", "--exit-code", "-c", configuration).stdout == ""
    lab.command("plan", "--exit-code", status=3)
    assert "cluster: not asked, as only a daemon does" in lab.command("status", "-c", configuration).stdout
    why = lab.command("why", "web", "cache", "-c", configuration).stdout
    assert "cache: what other hosts have is not known yet: 10.9.0.9 cache stays until that is known" in why
    assert "note: other hosts are asked by the daemon alone (cluster)" in why


def test_no_name_is_cut_and_lost_output_is_no_traceback(lab: Lab) -> None:
    """This holds on a narrow terminal, in a pipe, and on a full disk."""
    long = "mycompany-production-eu-central-database-primary-1"
    lab.run(long)
    lab.run("web", labels={"hostwatch.hosts": f"@{{{long}.ip}} db {long}\n@{{cache.ip}} cache"})
    piped = lab.command("status").stdout.splitlines()
    assert [line.split()[:4] for line in piped if line.startswith(long)] == [[long, long, "container", long]]
    for columns in (40, 80):
        shown = on_terminal([sys.executable, "-m", "hostwatch", "status"], columns, lab.environ | {"NO_COLOR": "1"})
        assert " ".join(piped).split().count(long) == " ".join(shown).split().count(long)
        assert all(len(line) <= columns or len(line.split()) == 1 for line in shown)
    for command in (["status", "--json"], ["plan"], ["sync"], ["clean"]):
        arguments = [sys.executable, "-m", "hostwatch", *command]
        with Path("/dev/full").open("wb") as full:
            found = subprocess.run(
                arguments, env=lab.environ, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
            )
        assert (found.returncode, found.stderr) == (1, b""), command


def test_clean_removes_blocks_of_former_and_stopped_subscribers(lab: Lab) -> None:
    """It removes every block from the container's file, whichever rule once requested it."""
    lab.run("db", address="10.123.7.7")
    containers = [lab.run(name) for name in ("former", "stopped")]
    bare = [lab.hosts(container) for container in containers]
    configuration = lab.configured("subscribers: {all: {match: {name: '*'}, services: db}}")
    lab.command("sync", "-c", configuration)
    assert all("# hostwatch: begin" in lab.hosts(container) for container in containers)
    containers[1].kill()
    lab.command("clean")
    assert lab.hosts(containers[0]) == bare[0]
    assert "hostwatch" not in lab.hosts(containers[1])


def test_errors_of_a_configuration_are_told_with_their_places(lab: Lab) -> None:
    """Every command prints all of them on standard error, and ends with status 2."""
    assert lab.command("check").stderr == ""
    assert "valid" in lab.command("check", "-c", lab.configured("labels: false")).stdout
    bad = lab.configured("labels: maybe\nservices:\n  db: {match: {name: '[a'}}\n  db: 1\nnonsense: 1\n")
    for command in ("check", "status", "plan", "sync", "clean", "run"):
        found = lab.command(command, "-c", bad, status=2)
        assert found.stdout == ""
        places = re.findall(rf"^{re.escape(bad)}:(\d+):(\d+): ", found.stderr, re.MULTILINE)
        assert places, found.stderr
    lab.configured("labels: maybe\nservices:\n  db: {match: {name: '[a'}}\nnonsense: 1\n")
    told = lab.command("check", status=2, HOSTWATCH_CONFIG=bad).stderr
    assert re.findall(r":(\d+:\d+): ", told) == ["1:9", "3:22", "4:1"]
    assert all(value in told for value in ("maybe", "[a", "nonsense"))
    assert "no-such-file" in lab.command("check", "-c", "/no-such-file", status=2).stderr


def test_usage_errors_end_with_status_2(lab: Lab) -> None:
    """The error is on standard error, and the command does nothing."""
    for arguments in (
        ["--nonsense"],
        ["nonsense"],
        ["sync", "--nonsense"],
        ["run", "--log-level", "LOUD"],
        ["run", "x"],
    ):
        found = lab.command(*arguments, status=2)
        assert found.stdout == ""
        assert found.stderr


def test_version_schema_and_help_need_no_engine(lab: Lab) -> None:
    """They end at once with status 0."""
    absent = "unix:///no/such.sock"
    assert re.fullmatch(r"hostwatch \d+\.\d+.*\n", lab.command("--version", DOCKER_HOST=absent).stdout)
    schema = json.loads(lab.command("schema", DOCKER_HOST=absent).stdout)
    assert schema["properties"].keys() >= {"docker", "labels", "services", "subscribers", "timing", "on_exit", "log"}
    commands = set(re.findall(r"\w+", lab.command("--help", DOCKER_HOST=absent).stdout))
    assert {"run", "sync", "plan", "status", "check", "clean", "doctor", "schema"} <= commands


@pytest.mark.parametrize("host", ["unix:///no/such.sock", "tcp://127.0.0.1:1"])
def test_without_an_engine_commands_end_with_one_clear_line(lab: Lab, host: str) -> None:
    """The status is 1, standard output is empty, and the line has the address that was tried."""
    for command in ("status", "plan", "sync", "clean"):
        found = lab.command(command, "--docker-host", host, status=1)
        assert found.stdout == ""
        assert found.stderr.count("\n") == 1
        assert host in found.stderr


def test_the_engine_is_found_by_option_configuration_and_environment(lab: Lab) -> None:
    """They count in this order. The default socket is the last resort."""
    engine = lab.engine.docker_host
    absent = "unix:///no/such.sock"
    lab.command(
        "status", "--docker-host", engine, "-c", lab.configured(f"docker: {{host: '{absent}'}}"), DOCKER_HOST=absent
    )
    lab.command("status", "-c", lab.configured(f"docker: {{host: '{engine}'}}"), DOCKER_HOST=absent)
    lab.command("status", HOSTWATCH_CONFIG=lab.configured("labels: true"))
    lab.command("status", DOCKER_HOST=absent, status=1)


def test_run_waits_for_an_engine_that_is_not_there_yet(lab: Lab) -> None:
    """One log line says so. When the socket appears, hostwatch works without a restart."""
    lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels=WANTS_DB)
    socket = lab.directory / "late.sock"
    with lab.hostwatch("--docker-host", f"unix://{socket}", ready="trying again") as hostwatch:
        socket.symlink_to(lab.engine.socket)
        eventually(lambda: BLOCK in lab.hosts(web), 20)
    assert hostwatch.log.count(str(socket)) == 1
    assert hostwatch.log.count("connected to engine") == 1


def test_a_user_without_rights_on_the_socket_gets_a_remedy(lab: Lab) -> None:
    """One line has the path, the user and the remedy."""
    for command in ("status", "sync"):
        found = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, command],
            env=lab.environ | {"HOME": "/"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert found.returncode == 1
        assert found.stdout == ""
        assert found.stderr.count("\n") == 1
        assert all(part in found.stderr for part in (str(lab.engine.socket), str(nobody.USER), "group"))


def test_hosts_files_out_of_sight_are_an_error_of_each_subscriber(lab: Lab) -> None:
    """With the path writer, `sync` names them and the setting, and ends with 1. `status` shows them. `run` goes on."""
    lab.run("db", address="10.123.7.7")
    web = lab.run("web")
    bare = lab.hosts(web)
    configuration = lab.configured(
        f"docker: {{root: {lab.directory}/nothing}}\n"
        'subscribers: {web: {match: {name: ["web", "late"]}, services: [db], writer: path}}'
    )
    found = lab.command("sync", "-c", configuration, status=1)
    assert found.stdout == ""
    assert found.stderr.startswith("web: ")
    assert "; run hostwatch as root on the engine's host, or set docker.root to where" in found.stderr
    shown = json.loads(lab.command("status", "--json", "-c", configuration).stdout)["subscribers"]
    assert [(each["name"], each["in_sync"], bool(each["error"])) for each in shown] == [("web", False, True)]
    assert "web" in lab.command("status", "-c", configuration).stdout
    with lab.hostwatch("-c", configuration) as hostwatch:
        eventually(lambda: "docker.root" in hostwatch.log)
        lab.run("late")
    assert hostwatch.log.count("docker.root") == 1
    assert lab.hosts(web) == bare


def test_the_engines_root_may_be_elsewhere(lab: Lab) -> None:
    """The same directory has another path, as for a hostwatch in a container."""
    lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels=WANTS_DB)
    root = lab.directory / "root"
    root.symlink_to(lab.engine.data_root)
    configuration = lab.configured(f"docker: {{root: {root}}}")
    lab.command("sync", "-c", configuration)
    assert BLOCK in lab.hosts(web)
    lab.command("clean", "-c", configuration)
    with lab.hostwatch("-c", configuration):
        eventually(lambda: BLOCK in lab.hosts(web))
        lab.hosts_path(web).write_text(lab.hosts(web).replace("10.123.7.7", "10.9.9.9"))
        eventually(lambda: BLOCK in lab.hosts(web))


def test_the_log_has_one_line_for_each_change(lab: Lab) -> None:
    """It has the time, the file, the cause, both addresses and the delay, and as JSON a field for each."""
    lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db"})
    long = lab.configured("timing: {linger: 1h}")  # however long the engine takes to replace the database
    with lab.hostwatch("-c", long, "--log-format", "json") as hostwatch:
        eventually(lambda: "10.123.7.7" in hostwatch.log)
        recreate_db(lab, "10.123.7.8")
        eventually(lambda: "10.123.7.8" in hostwatch.log)
    changes = [line for line in map(json.loads, hostwatch.log.splitlines()) if "changes" in line]
    told = [
        {"name": "db", "old": [], "new": ["10.123.7.7"]},
        {"name": "db", "old": ["10.123.7.7"], "new": ["10.123.7.8"]},
    ]
    assert [line["changes"] for line in changes] == [[each] for each in told]
    for line in changes:
        assert line.keys() == {"time", "level", "message", "subscriber", "file", "cause", "changes", "ms"}
        assert (line["level"], line["subscriber"]) == ("INFO", "web")
    with lab.hostwatch("-c", long) as hostwatch:
        recreate_db(lab, "10.123.7.9")
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.9"]})
        eventually(lambda: "10.123.7.9" in hostwatch.log)
    (line,) = (line for line in hostwatch.log.splitlines() if "web" in line)
    shape = (
        r"\d{4}-\d\d-\d\d [\d:.]{12}[+-]\d\d:\d\d INFO +web: db 10\.123\.7\.8 → 10\.123\.7\.9 \(.*\bdb\b.*, [\d.]+ ms\)"
    )
    assert re.fullmatch(shape, line), line


def test_events_without_effect_are_logged_at_debug_only(lab: Lab) -> None:
    """These are events of unrelated containers, networks and restarts."""
    with lab.hostwatch("--log-level", "debug") as hostwatch:
        lab.run("db", address="10.123.7.7")
        web = lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db"})
        eventually(lambda: "web: db - → 10.123.7.7" in hostwatch.log)
        before = hostwatch.log.count("\n")
        stranger = lab.run("stranger")
        stranger.restart(timeout=0)
        stranger.rename("somebody")
        stranger.remove(force=True)
        web.exec_run(["true"])
        late = lab.run("late", labels={"hostwatch.hosts": "192.0.2.1 fixed"})
        eventually(lambda: lab.records(late))
    for event in ("create stranger", "start stranger", "die stranger", "rename somebody", "network connect front"):
        assert re.search(rf" DEBUG +event {event}: container .*{str(stranger.id)[:12]}", hostwatch.log), event
    assert re.search(r" DEBUG +(network connect front|start of late|create late) may concern late\n", hostwatch.log)
    new = [line for line in hostwatch.log.splitlines()[before:] if " DEBUG " not in line]
    assert [line for line in new if "late: " not in line and "stopping" not in line] == []


def test_the_log_can_go_to_a_file(lab: Lab) -> None:
    """Then the daemon writes nothing to standard error. Other commands leave the file alone."""
    path = lab.directory / "logs" / "hostwatch.log"
    configuration = lab.configured(f"log: {{file: {path}, format: json, level: debug}}")
    lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels=WANTS_DB)
    assert "10.123.7.7" in lab.command("plan", "-c", configuration).stdout
    assert not path.parent.exists()
    with lab.hostwatch("-c", configuration, ready="") as hostwatch:
        eventually(lambda: BLOCK in lab.hosts(web))
        eventually(lambda: "10.123.7.7" in path.read_text())
    assert hostwatch.log == ""
    assert all(json.loads(line)["message"] for line in path.read_text().splitlines())


def test_a_log_file_is_rotated_and_old_ones_are_removed(lab: Lab) -> None:
    """`rotation` limits a file's size, `retention` the number of old files. The newest lines are in the file itself."""
    path = lab.directory / "logs" / "hostwatch.log"
    configuration = lab.configured(f"log: {{file: {path}, rotation: 500 B, retention: 1}}")
    web = lab.run("web", labels=WANTS_DB)
    with lab.hostwatch("-c", configuration, ready=""):
        for number in range(1, 7):
            db = lab.run("db", address=f"10.123.7.{number}")
            eventually(lambda number=number: lab.records(web).get("db") == [f"10.123.7.{number}"])  # type: ignore[misc]
            db.remove(force=True)
    assert len(list(path.parent.iterdir())) == 2
    assert all(file.stat().st_size < 1000 for file in path.parent.iterdir())
    assert "stopping" in path.read_text()


def recreate_db(lab: Lab, address: str) -> None:
    """Replace the database by one at another address."""
    lab.client.containers.get("db").remove(force=True)
    lab.run("db", address=address)


def listed(lab: Lab, *arguments: str) -> Any:
    """A command's JSON output."""
    return json.loads(lab.command(*arguments).stdout)


def status(lab: Lab) -> Any:
    """The output of `status --json`."""
    return listed(lab, "status", "--json")


def expected_status(lab: Lab, db: str | None, web: str | None) -> dict[str, Any]:
    """The status of the two containers by the contract's section 10."""
    version = lab.client.version()
    own = lab.client.containers.get("web").attrs["NetworkSettings"]["Networks"]["front"]["IPAddress"]

    def service(name: str, identity: str | None, address: str) -> dict[str, Any]:
        container = {
            "id": identity,
            "name": name,
            "state": "running",
            "health": None,
            "addresses": {"front": [address]},
            "elsewhere": None,
        }
        return {"name": name, "names": [name], "source": "container", "containers": [container]}

    return {
        "engine": {"connected": True, "version": version["Version"], "api": version["ApiVersion"]},
        "services": [service("db", db, "10.123.7.7"), service("web", web, own)],
        "subscribers": [
            {
                "id": web,
                "name": "web",
                "kind": "container",
                "path": str(lab.engine.data_root / "containers" / str(web) / "hosts"),
                "writer": "path",
                "in_sync": True,
                "records": [
                    {
                        "address": "10.123.7.7",
                        "names": ["db"],
                        "origin": "label hostwatch.hosts of web",
                        "service": "db",
                        "tier": "container",
                        "container": "db",
                        "network": "front",
                        "elsewhere": None,
                        "since": None,
                    }
                ],
                "withheld": [{"line": "@{cache.ip} cache", "reason": "cache: no running container"}],
                "error": None,
                "resolv": None,
            }
        ],
        "sources": [],
        "daemon": None,
    }


def test_as_a_plugin_of_the_docker_command(lab: Lab, tmp_path: Path) -> None:
    """`docker hostwatch` is `hostwatch`, for the engine that the docker command's own options name."""
    plugin = tmp_path / "cli-plugins" / "docker-hostwatch"
    plugin.parent.mkdir()
    code = "from hostwatch.docker_plugin import main; main()"
    plugin.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{code}' \"$@\"\n")
    plugin.chmod(0o755)
    docker = roots.fetch(lab.engine.version) / "usr/bin/docker"
    environ = {key: value for key, value in lab.environ.items() if key != "DOCKER_HOST"}

    def through_docker(*arguments: str) -> str:
        return subprocess.run(
            [docker, "--config", tmp_path, "--host", f"unix://{lab.engine.socket}", *arguments],
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    lab.run("db", address="10.123.7.7")
    lab.run("web", labels=WANTS_DB)
    assert through_docker("hostwatch", "plan") == lab.command("plan").stdout
    assert "hostwatch*" in through_docker("--help")
    environ = lab.environ  # the docker command does not hand its options on for a completion
    for typed, found in ((["pl"], "plan"), (["why", "we"], "web"), (["plan", "--exit"], "--exit-code")):
        assert through_docker("__complete", "hostwatch", *typed) == f"{found}\n:0\n"
    assert through_docker("__complete", "hostwatch", "-c", "/etc/ho") == ":0\n"
