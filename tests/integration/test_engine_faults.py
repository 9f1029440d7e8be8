"""The engine goes away and comes back, falls silent, sends nonsense, or is another one: real daemons, really killed.

Records always stay while facts are unknown. All is right within two seconds of the engine's return. Each loss and each
return is one line in the log, and hostwatch is idle meanwhile.
"""

import itertools
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests import engine as engines
from tests.conftest import Hostwatch, Lab, eventually, lab_on
from tests.integration.test_drift import end_inside
from tests.integration.test_faults import SUBSCRIBER, connections, followed, line
from tests.noise import slowness
from tests.proxy import Proxy
from tests.usage import usage

pytestmark = pytest.mark.parametrize("engine", ["28.5"], indirect=True)

RETURN_SECONDS = 2.0
"""The longest time from the engine's return until everything is right."""
IDLE = 0.05
"""The largest share of a core that hostwatch may use while the engine is away."""

down = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])


def end(engine: engines.Engine, number: signal.Signals) -> None:
    """End the daemon by this signal, and wait until it is gone."""
    engine.kill(number)
    eventually(lambda: not engine.alive(), 30)


@contextmanager
def idle(hostwatch: Hostwatch, seconds: float) -> Iterator[None]:
    """The body, which takes at least this time, must cost hostwatch next to nothing."""
    before, begin = usage(hostwatch.process.pid).cpu_seconds, time.monotonic()
    yield
    # No event shows that nothing happens, so the test sleeps.
    time.sleep(max(0.0, begin + seconds - time.monotonic()))
    share = (usage(hostwatch.process.pid).cpu_seconds - before) / (time.monotonic() - begin)
    print(f"{share:.1%} of a core")
    assert share < IDLE * slowness()


def move(lab: Lab, container: Container, given: str) -> None:
    """Give a running container another address."""
    lab.network.disconnect(container)
    lab.network.connect(container, ipv4_address=given)


def hand_over(lab: Lab, other: Container) -> None:
    """Give the name of the database to another running container. Only events tell that."""
    lab.client.containers.get("db").rename(f"before-{other.name}")
    other.rename("db")


def nonsense(*words: bytes) -> Callable[[bytes], bytes]:
    """A function that replaces each line of the event stream by one of these, in turn, at the same length."""
    turn = itertools.cycle(words)

    def garbled(chunk: bytes) -> bytes:
        head, end, body = chunk.partition(b"\r\n")
        return head + end + next(turn).ljust(len(body) - 3) + body[-3:]

    return garbled


def address(lab: Lab, container: Container) -> str:
    """The container's present address, from the engine."""
    container.reload()
    return str(container.attrs["NetworkSettings"]["Networks"][lab.network.name]["IPAddress"])


def losses(hostwatch: Hostwatch, wanted: int) -> None:
    """Check that the log has each loss and each return, and no more."""
    told = ("lost the engine", "connected to engine")
    eventually(lambda: [hostwatch.log.count(each) for each in told] == [wanted, wanted + 1])
    assert "ERROR" not in hostwatch.log


@pytest.fixture(scope="module", params=["--live-restore=true", "--live-restore=false"])
def daemon(request: pytest.FixtureRequest, engine: engines.Engine) -> Iterator[engines.Engine]:
    """An engine with a daemon that may be ended: its containers live on, or die with it."""
    own = engines.start(engine.version, f"{engine.name}-down", args=[request.param])
    yield own
    own.stop()


@pytest.fixture
def frail(daemon: engines.Engine, tmp_path: Path) -> Iterator[Lab]:
    """A lab on that engine."""
    with lab_on(daemon, tmp_path) as lab:
        yield lab


live = pytest.mark.parametrize("daemon", ["--live-restore=true"], indirect=True)
mortal = pytest.mark.parametrize("daemon", ["--live-restore=false"], indirect=True)


