"""Notifications of changed records: once the change has settled, not after an own restart, and in no loop."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from docker.models.containers import Container

from tests.conftest import Lab, eventually, newest_only

pytestmark = newest_only

CHANGES = 50
COUNTS = "trap 'echo told' USR1; echo ready; while :; do sleep 1000 & wait; kill %1 2>/dev/null; done"
"""A program that prints a line at each notification."""
WANTS_DB = {"hostwatch.hosts": "@{db.ip} db", "hostwatch.notify": "SIGUSR1"}
QUICK = "timing: {linger: 0, notify_debounce: 100ms}"


def counting(lab: Lab, name: str = "web", **labels: str) -> Container:
    """A running subscriber that counts its notifications."""
    container = lab.run(name, COUNTS, labels=WANTS_DB | {f"hostwatch.{key}": value for key, value in labels.items()})
    eventually(lambda: b"ready" in container.logs())
    return container


def told(container: Container) -> int:
    """The number of notifications that the application has got."""
    return container.logs().decode().count("told")


def known(lab: Lab, container: Container, address: str) -> None:
    """Wait until `db` has this address in the container's file."""
    eventually(lambda: lab.records(container).get("db") == [address])


def moved(lab: Lab, service: Container, address: str) -> None:
    """Give a running service another address."""
    lab.network.disconnect(service)
    lab.network.connect(service, ipv4_address=address)


def quiet(seconds: float = 0.8) -> None:
    """Wait for a notification that must not come: longer than the debounce."""
    time.sleep(seconds)


def starts(container: Container) -> str:
    """The time of the container's last start."""
    container.reload()
    started: str = container.attrs["State"]["StartedAt"]
    return started


@contextmanager
def busy() -> Iterator[None]:
    """Both cores kept busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_one_notification_for_each_of_fifty_changes_under_load(lab: Lab) -> None:
    """The service moves while both cores are busy, and in every fifth move a neighbour comes and goes."""
    lingering = lab.configured("timing: {linger: 30s, notify_debounce: 100ms}")
    with lab.hostwatch("-c", lingering) as hostwatch, busy():
        db = lab.run("db", address="10.123.1.1")
        web = counting(lab)
        known(lab, web, "10.123.1.1")
        for number in range(1, CHANGES + 1):
            neighbour = lab.run(f"neighbour-{number}", labels=WANTS_DB) if number % 5 == 0 else None
            address = f"10.123.2.{number}"
            moved(lab, db, address)
            known(lab, web, address)
            eventually(lambda number=number: told(web) == number)  # type: ignore[misc]
            if neighbour is not None:
                neighbour.remove(force=True)
        quiet()
        assert told(web) == CHANGES, hostwatch.log


def test_unchanged_records_cause_no_notification(lab: Lab) -> None:
    """Its own start and restart, drift, a restart of hostwatch, a service that is back at its address in time."""
    slow = lab.configured("timing: {linger: 30s, notify_debounce: 2s}")  # a busy machine takes a while for a move
    db = lab.run("db", address="10.123.1.1")
    with lab.hostwatch("-c", slow) as hostwatch:
        web = counting(lab)
        known(lab, web, "10.123.1.1")
        web.restart(timeout=0)
        known(lab, web, "10.123.1.1")
        path = lab.hosts_path(web)
        path.write_text(path.read_text().replace("10.123.1.1 ", "192.0.2.99 "))
        known(lab, web, "10.123.1.1")
        db.restart(timeout=0)
        moved(lab, db, "10.123.1.2")
        known(lab, web, "10.123.1.2")
        moved(lab, db, "10.123.1.1")
        known(lab, web, "10.123.1.1")
        quiet(2.8)
        assert "notified" not in hostwatch.log
    with lab.hostwatch("-c", slow):
        quiet(2.8)
    assert told(web) == 0


def test_a_change_while_hostwatch_was_away_causes_a_notification(lab: Lab) -> None:
    """The file had the old address until now."""
    db = lab.run("db", address="10.123.1.1")
    with lab.hostwatch("-c", lab.configured(QUICK)):
        web = counting(lab)
        known(lab, web, "10.123.1.1")
    moved(lab, db, "10.123.1.2")
    with lab.hostwatch("-c", lab.configured(QUICK)):
        eventually(lambda: told(web) == 1)
        quiet()
    assert told(web) == 1


def test_a_service_that_always_moves_does_not_prevent_notifications(lab: Lab) -> None:
    """Each move comes before the debounce is over. After ten times the debounce the notification comes anyway."""
    with lab.hostwatch("-c", lab.configured("timing: {linger: 0, notify_debounce: 1s}")):
        db = lab.run("db", address="10.123.1.1")
        web = counting(lab)
        known(lab, web, "10.123.1.1")
        number = 0
        while not told(web):
            number += 1
            assert number < 200, "it was never told"
            moved(lab, db, f"10.123.2.{number}")
            time.sleep(0.1)
        assert number > 5, "the changes did not follow each other fast enough to show anything"


def test_a_restart_is_no_reason_for_a_restart(lab: Lab) -> None:
    """Two containers name each other, and both restart on a change: each once for one change."""
    lab.run("db", address="10.123.1.1")
    with lab.hostwatch("-c", lab.configured("timing: {linger: 0, notify_debounce: 2s}")) as hostwatch:
        pair = []
        for name, other in (("one", "two"), ("two", "one")):
            lines = f"@{{db.ip}} db\n@{{{other}.ip}} {other}"
            pair.append(lab.run(name, labels={"hostwatch.hosts": lines, "hostwatch.notify": "restart"}))
        for container in pair:
            eventually(lambda container=container: len(lab.records(container)) == 2)  # type: ignore[misc]
        eventually(lambda: "one: notified by restart" in hostwatch.log)
        quiet(5)
        before = hostwatch.log.count("notified by restart")
        moved(lab, lab.client.containers.get("db"), "10.123.1.2")
        told = [f"{name}: notified by restart (db 10.123.1.1 → 10.123.1.2" for name in ("one", "two")]
        eventually(lambda: all(each in hostwatch.log for each in told))
        quiet(5)
        assert [hostwatch.log.count(each) for each in told] == [1, 1], hostwatch.log
        # A busy engine starts one so late that the other has begun without its address, which is another change.
        assert hostwatch.log.count("notified by restart") - before <= 3, hostwatch.log


def test_a_restart_lets_the_application_see_the_new_address(lab: Lab) -> None:
    """It is restarted once, after the change, and its block is there at its first instruction."""
    db = lab.run("db", address="10.123.1.1")
    with lab.hostwatch("-c", lab.configured(QUICK)) as hostwatch:
        labels = WANTS_DB | {"hostwatch.notify": "restart"}
        web = lab.run("web", "grep -w db /etc/hosts; exec sleep 1000", labels=labels)
        known(lab, web, "10.123.1.1")
        first = starts(web)
        moved(lab, db, "10.123.1.2")
        eventually(lambda: "web: notified by restart (db 10.123.1.1 → 10.123.1.2)" in hostwatch.log)
        second = starts(web)
        assert second != first
        quiet()
        assert starts(web) == second
    assert web.logs().decode().splitlines()[-1] == "10.123.1.2      db"


def test_a_command_in_the_container(lab: Lab) -> None:
    """It runs as the container's own user. A failure, or a missing program, is a warning with the output."""
    db = lab.run("db", address="10.123.1.1")
    notifications = {
        "good": "exec: sh -c 'id -u > /tmp/told'",
        "bad": "exec: sh -c 'echo no such host; exit 3'",
        "missing": "exec: nginx -s reload",
    }
    with lab.hostwatch("-c", lab.configured(QUICK)) as hostwatch:
        webs = {
            name: lab.run(name, labels=WANTS_DB | {"hostwatch.notify": notification}, user="1000")
            for name, notification in notifications.items()
        }
        for web in webs.values():
            known(lab, web, "10.123.1.1")
        moved(lab, db, "10.123.1.2")
        eventually(lambda: webs["good"].exec_run(["cat", "/tmp/told"]).output == b"1000\n")
        eventually(lambda: hostwatch.log.count("could not be notified by") == 2)
    warnings = "\n".join(line for line in hostwatch.log.splitlines() if "could not" in line)
    assert "bad: could not be notified by exec: sh -c 'echo no such host; exit 3': exit status 3: no such" in warnings
    assert "missing: could not be notified by exec: nginx -s reload: exit status 127" in warnings


