"""The history beside a real engine: what was changed, how it was at any moment, and what goes on after a restart."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hostwatch.hosts.run_directory import RUN
from hostwatch.http.client import Client
from hostwatch.http.sockets import control_socket
from tests.conftest import Hostwatch, Lab, eventually, newest_only

pytestmark = newest_only

ASKS = "@{db.ip} db\n@{mq.ip} mq\n"
NO_MQ = "mq: no running container"


def told(lab: Lab, *arguments: str) -> list[dict[str, Any]]:
    """The lines of `history --json`."""
    return [json.loads(line) for line in lab.command("history", "--json", *arguments).stdout.splitlines()]


def moves(changes: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Of each name that changed: the name, the old and the new addresses."""
    return [
        (each["name"], " ".join(each["old"]), " ".join(each["new"])) for change in changes for each in change["changes"]
    ]


def moved(lab: Lab, name: str, address: str) -> None:
    """Make a container anew at another address."""
    lab.client.containers.get(name).remove(force=True)
    lab.run(name, address=address)


def kept(lab: Lab) -> tuple[str, Path]:
    """A configuration with a file for the history, and that file's path."""
    path = lab.directory / "history.db"
    return lab.configured(f"history: {{file: {path}, keep: 1h}}\n"), path


def instant() -> str:
    """Now, as a user may copy it from a line of JSON."""
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")


def lines_at(lab: Lab, at: str, *arguments: str) -> list[str]:
    """The lines of `web` at a moment."""
    blocks = told(lab, "web", "--at", at, *arguments)
    records = [f"{each['address']} {' '.join(each['names'])}" for block in blocks for each in block["records"]]
    withheld = [f"{each['line']} ({each['reason']})" for block in blocks for each in block["withheld"]]
    return records + withheld


def test_what_was_at_any_moment(lab: Lab) -> None:
    """Each change is told, and each moment rebuilt: while the daemon runs, while none does, and after a restart."""
    configuration, path = kept(lab)
    lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels={"hostwatch.hosts": ASKS})
    with lab.hostwatch("-c", configuration, ready="withheld"):
        eventually(lambda: len(told(lab)) == 1)
        first = instant()
        moved(lab, "db", "10.123.7.2")
        eventually(lambda: moves(told(lab))[-1] == ("db", "10.123.7.1", "10.123.7.2"))
        second = instant()
        lab.run("mq", address="10.123.7.3")
        eventually(lambda: moves(told(lab))[-1] == ("mq", "", "10.123.7.3"))
        before_stop = told(lab)
        assert [change["id"] for change in before_stop] == [1, 2, 3]
        assert before_stop[1]["cause"].startswith(("create db", "start of db", "start db", "connection of db"))
        assert before_stop[0]["withheld"] == [{"line": "@{mq.ip} mq", "reason": NO_MQ}]
        assert before_stop[2]["no_longer_withheld"] == ["@{mq.ip} mq"]
        assert {change["subscriber_id"] for change in before_stop} == {web.id}
        assert sinces(lab) == {"db": before_stop[1]["time"], "mq": before_stop[2]["time"]}
        check_moments(lab, first, second)
        (line,) = lab.command("history", "web", "--name", "mq", "--since", "1h").stdout.splitlines()[1:]
        assert "web: mq - → 10.123.7.3; no longer withheld: @{mq.ip} mq (" in line
        assert line.endswith(" ms)")
    assert told(lab, "-c", configuration) == before_stop
    check_moments(lab, first, second, "-c", configuration)
    assert path.stat().st_mode & 0o777 == 0o600
    moved(lab, "db", "10.123.7.4")
    with lab.hostwatch("-c", configuration, ready="web: db"):
        eventually(lambda: len(told(lab)) == 4)
        assert told(lab)[:3] == before_stop
        assert moves(told(lab)[3:]) == [("db", "10.123.7.2", "10.123.7.4")]
        check_moments(lab, first, second)
        assert sinces(lab) == {"db": told(lab)[3]["time"], "mq": before_stop[2]["time"]}