@live
def test_containers_live_on_without_their_engine(frail: Lab) -> None:
    """Two die meanwhile. No event tells that, so their lines stay. One stays dead, and lingers from the return."""
    lab, restarted = frail, {"Name": "always"}
    lab.run("db")
    # No other container may take the address: a line with another container's address goes at once.
    lab.run("cache", address="10.123.5.5")
    queue = lab.run("queue", restart_policy=restarted)
    web = lab.run("web", labels={"hostwatch.services": "db, cache, queue"})
    with lab.hostwatch() as hostwatch:
        eventually(lambda: len(lab.records(web)) == 3)
        right = lab.hosts(web)
        pids = [lab.client.api.inspect_container(name)["State"]["Pid"] for name in ("cache", "queue")]
        end(lab.engine, signal.SIGTERM)
        eventually(lambda: "lost the engine" in hostwatch.log)
        with idle(hostwatch, 2):
            for pid in pids:
                end_inside(lab.engine, pid)
            lab.hosts_path(web).write_text(right.replace(" db\n", " xx\n"))
            eventually(lambda: lab.hosts(web) == right)
        assert lab.hosts(web) == right
        lab.engine.start()
        connections(hostwatch, 2)
        known = time.monotonic()
        assert "cache" in lab.records(web)
        eventually(lambda: address(lab, queue), 20)  # the engine takes its time to start it again
        eventually(lambda: lab.records(web).get("queue") == [address(lab, queue)], RETURN_SECONDS)
        eventually(lambda: "cache" not in lab.records(web), 4)
        assert time.monotonic() - known > 1
        losses(hostwatch, 1)


@mortal
@down
def test_containers_come_back_with_their_engine_on_other_addresses(frail: Lab, number: signal.Signals) -> None:
    """They start in another order, so that they take each other's addresses."""
    lab, restarted = frail, {"Name": "always"}
    lab.run("first")  # does not come back, so that the others move up
    names = [f"db-{number}" for number in range(5)]
    services = {name: lab.run(name, restart_policy=restarted) for name in names}
    web = lab.run("web", labels={"hostwatch.services": ", ".join(names)}, restart_policy=restarted)
    with lab.hostwatch() as hostwatch:
        eventually(lambda: len(lab.records(web)) == 5)
        before = lab.records(web)
        end(lab.engine, number)
        with idle(hostwatch, 2):
            pass
        assert lab.records(web) == before
        lab.engine.start()
        returned = time.monotonic()

        def right() -> bool:
            return lab.records(web) == {name: [address(lab, found)] for name, found in services.items()}

        eventually(right, RETURN_SECONDS)
        print(f"right after {time.monotonic() - returned:.2f} s")
        assert lab.records(web) != before
        connections(hostwatch, 2)
        losses(hostwatch, 1)


BOOTED = "grep -w db /etc/hosts || echo none; trap 'grep -w db /etc/hosts' HUP; while true; do sleep 0.1; done"


@mortal
def test_at_boot_lines_and_notifications_come_with_hostwatch(frail: Lab) -> None:
    """The engine starts its containers before it answers, so a container's first look finds no line."""
    lab, restarted = frail, {"Name": "unless-stopped"}
    db = lab.run("db", restart_policy=restarted)
    labels = {"hostwatch.hosts": "@{db.ip} db", "hostwatch.notify": "SIGHUP"}
    web = lab.run("web", BOOTED, labels=labels, restart_policy=restarted)
    eventually(web.logs)
    before = len(web.logs())
    lab.engine.stop(keep=True)
    lab.engine.start()
    with lab.hostwatch():
        eventually(lambda: lab.records(web).get("db") == [address(lab, db)], RETURN_SECONDS)
        seen = f"none\n{line(address(lab, db))}"
        eventually(lambda: web.logs()[before:].decode() == seen)


# Faults from a proxy between the two.


def swap(lab: Lab, *pair: Container) -> None:
    """Have two containers take each other's addresses."""
    addresses = [address(lab, container) for container in pair]
    for container in pair:
        lab.network.disconnect(container)
    for container, given in zip(pair, reversed(addresses), strict=True):
        lab.network.connect(container, ipv4_address=given)