def test_notifications_of_the_configuration(lab: Lab) -> None:
    """They come beside the label's. Of two equal ones only one is sent."""
    db = lab.run("db", address="10.123.1.1")
    configuration = f"{QUICK}\nsubscribers: {{web: {{match: {{name: web}}, services: [db], notify: {{signal: usr1}}}}}}"
    with lab.hostwatch("-c", lab.configured(configuration)) as hostwatch:
        web = counting(lab)
        known(lab, web, "10.123.1.1")
        moved(lab, db, "10.123.1.2")
        eventually(lambda: told(web))
        quiet()
        assert told(web) == 1
    assert "web: notified by SIGUSR1 (db 10.123.1.1 → 10.123.1.2)" in hostwatch.log


def test_by_exec_too_a_start_causes_no_notification(lab: Lab) -> None:
    """The file is written after the start. That is no change, but a later write is."""
    db = lab.run("db", address="10.123.1.1")
    more = f"docker: {{root: {lab.directory}/nothing}}\n{QUICK}"
    with lab.hostwatch("-c", lab.configured(more)) as hostwatch:
        web = counting(lab)
        known(lab, web, "10.123.1.1")
        quiet()
        web.restart(timeout=0)
        known(lab, web, "10.123.1.1")
        quiet()
        assert told(web) == 0
        assert "notified" not in hostwatch.log
        moved(lab, db, "10.123.1.2")
        eventually(lambda: told(web) == 1)


def test_a_stopped_application_gets_no_notification(lab: Lab) -> None:
    """It will start with the present records. One is stopped, one is gone."""
    db = lab.run("db", address="10.123.1.1")
    with lab.hostwatch("-c", lab.configured("timing: {linger: 0, notify_debounce: 3s}")) as hostwatch:
        stopped, gone = counting(lab, "stopped"), counting(lab, "gone")
        for web in (stopped, gone):
            known(lab, web, "10.123.1.1")
        moved(lab, db, "10.123.1.2")
        for web in (stopped, gone):
            known(lab, web, "10.123.1.2")
        gone.remove(force=True)
        stopped.kill()
        quiet(4)
    assert "notified" not in hostwatch.log
