"""The owner of a name on real engines: case, host names, stopped containers, one-offs, networks by their key."""

from functools import partial
from pathlib import Path

from tests.conftest import Lab, eventually, make_network, newest_only
from tests.integration.test_host_file import compose


def test_the_names_of_the_engine_s_dns_are_aliases_on_every_version(lab: Lab) -> None:
    """`getent` in the container and hostwatch agree on the host name, the alias and the short id, in any case."""
    service = lab.create("broker", hostname="kafka", network=None)
    lab.network.connect(service, aliases=["queue"])
    service.start()
    lines = "\n".join(
        f"@{{{name}.ip}} x{n}" for n, name in enumerate(("kafka", "Queue", str(service.id)[:12], "BROKER"))
    )
    web = lab.run("web", labels={"hostwatch.hosts": lines})
    service.reload()
    address = service.attrs["NetworkSettings"]["Networks"]["front"]["IPAddress"]
    with lab.hostwatch():
        eventually(lambda: lab.records(web) == {f"x{n}": [address] for n in range(4)})
    for name in ("kafka", "Queue", "BROKER"):
        output = web.exec_run(["nslookup", name, "127.0.0.11"]).output
        assert isinstance(output, bytes)
        assert f"Address: {address}" in output.decode(), name


def test_a_container_that_joins_a_restarted_one_is_told(lab: Lab) -> None:
    """`container:X` keeps the old network, which is dead. It has no address until it is restarted, too."""
    error = "its network ended when the container whose network it uses was started anew; restart it, too"
    reason = "(joined: the network that joined uses ended when vpn was started anew)"
    with lab.hostwatch("-c", lab.configured("timing: {linger: 0}")) as hostwatch:
        lab.run("db", address="10.123.7.7")
        vpn = lab.run("vpn", address="10.123.7.8")
        joined = lab.run("joined", network_mode="container:vpn", labels={"hostwatch.hosts": "@{db.ip} db"})
        web = lab.run("web", labels={"hostwatch.hosts": "@{joined.ip} joined"})
        eventually(lambda: lab.records(web) == {"joined": ["10.123.7.8"]})
        vpn.restart(timeout=0)
        eventually(lambda: any(line.endswith(reason) for line in lab.block(web)))
        eventually(lambda: f"ERROR   joined: {error}" in hostwatch.log)
        output = joined.exec_run(["ip", "addr"]).output
        assert isinstance(output, bytes)
        assert b"10.123.7.8" not in output
        joined.restart(timeout=0)
        eventually(lambda: lab.records(web) == {"joined": ["10.123.7.8"]})
        eventually(lambda: "10.123.7.7      db" in lab.seen(joined))
    assert hostwatch.log.count(error) == 1


@newest_only
def test_a_label_in_capitals_steals_no_name(lab: Lab) -> None:
    """Only the owner's address is in the file under this name."""
    labels = compose("shop", "web") | {"hostwatch.services": "*"}
    web = lab.run("web", address="10.123.7.2", labels=labels)
    lab.run("shop-db-1", address="10.123.7.3", labels=compose("shop", "db"))
    lab.run("evil", address="10.123.7.4", labels={"hostwatch.names": "DB"})
    with lab.hostwatch():
        eventually(lambda: lab.records(web).get("evil") == ["10.123.7.4"])
        assert {name.lower(): found for name, found in lab.records(web).items()}["db"] == ["10.123.7.3"]
        assert "DB" not in lab.records(web)


@newest_only
def test_a_stopped_container_yields_its_name(lab: Lab) -> None:
    """A rollback starts the new one and stops the old one. A running container's alias beats a created name."""
    app = {"hostwatch.names": "app"}
    web = lab.run("web", labels={"hostwatch.hosts": "@{app.ip} app\n@{cache.ip} cache"})
    old = lab.run("app-v1", address="10.123.7.5", labels=app)
    with lab.hostwatch():
        eventually(lambda: lab.records(web).get("app") == ["10.123.7.5"])
        new = lab.create("app-v2", address="10.123.7.6", labels=app)
        lab.create("cache")  # never started, so it does not claim its name
        redis = lab.create("redis", network=None)
        lab.network.connect(redis, aliases=["cache"], ipv4_address="10.123.7.8")
        redis.start()
        eventually(lambda: lab.records(web).get("cache") == ["10.123.7.8"])
        assert lab.records(web)["app"] == ["10.123.7.5"], "a created container takes no name away"
        new.start()
        eventually(lambda: "app" not in lab.records(web))
        old.stop(timeout=0)
        eventually(lambda: lab.records(web).get("app") == ["10.123.7.6"])
        old.start()
        eventually(lambda: "app" not in lab.records(web))
    lab.command("sync", status=0)
    old.stop(timeout=0)
    lab.command("sync", status=0)
    assert lab.records(web)["app"] == ["10.123.7.6"], "what had ended before yields at once"


