"""Running containers that change: networks, names, and files that are not the engine's."""

import re

from tests.conftest import Lab, eventually, make_network
from tests.proxy import Proxy

AT_ONCE = "timing: {linger: 0}"
WANTS_DB = {"hostwatch.hosts": "@{db.ip} db"}
WITHHELD = "# withheld: @{db.ip} db  (db: "


def test_a_service_is_followed_from_network_to_network(lab: Lab) -> None:
    """`back` comes before `front` if both are shared. Without a shared network there is no address."""
    back = make_network(lab.client, "back", "10.124.0.0/16")
    with lab.hostwatch("-c", lab.configured(AT_ONCE)):
        db = lab.run("db", address="10.123.7.7")
        web = lab.create("web", labels=WANTS_DB)
        back.connect(web)
        web.start()
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.7"]})
        back.connect(db, ipv4_address="10.124.7.7")
        eventually(lambda: lab.records(web) == {"db": ["10.124.7.7"]})
        back.disconnect(db)
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.7"]})
        lab.network.disconnect(db)
        eventually(lambda: "".join(lab.block(web)).startswith(WITHHELD))
        back.connect(db, ipv4_address="10.124.7.8")
        eventually(lambda: lab.records(web) == {"db": ["10.124.7.8"]})


def test_a_reconnected_service_is_followed_before_its_event(lab: Lab, proxy: Proxy) -> None:
    """No event of a connection arrives. The engine's line in its file leads to a question to its networks."""
    proxy.drop = re.compile(rb'"Type":"network"')
    with lab.hostwatch() as hostwatch:
        db, web = lab.run("db", address="10.123.7.7"), lab.run("web", labels=WANTS_DB)
        also = lab.run("also", labels=WANTS_DB | {"hostwatch.names": "cache"}, address="10.123.7.1")
        follows = lab.run("follows", labels={"hostwatch.hosts": "@{cache.ip} cache"})
        eventually(lambda: lab.records(web) == lab.records(also) == {"db": ["10.123.7.7"]})
        for number in range(10):  # more than the requests in vain that a container may cause
            for moving, host in ((db, 8), (also, 101)):
                lab.network.disconnect(moving)
                lab.network.connect(moving, ipv4_address=f"10.123.7.{host + number}")
            for each in (web, also):
                eventually(lambda wanted=f"10.123.7.{8 + number}", each=each: lab.records(each) == {"db": [wanted]})  # type: ignore[misc]
            eventually(lambda number=number: lab.records(follows) == {"cache": [f"10.123.7.{101 + number}"]})  # type: ignore[misc]
    assert hostwatch.log.count("(connection of ") == 30, hostwatch.log


def test_a_subscriber_is_followed_from_network_to_network(lab: Lab) -> None:
    """The engine rewrites the subscriber's file at the same time. The block is right after each step."""
    back = make_network(lab.client, "back", "10.124.0.0/16")
    with lab.hostwatch("-c", lab.configured(AT_ONCE)):
        db = lab.create("db", address="10.123.7.7")
        back.connect(db, ipv4_address="10.124.7.7")
        db.start()
        web = lab.run("web", labels=WANTS_DB)
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.7"]})
        back.connect(web)
        eventually(lambda: lab.records(web) == {"db": ["10.124.7.7"]})
        back.disconnect(web)
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.7"]})
        lab.network.disconnect(web)
        eventually(lambda: "".join(lab.block(web)).startswith(WITHHELD))
        lab.network.connect(web)
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.7"]})
        assert lab.command("plan", "--exit-code").stdout == ""


def test_a_renamed_service_is_found_by_its_new_name_alone(lab: Lab) -> None:
    """Compose does this in a recreation: the name goes from one container to the next."""
    with lab.hostwatch("-c", lab.configured(AT_ONCE)):
        web = lab.run("web", labels=WANTS_DB)
        old = lab.run("db", address="10.123.7.7")
        new = lab.run("temporary", address="10.123.7.8")
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.7"]})
        old.rename("old")
        eventually(lambda: "".join(lab.block(web)).startswith(WITHHELD))
        new.rename("db")
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.8"]})


def test_a_container_that_writes_its_own_file_is_followed_all_the_same(lab: Lab) -> None:
    """It writes a false address from its first instruction on, without end. The engine's facts win."""
    writing = "while true; do printf '10.124.9.9\\t%s\\n' $(hostname) >> /etc/hosts; usleep 5000; done"
    back = make_network(lab.client, "back", "10.124.0.0/16")
    with lab.hostwatch("-c", lab.configured(AT_ONCE)):
        web = lab.create("web", labels=WANTS_DB)
        back.connect(web)
        web.start()
        db = lab.create("db", writing, address="10.123.7.7")
        back.connect(db, ipv4_address="10.124.7.7")
        db.start()
        eventually(lambda: lab.records(web) == {"db": ["10.124.7.7"]})
        back.disconnect(db)
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.7"]})
        lab.network.disconnect(db)
        eventually(lambda: "".join(lab.block(web)).startswith(WITHHELD))


def test_a_move_right_after_the_start_is_followed_by_its_event(lab: Lab) -> None:
    """It must not wait for the next read of a stale container, which takes 5 seconds."""
    back = make_network(lab.client, "back", "10.124.0.0/16")
    with lab.hostwatch("-c", lab.configured(AT_ONCE)) as hostwatch:
        db = lab.create("db", address="10.123.7.7")
        back.connect(db, ipv4_address="10.124.7.7")
        db.start()
        for number in range(6):
            web = lab.run(f"web-{number}", labels=WANTS_DB)
            back.connect(web)
            back.disconnect(web)
            eventually(lambda web=web: lab.records(web) == {"db": ["10.123.7.7"]})  # type: ignore[misc]
            # BUG: if the engine changes the file while the container is being inspected for its start, the answer is
            # dropped. The container is not read again, even at `network disconnect`, and counts as starting.
            assert "an early address was not confirmed" not in hostwatch.log


def test_a_file_that_the_user_mounted_is_refused_once_and_never_written(lab: Lab) -> None:
    """It may be the host's own /etc/hosts. Other subscribers are served."""
    mine = lab.directory / "hosts"
    mine.write_text("192.0.2.1 mine\n")
    before = mine.read_bytes(), mine.stat().st_mtime_ns
    with lab.hostwatch() as hostwatch:
        mounted = lab.run("mounted", labels=WANTS_DB, volumes={str(mine): {"bind": "/etc/hosts", "mode": "rw"}})
        web = lab.run("web", labels=WANTS_DB)
        lab.run("db", address="10.123.7.7")
        mounted.restart(timeout=0)
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.7"]})
        synced = lab.command("sync", "--force", status=1)
        eventually(lambda: "mounted: refused" in hostwatch.log)
        eventually(lambda: "web: db - → 10.123.7.7" in hostwatch.log)  # earlier lines are logged by then
        assert hostwatch.log.count("mounted: ") == 1
    assert "mounted: " in synced.stderr
    assert str(mine) in synced.stderr
    assert (mine.read_bytes(), mine.stat().st_mtime_ns) == before