def sinces(lab: Lab) -> dict[str, str]:
    """Since when each record of the only subscriber is as it is, as the daemon tells."""
    client = Client(control_socket(RUN, str(lab.client.info()["ID"])))
    (subscriber,) = client.get("/api/v1/state")["subscribers"]
    return {record["names"][0]: record["since"] for record in subscriber["records"]}


def check_moments(lab: Lab, first: str, second: str, *arguments: str) -> None:
    """Both are as they were."""
    mq = f"@{{mq.ip}} mq ({NO_MQ})"
    assert lines_at(lab, first, *arguments) == ["10.123.7.1 db", mq]
    assert lines_at(lab, second, *arguments) == ["10.123.7.2 db", mq]
    assert lines_at(lab, instant(), *arguments)[0].endswith(" db")
    assert lines_at(lab, "2026-01-01", *arguments) == []


def test_a_key_means_earlier_containers_of_the_same_names(lab: Lab) -> None:
    """As after `docker compose up` has made one anew. Where it can mean none, that is said."""
    path = lab.directory / "history.db"
    entries = "app: {match: {name: web}, services: db}, none: {match: {name: none}, services: db}"
    configuration = lab.configured(f"history: {{file: {path}}}\nsubscribers: {{{entries}}}\n")
    lab.run("db", address="10.123.7.1")
    owners = [lab.run("web").id]
    with lab.hostwatch("-c", configuration, ready="web: db"):
        client = Client(control_socket(RUN, str(lab.client.info()["ID"])))
        eventually(lambda: len(client.get("/api/v1/history")["changes"]) == 1)
        first = instant()
        lab.client.containers.get("web").remove(force=True)
        owners.append(lab.run("web").id)
        asked = [("subscriber", "app")]
        eventually(
            lambda: [each["subscriber_id"] for each in client.get("/api/v1/history", asked)["changes"]] == owners
        )
        (block,) = client.get("/api/v1/history", [*asked, ("at", first)])["blocks"]
        assert block["subscriber_id"] == owners[0]
        unmatched = lab.command("history", "none")
        assert (unmatched.stdout, unmatched.stderr.count("none: this entry of the configuration matches no")) == ("", 1)
    alone = lab.command("history", "-c", configuration, "app")
    assert (alone.stdout, alone.stderr.count("app: as a key of the configuration it means containers")) == ("", 1)


def test_what_happened_while_no_daemon_ran(lab: Lab) -> None:
    """However the last one ended. A file that was rebuilt meanwhile is one change; one that is gone has ended."""
    configuration, _ = kept(lab)
    lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db"})
    gone = lab.run("gone", labels={"hostwatch.hosts": "@{db.ip} db"})
    with lab.hostwatch("-c", configuration, ready="web: db") as hostwatch:
        eventually(lambda: len(told(lab, "-c", configuration)) == 2)
        time.sleep(0.5)  # longer than a batch waits
        hostwatch.stop(signal.SIGKILL)
    moved(lab, "db", "10.123.7.2")
    web.restart(timeout=0)
    gone.remove(force=True)
    with lab.hostwatch("-c", configuration, ready="web: db"):
        (change,) = eventually(lambda: told(lab)[2:])
        assert (change["id"], change["cause"]) == (3, "while hostwatch was away")
        assert moves([change]) == [("db", "10.123.7.1", "10.123.7.2")]
        eventually(lambda: [block["subscriber"] for block in told(lab, "--at", instant())] == ["web"])
        web.remove(force=True)
        eventually(lambda: told(lab, "--at", instant()) == [])
        assert len(told(lab)) == 3  # nobody changed that file


def test_a_file_that_is_not_ours_costs_nothing_but_history(lab: Lab) -> None:
    """It is left as it is, and said once; SIGHUP with another one takes effect at once."""
    configuration, path = kept(lab)
    path.write_text("127.0.0.1 localhost\n" * 10)
    lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db"})
    with lab.hostwatch("-c", configuration, ready="web: db") as hostwatch:
        eventually(lambda: len(told(lab)) == 1)
        assert hostwatch.log.count(f"{path} is another program's; it is left as it is") == 1
        moved(lab, "db", "10.123.7.2")
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.2"]})
        other = lab.directory / "state" / "history.db"
        lab.configured(f"history: {{file: {other}}}\n")
        hostwatch.process.send_signal(signal.SIGHUP)
        eventually(other.exists)
        moved(lab, "db", "10.123.7.3")
        eventually(lambda: len(told(lab)) == 3)
    assert path.read_text() == "127.0.0.1 localhost\n" * 10
    assert moves(told(lab, "-c", configuration)) == [("db", "10.123.7.2", "10.123.7.3")]


