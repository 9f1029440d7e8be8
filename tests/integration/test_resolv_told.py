"""A container's resolv.conf is told of like its hosts file, by each command, with and without a daemon."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.conftest import Hostwatch, Lab, eventually, newest_only

pytestmark = newest_only

SEARCH_OF_ENGINE = "own.example"
CONFIGURATION = """\
history: {{file: {history}, keep: 1h}}
subscribers:
  app:
    match: {{name: app}}
    hosts: |
      @{{dns.ip}} dns
    resolv: |
      nameserver @{{dns.ip}}
      nameserver host
      search a.example
      options timeout:1
"""
ONLY_RESOLV = {"hostwatch.resolv": "nameserver @{dns.ip}"}


def only(found: list[Any]) -> Any:
    """The one element."""
    (element,) = found
    return element


def of_json(lab: Lab, *arguments: str) -> Any:
    """The JSON of a command."""
    return json.loads(lab.command(*arguments, "--json").stdout)


def changes(lab: Lab, *arguments: str) -> list[dict[str, Any]]:
    """The lines of `history --json`."""
    return [json.loads(line) for line in lab.command("history", "--json", *arguments).stdout.splitlines()]


def resolv(lab: Lab, name: str) -> Path:
    """The file on the host."""
    return lab.hosts_path(lab.client.containers.get(name)).parent / "resolv.conf"


def has(lab: Lab, name: str, line: str) -> bool:
    """Whether a block has this line."""
    block = resolv(lab, name).read_text().partition("# hostwatch: end\n")[0]
    return line in map(str.rstrip, block.splitlines())  # blanks behind an address keep the lines below in place


def test_each_command_tells_of_both_files(lab: Lab) -> None:
    """Plan and sync without a daemon, then all that asks one, then clean."""
    lab.run("dns", address="10.123.7.1")
    lab.run("app", address="10.123.7.2", dns_search=[SEARCH_OF_ENGINE])
    lab.run("web", address="10.123.7.3", labels=ONLY_RESOLV)
    mounted = lab.directory / "resolv.conf"
    mounted.write_text("nameserver 192.0.2.1\n")
    lab.run("own", labels=ONLY_RESOLV, volumes={str(mounted): {"bind": "/etc/resolv.conf", "mode": "rw"}})
    lab.environ["HOSTWATCH_CONFIG"] = lab.configured(CONFIGURATION.format(history=lab.directory / "history.db"))
    planned_and_synced(lab)
    warned_of(lab)
    with lab.hostwatch() as hostwatch:
        shown_by_the_daemon(lab)
        moved_and_remembered(lab, hostwatch)
    assert "another hostwatch writes its history" not in hostwatch.log, "it is opened once"
    cleaned = lab.command("clean").stdout
    assert "app: resolv.conf: block removed\n" in cleaned
    assert "hostwatch" not in resolv(lab, "app").read_text() + resolv(lab, "web").read_text()


def planned_and_synced(lab: Lab) -> None:
    """Each file has its diff, its line and its error; both count for the status."""
    planned = {(each["name"], each["file"]): each for each in of_json(lab, "plan")}
    assert {key for key, each in planned.items() if each["changes"]} == {
        ("app", "hosts"),
        ("app", "resolv"),
        ("web", "resolv"),
    }
    assert planned["web", "resolv"]["diff"].startswith("--- a/web:/etc/resolv.conf\n")
    assert "\n+nameserver 10.123.7.1 " in planned["web", "resolv"]["diff"]
    assert "is mounted on its /etc/resolv.conf" in planned["own", "resolv"]["error"]
    synced = lab.command("sync", status=1)
    assert {"app: brought right", "app: resolv.conf: brought right", "web: resolv.conf: brought right"} == {
        *synced.stdout.splitlines()
    }
    assert synced.stderr.startswith("own: resolv.conf: ")
    assert has(lab, "web", "nameserver 10.123.7.1")
    resolv(lab, "web").write_text("nameserver 127.0.0.11\n")
    lab.command("plan", "--exit-code", status=3)


def warned_of(lab: Lab) -> None:
    """A nameserver that hides Docker's names, and a file that is mounted."""
    checked = lab.command("check").stderr
    assert "hostwatch.yaml:8:7: on a network of one's own this nameserver is asked before Docker's own DNS" in checked
    examined = lab.command("doctor", status=1).stdout
    assert "hostwatch.yaml:8: in app this nameserver is asked before Docker's own DNS (127.0.0.11)" in examined
    assert "label hostwatch.resolv of own: in own and" not in examined
    assert "label hostwatch.resolv of web: in web this nameserver" in examined
    assert f"own: resolv.conf: {mounted_path(lab)} is mounted on its /etc/resolv.conf" in examined
    assert "note     subscribers: 2 of 3 can be served" in examined