def test_changes_during_a_cut_are_known_at_once_afterwards(lab: Lab, proxy: Proxy) -> None:
    """Swapped addresses, a removal, a death, a restart, a new name, all while hostwatch is cut off and idle."""
    names = ("one", "two", "gone", "dead", "moved", "named")
    services = {name: lab.run(name, address=f"10.123.5.{number + 1}") for number, name in enumerate(names)}
    web = lab.run("web", labels={"hostwatch.services": ", ".join((*names, "renamed"))})
    with lab.hostwatch() as hostwatch:
        eventually(lambda: len(lab.records(web)) == 6)
        before = lab.hosts(web)
        proxy.refuse = re.compile("")
        proxy.cut()
        eventually(lambda: "lost the engine" in hostwatch.log)
        with idle(hostwatch, 2):
            swap(lab, services["one"], services["two"])
            services["gone"].remove(force=True)
            services["dead"].kill()
            services["moved"].remove(force=True)
            lab.run("moved", address="10.123.6.6")
            services["named"].rename("renamed")
        assert lab.hosts(web) == before
        proxy.refuse = None
        expected = {"one": ["10.123.5.2"], "two": ["10.123.5.1"], "moved": ["10.123.6.6"], "renamed": ["10.123.5.6"]}
        lingering = {"gone": ["10.123.5.3"], "dead": ["10.123.5.4"]}
        returned = time.monotonic()
        eventually(lambda: lab.records(web).items() >= expected.items(), RETURN_SECONDS)
        print(f"right after {time.monotonic() - returned:.2f} s")
        assert lab.records(web).items() >= lingering.items()
        eventually(lambda: lab.records(web) == expected, 4)
        eventually(lambda: "gone 10.123.5.3 → -" in hostwatch.log)
        # The swap is one change: neither name ever lacks its address or has a wrong one.
        assert len(re.findall(r"web: .*\bone ", hostwatch.log)) == 2
        losses(hostwatch, 1)


def test_an_engine_that_falls_silent_is_away(lab: Lab, proxy: Proxy) -> None:
    """Every connection stands, but event requests are not answered, and later no byte passes any more."""
    web = lab.run("web", labels=SUBSCRIBER)
    service = lab.run("db", address="10.123.5.5")
    proxy.freeze("/events")
    with lab.hostwatch(ready="ERROR") as hostwatch:
        assert "did not answer within 5 s" in hostwatch.log
        assert not lab.records(web)
        proxy.thaw()
        followed(lab, web, "10.123.5.5", RETURN_SECONDS)
        connections(hostwatch, 1)
        proxy.freeze()
        eventually(lambda: "lost the engine (the engine did not answer within 5 s)" in hostwatch.log, 25)
        with idle(hostwatch, 1):
            service.remove(force=True)
            lab.run("db", address="10.123.5.6")
        assert line("10.123.5.5") in lab.hosts(web)
        proxy.thaw()
        followed(lab, web, "10.123.5.6", RETURN_SECONDS)
        assert hostwatch.log.count("lost the engine") == hostwatch.log.count("ERROR") == 1
        connections(hostwatch, 2)


def test_an_engine_that_is_slow_to_tell_its_identity_is_not_away(lab: Lab, proxy: Proxy) -> None:
    """hostwatch says once that it waits, and follows the engine as soon as it has answered."""
    web = lab.run("web", labels=SUBSCRIBER)
    lab.run("db", address="10.123.5.5")
    proxy.freeze("/info")
    with lab.hostwatch(ready="waiting for the engine to say who it is") as hostwatch:
        eventually(lambda: sum("/_ping" in request for request in proxy.requests) > 1)
        proxy.thaw()
        followed(lab, web, "10.123.5.5", RETURN_SECONDS)
        assert hostwatch.log.count("waiting for the engine") == 1
        losses(hostwatch, 0)


def test_a_dead_event_stream_is_made_up_for(lab: Lab, proxy: Proxy) -> None:
    """All other requests are answered, so nothing is lost: the next stream begins where the dead one ended."""
    web = lab.run("web", labels=SUBSCRIBER)
    lab.run("db", address="10.123.5.5")
    other = lab.run("other", address="10.123.5.6")
    begun = time.monotonic()
    with lab.hostwatch() as hostwatch:
        followed(lab, web, "10.123.5.5")
        proxy.freeze("/events(?!.*since=)")
        hand_over(lab, other)
        followed(lab, web, "10.123.5.6", 20)
        losses(hostwatch, 0)
    streams = len([request for request in proxy.requests if "/events" in request])
    assert 2 <= streams <= 1 + (time.monotonic() - begun) // 10, "each is replaced after ten seconds"