@newest_only
def test_a_one_off_gets_no_name(lab: Lab) -> None:
    """`docker compose run` makes one, with the labels of its service."""
    labels = compose("shop", "app") | {"hostwatch.names": "main"}
    web = lab.run("web", labels={"hostwatch.hosts": "@{main.ip} main"})
    lab.run("shop-app-1", address="10.123.7.5", labels=labels)
    with lab.hostwatch():
        eventually(lambda: lab.records(web).get("main") == ["10.123.7.5"])
        lab.run("shop-app-run-1", labels=labels | {"com.docker.compose.oneoff": "True"})
        lab.run("last", labels={"hostwatch.names": "last"})
        web.restart(timeout=0)
        eventually(lambda: lab.records(web))
        assert lab.records(web) == {"main": ["10.123.7.5"]}


@newest_only
def test_a_network_goes_by_its_key_in_the_compose_file(lab: Lab) -> None:
    """The key is in `networks: {proxy: {name: web_proxy}}`. A service of another project is on that network, too."""
    keyed = {"com.docker.compose.project": "shop", "com.docker.compose.network": "proxy"}
    proxy = make_network(lab.client, "web_proxy", "10.124.0.0/16", labels=keyed)
    wanted = {"hostwatch.network": "proxy"}
    for number, project in enumerate(("shop", "blog")):
        service = lab.create(f"{project}-db-1", labels=compose(project, "db") | wanted)
        proxy.connect(service, ipv4_address=f"10.124.7.{number}")
        service.start()
    web = lab.create("web", labels={"hostwatch.hosts": "@{shop-db-1.ip} shop\n@{blog-db-1.ip} blog"})
    proxy.connect(web)
    web.start()
    lab.command("sync")
    assert lab.records(web) == {"shop": ["10.124.7.0"]}
    assert any("blog-db-1 is not on network proxy" in line for line in lab.block(web))


@newest_only
def test_a_name_with_a_dot_does_not_reach_the_host_s_file(lab: Lab, tmp_path: Path) -> None:
    """`docker run --name github.com` is withheld and reported. A container's own file still gets the name."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    lab.run("github.com", address="10.123.7.7")
    web = lab.run("web", labels={"hostwatch.services": "*"})
    chosen = lab.configured(f'subscribers: {{this-host: {{file: {hosts}, services: "*"}}}}\n')
    lab.command("sync", "-c", chosen)
    lines = hosts.read_text().splitlines()
    assert not [line for line in lines if "github.com" in line and not line.startswith("#")]
    assert any(line.startswith("# withheld: @{github.com.ip} github.com") for line in lines)
    assert lab.records(web)["github.com"] == ["10.123.7.7"]


@newest_only
def test_a_recreation_is_no_chance_for_a_stranger(lab: Lab) -> None:
    """A process reads the file all the time, and never sees the address of a label's container under the name."""
    watching = "while :; do grep -q '10.123.7.9 .*db' /etc/hosts && echo stolen >>/seen; done"
    lab.run("db", address="10.123.7.3")
    lab.run("stranger", address="10.123.7.9", labels={"hostwatch.names": "db"})
    web = lab.run("web", watching, labels={"hostwatch.hosts": "@{db.ip} db"})
    # Longer than the engine takes to replace the database on a busy machine.
    with lab.hostwatch("-c", lab.configured("timing: {linger: 6s}")):
        for address in ("10.123.7.4", "10.123.7.5"):
            lab.client.containers.get("db").remove(force=True)
            lab.run("db", address=address)
            eventually(partial(lambda wanted: lab.records(web).get("db") == [wanted], address))
        assert web.exec_run(["test", "-e", "/seen"]).exit_code == 1
        lab.client.containers.get("db").remove(force=True)
        eventually(lambda: lab.records(web).get("db") == ["10.123.7.9"], 20)
        eventually(lambda: web.exec_run(["test", "-e", "/seen"]).exit_code == 0)


@newest_only
def test_a_label_gives_names_by_patterns(lab: Lab) -> None:
    """Programs in the container find them; the first one is what its address is called. A faulty label is reported."""
    asks = {"hostwatch.services": "*", "hostwatch.publish_as": "{name}.docker, {name}, {name}.{network}"}
    lab.run("db", address="10.123.7.5")
    web = lab.run("web", address="10.123.7.6", labels=asks)
    wrong = lab.run("wrong", labels={"hostwatch.services": "*", "hostwatch.publish_as": "{nam}.docker"})
    alone = lab.run("alone", labels={"hostwatch.publish_as": "{name}.docker"})
    with lab.hostwatch() as hostwatch:
        eventually(lambda: "10.123.7.5      db.docker db db.front" in lab.seen(web))
        assert web.exec_run(["ping", "-c", "1", "-W", "5", "db.docker"]).exit_code == 0
        eventually(lambda: lab.records(wrong).get("db") == ["10.123.7.5"])
        refused = "label hostwatch.publish_as is refused: "
        eventually(lambda: f"wrong: {refused}'{{nam}}': unknown part; did you mean {{name}}?" in hostwatch.log)
        eventually(lambda: f"alone: {refused}it is for `hostwatch.services: *`" in hostwatch.log)
        web.restart(timeout=0)
        eventually(lambda: "10.123.7.5      db.docker db db.front" in lab.seen(web))
    assert "hostwatch" not in lab.hosts(alone)