def mounted_path(lab: Lab) -> Path:
    """The file that `own` has in the place of its own."""
    return lab.directory / "resolv.conf"


def shown_by_the_daemon(lab: Lab) -> None:
    """Status, and the reasons of each line."""
    eventually(lambda: has(lab, "web", "nameserver 10.123.7.1"))
    eventually(lambda: all(each["in_sync"] for each in of_json(lab, "status", "app", "web")["subscribers"]))
    subscribers = {each["name"]: each for each in of_json(lab, "status")["subscribers"]}
    app = subscribers["app"]["resolv"]
    line = app["lines"][0]
    assert (line["line"], line["origin"], line["container"]) == ("nameserver 10.123.7.1", "hostwatch.yaml:8", "dns")
    assert {"line": "search a.example", "reason": f"shadowed by search {SEARCH_OF_ENGINE} in the file"} in app[
        "withheld"
    ]
    assert "is mounted on its" in subscribers["own"]["resolv"]["error"]
    shown = lab.command("status", "web").stdout
    assert "web: resolv.conf: right\n    nameserver 10.123.7.1  (label hostwatch.resolv of web; dns on front" in shown

    found = only(of_json(lab, "why", "app")["subscribers"])
    assert [each["line"] for each in found["lines"]] == ["@{dns.ip} dns"]
    lines = found["resolv"]["lines"]
    asked = ["nameserver @{dns.ip}", "nameserver host", "search a.example", "options timeout:1"]
    assert [each["line"] for each in lines] == asked
    assert only(lines[0]["records"])["line"] == "nameserver 10.123.7.1"
    assert any(step["text"].startswith("taken: 10.123.7.1 on front") for step in lines[0]["steps"])
    assert any(step["text"].startswith("the host ") for step in lines[1]["steps"])
    assert lines[2]["state"] == "withheld"
    assert any("--dns-search=." in step["text"] for step in lines[2]["steps"])
    assert [
        each["line"] for each in only(of_json(lab, "why", "app", "dns")["subscribers"])["resolv"]["lines"]
    ] == asked[:1]
    told = lab.command("why", "app", "options").stdout
    assert told.startswith("app: resolv.conf: right  ")
    assert "options timeout:1: published\n" in told
    lab.command("why", "app", "nobody", status=1)


def moved_and_remembered(lab: Lab, hostwatch: Hostwatch) -> None:
    """The history names the file, and knows its lines of any moment, after a restart of the daemon, too."""
    before = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
    lab.client.containers.get("dns").remove(force=True)
    lab.run("dns", address="10.123.7.9")
    eventually(lambda: has(lab, "web", "nameserver 10.123.7.9"))
    eventually(lambda: has(lab, "app", "nameserver 10.123.7.9"))
    assert "web: resolv.conf: nameserver 10.123.7.1 → 10.123.7.9 (" in hostwatch.log
    last = eventually(lambda: changes(lab, "web", "--since", before))[-1]
    assert (last["file"], last["changes"][0]["name"]) == ("resolv", "nameserver")
    assert "web: resolv.conf: nameserver 10.123.7.1 → 10.123.7.9 (" in lab.command("history", "web").stdout
    assert {each["file"] for each in changes(lab, "app", "--since", before)} == {"hosts", "resolv"}
    assert {each["file"] for each in changes(lab, "--name", "nameserver")} == {"resolv"}
    then = {each["file"]: each for each in changes(lab, "app", "--at", before)}
    assert then["hosts"]["records"] == [{"address": "10.123.7.1", "names": ["dns"]}]
    assert {"line": "nameserver 10.123.7.1"} in then["resolv"]["lines"]
    assert {"line": "options timeout:1"} in then["resolv"]["lines"]
    assert "web: resolv.conf at " in lab.command("history", "web", "--at", before).stdout
    hostwatch.stop()
    with lab.hostwatch() as again:
        eventually(lambda: of_json(lab, "status", "web")["subscribers"][0]["resolv"]["lines"])
        assert {"line": "options timeout:1"} in only(changes(lab, "app", "--at", before)[1:])["lines"]
        since = of_json(lab, "status", "web")["subscribers"][0]["resolv"]["lines"][0]["since"]
        assert since > before[:19]
        assert "while hostwatch was away" not in again.log