def test_a_proxy_that_cuts_every_event_stream_costs_little(lab: Lab, proxy: Proxy) -> None:
    """A cut at once: each return is followed by a loss, at an even pace. Repeated later cuts: all is followed."""
    web = lab.run("web", labels=SUBSCRIBER)
    service = lab.run("db", address="10.123.5.5")
    with lab.hostwatch() as hostwatch:
        followed(lab, web, "10.123.5.5")
        seen, begun = len(proxy.requests), time.monotonic()
        with idle(hostwatch, 4):
            for _ in range(200):
                proxy.cut("/events")
                time.sleep(0.02)
        attempts = len([request for request in proxy.requests[seen:] if "/events" in request])
        print(f"{attempts} attempts")
        assert 3 <= attempts <= 10 / 4 * (time.monotonic() - begun)
        for number in range(3):
            service.remove(force=True)
            service = lab.run("db", address=f"10.123.6.{number + 1}")
            proxy.cut("/events")
            followed(lab, web, f"10.123.6.{number + 1}", RETURN_SECONDS)
        eventually(lambda: hostwatch.log.count("connected to engine") == hostwatch.log.count("lost the engine") + 1)


def test_nonsense_in_the_event_stream_is_made_up_for(lab: Lab, proxy: Proxy) -> None:
    """Half a line, no JSON, or JSON that is no event: each leads to a comparison, and none ends the stream."""
    web = lab.run("web", labels=SUBSCRIBER)
    lab.run("db", address="10.123.5.5")
    words = (b'{"Type":', b"\xff\x00}{", b"7", b'{"Type":"container","Actor":{"ID":7}}')
    others = [lab.run(f"other-{number}", address=f"10.123.6.{number + 1}") for number in range(len(words))]
    with lab.hostwatch() as hostwatch:
        followed(lab, web, "10.123.5.5")
        for number, word in enumerate(words):
            proxy.garble = nonsense(word)
            hand_over(lab, others[number])
            followed(lab, web, f"10.123.6.{number + 1}", 4)
        losses(hostwatch, 0)


def test_nonsense_during_a_comparison_leads_to_another_one(lab: Lab, proxy: Proxy) -> None:
    """The lost event concerns a service that is read already, while the comparison waits for another container."""
    web = lab.run("web", labels=SUBSCRIBER)
    lab.run("db", address="10.123.5.5")
    first, second, other = (lab.run(name, address=f"10.123.5.{n}") for n, name in enumerate(("one", "two", "other"), 6))
    with lab.hostwatch() as hostwatch:
        followed(lab, web, "10.123.5.5")
        proxy.hold, proxy.garble = re.compile(rf"/containers/{other.id}/json"), nonsense(b"{")
        hand_over(lab, first)
        eventually(lambda: proxy.held)
        hand_over(lab, second)
        followed(lab, web, "10.123.5.7", 5)
        losses(hostwatch, 0)


def test_events_after_the_list_was_made_are_applied(lab: Lab, proxy: Proxy) -> None:
    """They come while hostwatch still reads. Without them the service would be unknown until the next resync."""
    web = lab.run("web", labels=SUBSCRIBER)
    proxy.freeze(r"/containers/json")
    with lab.hostwatch(ready="") as hostwatch:
        eventually(lambda: any("/containers/json" in request for request in proxy.requests))
        time.sleep(0.5)  # the engine has made the list by now
        lab.run("db", address="10.123.5.5")
        time.sleep(0.5)
        proxy.thaw()
        followed(lab, web, "10.123.5.5", 3)
        eventually(lambda: "connected to engine" in hostwatch.log)


