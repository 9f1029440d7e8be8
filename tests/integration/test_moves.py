"""Containers that move while they run: networks, names, files that are not the engine's."""

from tests.conftest import Lab, eventually, make_network

AT_ONCE = "timing: {linger: 0}"
WANTS_DB = {"hostwatch.hosts": "@{db.ip} db"}
WITHHELD = "# withheld: @{db.ip} db  (db: "


def test_a_service_is_followed_from_network_to_network(lab: Lab) -> None:
    """`back` comes before `front` where both are shared; with none shared there is no address."""
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


def test_a_subscriber_is_followed_from_network_to_network(lab: Lab) -> None:
    """The engine rewrites the subscriber's file at the same time; the block is right after each step."""
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
    """As compose does when it recreates: the name goes from one container to the next."""
    with lab.hostwatch("-c", lab.configured(AT_ONCE)):
        web = lab.run("web", labels=WANTS_DB)
        old = lab.run("db", address="10.123.7.7")
        new = lab.run("temporary", address="10.123.7.8")
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.7"]})
        old.rename("old")
        eventually(lambda: "".join(lab.block(web)).startswith(WITHHELD))
        new.rename("db")
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.8"]})


def test_a_file_that_the_user_mounted_is_refused_once_and_never_written(lab: Lab) -> None:
    """It may be the host's own /etc/hosts. Whoever else subscribes is served."""
    mine = lab.directory / "hosts"
    mine.write_text("192.0.2.1 mine\n")
    before = mine.read_bytes(), mine.stat().st_mtime_ns
    with lab.hostwatch() as hostwatch:
        mounted = lab.run("mounted", labels=WANTS_DB, volumes={str(mine): {"bind": "/etc/hosts", "mode": "rw"}})
        web = lab.run("web", labels=WANTS_DB)
        lab.run("db", address="10.123.7.7")
        mounted.restart(timeout=0)
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.7"]})
        synced = lab.command("sync", status=1)
        eventually(lambda: "mounted: refused" in hostwatch.log)
        assert hostwatch.log.count("mounted: ") == 1
    assert "mounted: " in synced.stderr
    assert str(mine) in synced.stderr
    assert (mine.read_bytes(), mine.stat().st_mtime_ns) == before
