"""Faults between hostwatch and an engine, injected by a proxy between the two real ones."""

import re
import time
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.conftest import Hostwatch, Lab, eventually
from tests.proxy import Proxy

pytestmark = pytest.mark.parametrize("engine", ["28.5"], indirect=True)

SUBSCRIBER = {"hostwatch.hosts": "@{db.ip} db"}


def line(address: str) -> str:
    """The line that announces the database."""
    return f"{address:<16}db\n"


def followed(lab: Lab, container: Container, address: str, seconds: float = 10.0) -> None:
    """Wait until the container's file announces the database at this address."""
    eventually(lambda: line(address) in lab.hosts(container), seconds)


def connections(hostwatch: Hostwatch, wanted: int) -> None:
    """Wait until hostwatch has connected this many times."""
    eventually(lambda: hostwatch.log.count("connected to engine") == wanted)


def test_a_held_up_request_delays_nobody_else(lab: Lab, proxy: Proxy) -> None:
    """Each inspection of another container hangs, and the database is still followed."""
    web = lab.run("web", labels=SUBSCRIBER)
    with lab.hostwatch():
        stranger = lab.create("stranger")
        proxy.hold = re.compile(rf"/containers/{stranger.id}/json")
        stranger.start()
        others = [lab.run(f"web-{number}", labels=SUBSCRIBER) for number in range(3)]
        lab.run("db", address="10.123.5.5")
        for subscriber in (web, *others):
            followed(lab, subscriber, "10.123.5.5", 2)
        eventually(lambda: proxy.held)


def test_a_hung_inspection_does_not_delay_the_start(lab: Lab, proxy: Proxy) -> None:
    """hostwatch starts while an inspection hangs, and the files become right."""
    web = lab.run("web", labels=SUBSCRIBER)
    lab.run("db", address="10.123.5.5")
    stranger = lab.run("stranger")
    proxy.hold = re.compile(rf"/containers/{stranger.id}/json")
    with lab.hostwatch():
        followed(lab, web, "10.123.5.5", 4)
        eventually(lambda: proxy.held)


def test_with_the_path_writer_only_get_requests_are_made(lab: Lab, proxy: Proxy) -> None:
    """A read-only socket proxy is enough."""
    web = lab.run("web", labels=SUBSCRIBER)
    with lab.hostwatch():
        lab.run("db", address="10.123.5.5").restart(timeout=0)
        followed(lab, web, "10.123.5.5")
    assert len(proxy.requests) > 5
    assert not [request for request in proxy.requests if not request.startswith("GET ")]


def test_a_start_costs_at_most_two_requests_for_each_event(lab: Lab, proxy: Proxy) -> None:
    """create, connect and start are the three events of a container. Ten containers start."""
    with lab.hostwatch():
        before = len(proxy.requests)
        web = [lab.run(f"web-{number}", labels=SUBSCRIBER) for number in range(10)]
        lab.run("db", address="10.123.5.5")
        eventually(lambda: all(line("10.123.5.5") in lab.hosts(container) for container in web))
        spent = len(proxy.requests) - before
    assert spent <= 2 * 3 * 11


def test_a_huge_event_neither_ends_the_stream_nor_delays_others(lab: Lab, proxy: Proxy) -> None:
    """A container with 700 kB of labels comes before the database. One connection serves all events."""
    web = lab.run("web", labels=SUBSCRIBER)
    begun = time.monotonic()
    with lab.hostwatch():
        lab.run("huge", labels={f"label-{number}": "x" * 7_000 for number in range(100)})
        lab.run("db", address="10.123.5.5")
        followed(lab, web, "10.123.5.5", 2)
    streams = len([request for request in proxy.requests if "/events" in request])
    assert 1 <= streams <= 1 + (time.monotonic() - begun) // 10, "each is replaced after ten seconds"