def test_a_stream_that_breaks_off_in_a_line_is_taken_up_again(lab: Lab, proxy: Proxy) -> None:
    """The connection ends in the middle of an event."""
    web = lab.run("web", labels=SUBSCRIBER)
    lab.run("db", address="10.123.5.5")
    other = lab.run("other", address="10.123.5.6")
    with lab.hostwatch() as hostwatch:
        followed(lab, web, "10.123.5.5")
        broken: list[bytes] = []

        def broken_off(chunk: bytes) -> bytes:
            broken.append(chunk)
            return chunk[:40]

        proxy.garble = broken_off
        hand_over(lab, other)
        eventually(lambda: len(broken) >= 2)
        proxy.garble = None
        proxy.cut("/events")
        followed(lab, web, "10.123.5.6", RETURN_SECONDS)
        connections(hostwatch, 2)
        losses(hostwatch, 1)


def test_an_event_has_an_unreadable_container_read_again(lab: Lab, proxy: Proxy) -> None:
    """Its inspection fails or hangs, and its record stays. An event ends the wait of a long back-off.

    Its network, which is asked first, fails as well. Once it answers, its answer is enough for the address.
    """
    web = lab.run("web", labels=SUBSCRIBER)
    service = lab.run("db", address="10.123.5.5")
    inspection = re.compile(rf"/containers/{service.id}/json")
    with lab.hostwatch() as hostwatch:
        followed(lab, web, "10.123.5.5")
        proxy.refuse = re.compile(rf"{inspection.pattern}|/networks/{lab.network.id}")
        asked = len(proxy.requests)
        move(lab, service, "10.123.5.6")
        eventually(lambda: len(list(filter(inspection.search, proxy.requests[asked:]))) >= 6, 30)
        assert line("10.123.5.5") in lab.hosts(web)
        proxy.refuse = inspection
        move(lab, service, "10.123.5.9")
        followed(lab, web, "10.123.5.9", RETURN_SECONDS)
        proxy.refuse = None
        move(lab, service, "10.123.5.7")
        followed(lab, web, "10.123.5.7", RETURN_SECONDS)
        proxy.hold = inspection
        move(lab, service, "10.123.5.8")
        eventually(lambda: proxy.held)
        proxy.release()
        followed(lab, web, "10.123.5.8", RETURN_SECONDS)
        losses(hostwatch, 0)


@mortal
def test_another_engine_in_the_same_place_is_followed_instead(lab: Lab, frail: Lab, proxy: Proxy) -> None:
    """First no connection is lost, then all are. The files of the absent engine stay as they are."""
    here, there = lab.run("web", labels=SUBSCRIBER), frail.run("web", labels=SUBSCRIBER)
    service = lab.run("db", address="10.123.5.5")
    frail.run("db", address="10.123.7.7")
    with lab.hostwatch() as hostwatch:
        followed(lab, here, "10.123.5.5")
        proxy.engine = frail.engine.socket
        followed(frail, there, "10.123.7.7", 20)
        assert "lost the engine (another engine answers in its place)" in hostwatch.log
        assert line("10.123.5.5") in lab.hosts(here)
        service.remove(force=True)
        lab.run("db", address="10.123.5.6")
        proxy.engine = lab.engine.socket
        proxy.cut()
        followed(lab, here, "10.123.5.6", RETURN_SECONDS)
        assert line("10.123.7.7") in frail.hosts(there)
        losses(hostwatch, 2)


@mortal
def test_blocks_go_from_an_engine_that_was_left_for_another(lab: Lab, frail: Lab) -> None:
    """SIGHUP with `on_exit: remove` removes them as soon as the other engine is there, and leaves its files alone."""
    here, there = lab.run("web", labels=SUBSCRIBER), frail.run("web", labels=SUBSCRIBER)
    lab.run("db", address="10.123.5.5")
    frail.run("db", address="10.123.7.7")
    bare = lab.hosts(here)
    del lab.environ["DOCKER_HOST"]
    texts = [f"docker: {{host: '{each.engine.docker_host}'}}\non_exit: remove\n" for each in (lab, frail)]
    with lab.hostwatch("-c", lab.configured(texts[0])) as hostwatch:
        followed(lab, here, "10.123.5.5")
        lab.configured(texts[1])
        hostwatch.process.send_signal(signal.SIGHUP)
        followed(frail, there, "10.123.7.7")
        eventually(lambda: lab.hosts(here) == bare)
        assert line("10.123.7.7") in frail.hosts(there)