@contextmanager
def followed(lab: Lab, *arguments: str) -> Iterator[Path]:
    """The output of `history --follow`, while that runs."""
    output = lab.directory / f"followed-{time.monotonic_ns()}"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "hostwatch", "history", "--follow", *arguments],
            env=lab.environ | {"TZ": "Asia/Kolkata"},
            stdout=file,
            stderr=subprocess.DEVNULL,
        )
    try:
        yield output
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def follow_restart(lab: Lab, output: Path, hostwatch: Hostwatch) -> None:
    """A change is followed, and the daemon ends."""
    eventually(lambda: "db - → 10.123.7.1 (" in output.read_text())
    moved(lab, "db", "10.123.7.2")
    eventually(lambda: "db 10.123.7.1 → 10.123.7.2 (" in output.read_text())
    hostwatch.stop()


def test_following_survives_a_restart(lab: Lab) -> None:
    """With a file, nothing is missed and nothing told twice. Times are in the reader's zone."""
    configuration, _ = kept(lab)
    lab.run("db", address="10.123.7.1")
    lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db"})
    with lab.hostwatch("-c", configuration, ready="web: db") as hostwatch, followed(lab) as output:
        follow_restart(lab, output, hostwatch)
        with lab.hostwatch("-c", configuration), followed(lab, "web", "--name", "DB", "--json") as filtered:
            eventually(lambda: len(filtered.read_text().splitlines()) == 2)
            moved(lab, "db", "10.123.7.3")
            eventually(lambda: "db 10.123.7.2 → 10.123.7.3 (" in output.read_text())
            eventually(lambda: len(filtered.read_text().splitlines()) == 3)
            lines = output.read_text().splitlines()
            assert len(lines) == 3
            assert all("+05:30  web: db " in line for line in lines)
            assert [json.loads(line)["id"] for line in filtered.read_text().splitlines()] == [1, 2, 3]


def test_following_without_a_file(lab: Lab) -> None:
    """The next daemon counts from 1 again, and its changes are told all the same."""
    lab.run("db", address="10.123.7.1")
    lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db"})
    with lab.hostwatch(ready="web: db") as hostwatch, followed(lab) as output:
        follow_restart(lab, output, hostwatch)
        with lab.hostwatch():
            moved(lab, "db", "10.123.7.3")
            eventually(lambda: "db 10.123.7.2 → 10.123.7.3 (" in output.read_text())
            moved(lab, "db", "10.123.7.4")
            eventually(lambda: "db 10.123.7.3 → 10.123.7.4 (" in output.read_text())
    failed = lab.command("history", status=1)
    assert "no daemon runs here, which would know, and the configuration has no history.file" in failed.stderr


def test_a_standby_opens_no_history(lab: Lab) -> None:
    """It takes over with what the first has left."""
    configuration, path = kept(lab)
    lab.run("db", address="10.123.7.1")
    lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db"})
    with (
        lab.hostwatch("-c", configuration, ready="web: db") as first,
        lab.hostwatch("-c", configuration, ready="standby") as second,
    ):
        eventually(lambda: len(told(lab)) == 1)
        assert str(path) not in opened_by(second)
        assert str(path) in opened_by(first)
        first.stop()
        eventually(lambda: str(path) in opened_by(second))
        moved(lab, "db", "10.123.7.2")
        eventually(lambda: [change["id"] for change in told(lab)] == [1, 2])


def opened_by(hostwatch: Hostwatch) -> list[str]:
    """The files that a daemon has open."""
    found = []
    for link in Path(f"/proc/{hostwatch.process.pid}/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:
            continue
    return found