def test_a_container_with_too_long_labels_is_not_waited_for(lab: Lab) -> None:
    """1.2 MB of labels prevent its inspection, so it may have any alias. The database's name still goes."""
    web = lab.run("web", labels={"hostwatch.services": "db, big"})
    service = lab.run("db", address="10.123.5.5")
    big = lab.run("big", address="10.123.5.6", labels={f"label-{number}": "x" * 60_000 for number in range(20)})
    with lab.hostwatch() as hostwatch:
        eventually(lambda: lab.records(web) == {"db": ["10.123.5.5"], "big": ["10.123.5.6"]})
        service.remove(force=True)
        eventually(lambda: lab.records(web) == {"big": ["10.123.5.6"]}, 45)
        eventually(lambda: "big cannot be inspected (more than 1048576 bytes were answered)" in hostwatch.log)
        big.stop(timeout=0)
        eventually(lambda: lab.records(web) == {}, 15)
        big.start()
        eventually(lambda: lab.records(web) == {"big": ["10.123.5.6"]}, 15)
    assert hostwatch.log.count("big cannot be inspected") == 1


def test_a_stream_that_is_cut_is_taken_up_again(lab: Lab, proxy: Proxy) -> None:
    """A change falls into the gap. Nothing is lost, and the log has a line for each loss and return."""
    web = lab.run("web", labels=SUBSCRIBER)
    service = lab.run("db", address="10.123.5.5")
    with lab.hostwatch() as hostwatch:
        for number in range(3):
            connections(hostwatch, number + 1)
            proxy.cut()
            service.remove(force=True)
            service = lab.run("db", address=f"10.123.6.{number + 1}")
            followed(lab, web, f"10.123.6.{number + 1}")
        eventually(lambda: hostwatch.log.count("lost the engine") == 3)


def test_lost_events_are_made_up_for_by_the_resync(lab: Lab, proxy: Proxy, tmp_path: Path) -> None:
    """No event of the database arrives, and the watch of files does not show a running container."""
    config = tmp_path / "hostwatch.yaml"
    config.write_text("timing: {resync: 1s}\n")
    web = lab.run("web", labels=SUBSCRIBER)
    with lab.hostwatch("-c", str(config)):
        proxy.drop = re.compile(rb'"name":"db"|"container":')
        lab.run("db", address="10.123.5.5")
        followed(lab, web, "10.123.5.5")


def test_records_stay_while_a_container_cannot_be_read(lab: Lab, proxy: Proxy) -> None:
    """An inspection fails with 500: its facts are unknown, not gone. Others go on. A lasting fault is told once."""
    web = lab.run("web", labels=SUBSCRIBER)
    service = lab.run("db", address="10.123.5.5")
    with lab.hostwatch() as hostwatch:
        followed(lab, web, "10.123.5.5")
        proxy.refuse = re.compile(rf"/containers/{service.id}/json")
        service.rename("another")
        later = lab.run("web-2", labels=SUBSCRIBER)
        followed(lab, later, "10.123.5.5")
        eventually(lambda: "db cannot be read, so what is known of it stays" in hostwatch.log)
        assert line("10.123.5.5") in lab.hosts(web)
        proxy.refuse = None
        eventually(lambda: line("10.123.5.5") not in lab.hosts(web), 20)  # it is tried again after ever longer waits
    assert hostwatch.log.count("cannot be read") == 1


def test_records_stay_while_the_engine_is_away(lab: Lab, proxy: Proxy) -> None:
    """Every request fails. The files stay, and hostwatch heals drift from its last facts."""
    web = lab.run("web", labels=SUBSCRIBER)
    lab.run("db", address="10.123.5.5")
    with lab.hostwatch() as hostwatch:
        followed(lab, web, "10.123.5.5")
        proxy.refuse = re.compile("")
        proxy.cut()
        eventually(lambda: "lost the engine" in hostwatch.log)
        text = lab.hosts(web)
        lab.hosts_path(web).write_text(text.replace("10.123.5.5", "10.123.5.6"))
        eventually(lambda: lab.hosts(web) == text)
        proxy.refuse = None
        connections(hostwatch, 2)
        assert lab.hosts(web) == text
        assert hostwatch.log.count("lost the engine") == 1
