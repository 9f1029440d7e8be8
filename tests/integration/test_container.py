"""hostwatch in a container, as Docker Compose itself builds and starts it with the files in config/."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
import yaml
from docker.models.containers import Container

from tests import engine as engines
from tests import image, released
from tests.conftest import Lab, eventually, make_network
from tests.contained import COMPOSE_FILE, SUBSCRIBER, compose, contained, followed, line, log, override
from tests.noise import wrong_rounds
from tests.proxy import proxied

pytestmark = [pytest.mark.parametrize("engine", ["28.5"], indirect=True), pytest.mark.usefixtures("image_built")]

ROUNDS = 6
HISTORY_FILE = image.REPOSITORY / "config" / "compose.history.yaml"
ADVERTISE_FILE = image.REPOSITORY / "config" / "compose.advertise.yaml"
RESOLV_FILE = image.REPOSITORY / "config" / "compose.resolv.yaml"
CLUSTER_FILE = image.REPOSITORY / "config" / "compose.cluster.yaml"
HTTP_FILE = image.REPOSITORY / "config" / "compose.http.yaml"
PROXY_FILE = image.REPOSITORY / "config" / "compose.proxy.yaml"
REAL_TIME = Path("/sys/fs/cgroup/cpu")
REAL_TIME_SHARE = REAL_TIME / "cpu.rt_runtime_us"
"""The control group of real-time shares, and the share of all, on a kernel that has them."""

TAKE_LEASE = "import fcntl, sys; fcntl.fcntl(open(sys.argv[1], 'r+'), fcntl.F_SETLEASE, fcntl.F_WRLCK)"
READ_HOSTS = "print(open('/etc/hosts').read())"
SCHEDULER = """
import os, pathlib
names = {path.parent.name: path.read_text() for path in pathlib.Path("/proc").glob("[0-9]*/comm")}
[daemon] = [int(number) for number, name in names.items() if name == "hostwatch\\n"]
print(os.sched_getscheduler(daemon) == os.SCHED_RR)
print("aiohttp" in pathlib.Path(f"/proc/{daemon}/maps").read_text())
"""
"""Whether the daemon has the priority, and what it answers with."""


@pytest.fixture(scope="module")
def image_built(engine: engines.Engine, client: docker.DockerClient) -> None:
    """Build the image on the engine."""
    image.import_base(client)
    compose(engine, [COMPOSE_FILE], "build")


def real_time(lab: Lab, more: str = "") -> list[Path]:
    """Set the engine's share of real-time, if the kernel divides it; returns a file that sets the container's share."""
    if not REAL_TIME_SHARE.exists():
        return []
    (REAL_TIME / f"hostwatch-{lab.engine.name}" / REAL_TIME_SHARE.name).write_text("200000")
    return [override(lab, f"cpu_rt_runtime: 100000{more}")]


@pytest.mark.parametrize("version", image.COMPOSES)
def test_each_compose_reads_all_files_alike(lab: Lab, version: str) -> None:
    """As the oldest one does, and without a warning."""
    overlays = sorted(COMPOSE_FILE.parent.glob("compose.*.yaml"))
    assert {*overlays} == {ADVERTISE_FILE, CLUSTER_FILE, HISTORY_FILE, HTTP_FILE, PROXY_FILE, RESOLV_FILE}
    for more in ([], *([overlay] for overlay in overlays)):
        [read, oldest] = (
            yaml.safe_load(compose(lab.engine, [COMPOSE_FILE, *more], "config", version=each))["services"]
            for each in (version, image.OLDEST_COMPOSE)
        )
        assert read == oldest


def test_the_released_image_is_configured_alike(lab: Lab, built: Path) -> None:
    """As the one of config/Dockerfile, but for labels that tell the release, and variables of its base."""
    of_release = released.description(built)["config"]
    own = lab.client.images.get("hostwatch").attrs["Config"]
    for name in ("Entrypoint", "Cmd", "StopSignal", "Healthcheck"):
        assert of_release[name] == own[name], name
    for config in (of_release, own):
        assert any(variable.startswith("PATH=/opt/hostwatch/bin:") for variable in config["Env"])
    labels = {name: text for name, text in own["Labels"].items() if name.startswith("org.opencontainers.")}
    assert len(labels) == 3
    assert of_release["Labels"].items() >= labels.items()


def test_files_are_right_before_the_first_instruction(lab: Lab) -> None:
    """A service is recreated, and a subscriber is new. Each reads the right file as its first act."""
    with contained(lab, *real_time(lab)):
        peer = lab.run("web", labels=SUBSCRIBER)
        mounts = {str(lab.hosts_path(peer)): {"bind": "/peer", "mode": "ro"}}

        def is_right(number: int) -> bool:
            address = f"10.123.8.{number + 1}"
            service = lab.run("db", "cat /peer; exec sleep 1000", address, volumes=mounts)
            subscriber = lab.run(f"web-{number}", "cat /etc/hosts", labels=SUBSCRIBER)
            subscriber.wait(timeout=20)
            right = line(address) in log(service) and line(address) in log(subscriber)
            service.remove(force=True)
            return right

        assert wrong_rounds(ROUNDS, is_right) == []


def test_it_takes_the_real_time_priority(lab: Lab) -> None:
    """The capabilities in config/compose.yaml suffice for it. What takes long is done before.

    The first check of its health came five seconds after the start, and what answers it took the share of a second.
    """
    with contained(lab, *real_time(lab, ", healthcheck: {disable: true}")) as hostwatch:
        output = hostwatch.exec_run(["python3", "-c", SCHEDULER]).output
        assert output in (b"True\nTrue\n", b"True\nFalse\n")
        assert output == b"True\nTrue\n" or not REAL_TIME_SHARE.exists()


def test_it_can_be_stopped_while_it_starts(lab: Lab) -> None:
    """A signal is not lost, even if it comes before hostwatch listens for signals."""
    with contained(lab) as hostwatch:
        hostwatch.stop(timeout=10)
        hostwatch.start()
        hostwatch.stop(timeout=5)
        assert hostwatch.wait()["StatusCode"] in (0, 143)
        hostwatch.start()
        eventually(lambda: log(hostwatch).count("connected to engine") == 2)


def test_it_writes_and_leases_files_that_are_not_roots(lab: Lab) -> None:
    """A container gives its hosts file to another user and makes it read-only."""
    with contained(lab) as hostwatch:
        web = lab.run("web", "chown 1000 /etc/hosts; chmod 400 /etc/hosts; exec sleep 1000", labels=SUBSCRIBER)
        eventually(lambda: lab.hosts_path(web).stat().st_uid == 1000)
        lab.run("db", address="10.123.5.5")
        followed(lab, web, "10.123.5.5")
        leased = hostwatch.exec_run(["python3", "-c", TAKE_LEASE, str(lab.hosts_path(web))])
        assert leased.exit_code == 0, leased.output


def test_without_any_capability_files_that_are_not_roots_are_written_by_exec(lab: Lab) -> None:
    """It says so once, and writes all other files by their path."""
    with contained(lab, override(lab, "cap_add: !reset []")) as hostwatch:
        own = "chown 1000 /etc/hosts; chmod 600 /etc/hosts; exec sleep 1000"
        stranger = lab.run("stranger", own, labels=SUBSCRIBER)
        eventually(lambda: lab.hosts_path(stranger).stat().st_uid == 1000)
        web = lab.run("web", labels=SUBSCRIBER)
        lab.run("db", address="10.123.5.5")
        followed(lab, web, "10.123.5.5")
        followed(lab, stranger, "10.123.5.5")
        eventually(lambda: re.search("stranger: its hosts file is written by exec, .* may not", log(hostwatch)))
        assert "web: its hosts file" not in log(hostwatch)


def test_the_requests_that_the_proxy_allows_suffice(lab: Lab, tmp_path: Path) -> None:
    """hostwatch makes only requests that config/compose.proxy.yaml allows. The proxy refuses all others."""
    services = yaml.safe_load(compose(lab.engine, [COMPOSE_FILE, PROXY_FILE], "config"))["services"]
    [allowed] = [option for option in services["engine-proxy"]["command"] if option.startswith("-allow")]
    pattern = allowed.removeprefix("-allowGET=")
    with proxied(lab.engine.socket, tmp_path / "proxy.sock") as proxy:
        proxy.refuse = re.compile(rf"^(?!GET {pattern}(\?.*)?$)")
        web = lab.run("web", labels=SUBSCRIBER)
        with contained(lab, socket=proxy.path):
            db = lab.run("db", address="10.123.5.5")
            db.restart(timeout=0)
            followed(lab, web, "10.123.5.5")
            lab.network.disconnect(db)
            shared = make_network(lab.client, "shared", "10.124.0.0/16")
            shared.connect(web)
            shared.connect(db, ipv4_address="10.124.5.5")
            followed(lab, web, "10.124.5.5")
        assert any("/networks/" in request for request in proxy.requests)
        assert not [request for request in proxy.requests if proxy.refuse.search(request)]


def test_behind_the_proxy_it_has_no_socket_of_the_engine(lab: Lab) -> None:
    """config/compose.proxy.yaml removes the engine's socket, and leaves the rest as it is."""
    [alone, behind] = (
        yaml.safe_load(compose(lab.engine, files, "config"))["services"]["hostwatch"]
        for files in ([COMPOSE_FILE], [COMPOSE_FILE, PROXY_FILE])
    )
    sockets = [mount["source"] for mount in alone["volumes"] if mount["target"].endswith(".sock")]
    assert sockets == [str(lab.engine.socket)]
    assert [mount for mount in alone["volumes"] if mount.get("source") not in sockets] == behind["volumes"][1:]
    assert behind["volumes"][0]["type"] == "volume"
    assert {"volumes", "environment", "depends_on"} >= {name for name in behind if behind[name] != alone.get(name)}


def test_the_overlay_of_several_hosts_gives_a_network_and_files(lab: Lab) -> None:
    """config/compose.cluster.yaml gives the host's network and /etc/hostwatch, and leaves the rest as it is."""
    files = ([COMPOSE_FILE], [COMPOSE_FILE, CLUSTER_FILE])
    [alone, joined] = (yaml.safe_load(compose(lab.engine, each, "config"))["services"]["hostwatch"] for each in files)
    assert (alone["network_mode"], joined.pop("network_mode")) == ("none", "host")
    given = [mount for mount in joined.pop("volumes") if mount not in alone["volumes"]]
    assert [(mount["source"], mount["target"], mount["read_only"]) for mount in given] == [
        ("/etc/hostwatch", "/etc/hostwatch", True)
    ]
    assert all(alone[name] == value for name, value in joined.items())


def test_it_serves_its_own_container_like_any_other(lab: Lab) -> None:
    """Its own hosts file gets one block, although its root is read-only."""
    own = "network_mode: bridge, labels: {hostwatch.hosts: '@{self.ip} myself'}"
    with contained(lab, override(lab, own)) as hostwatch:
        eventually(lambda: b"myself" in hostwatch.exec_run(["python3", "-c", READ_HOSTS]).output)
        web = lab.run("web", labels=SUBSCRIBER)
        lab.run("db", address="10.123.5.5")
        followed(lab, web, "10.123.5.5")
        eventually(lambda: "web: db - → 10.123.5.5" in log(hostwatch))  # earlier lines are logged by then
        assert log(hostwatch).count("myself") == 1


def test_its_health_is_known(lab: Lab) -> None:
    """By the image's own check, also of a standby, whose container sees no other one's control socket."""
    check = image.REPOSITORY / "config" / "Dockerfile"
    assert 'CMD ["hostwatch", "health"]' in check.read_text()
    with contained(lab, override(lab, "healthcheck: {interval: 1s, start_period: 0s, retries: 30}")) as hostwatch:

        def is_healthy() -> bool:
            hostwatch.reload()
            return bool(hostwatch.health == "healthy")

        eventually(is_healthy)
        assert b": ready\n" in hostwatch.exec_run(["hostwatch", "health"]).output
        with another(lab, hostwatch) as second:
            eventually(lambda: b": standby: another" in second.exec_run(["hostwatch", "health"]).output)


@contextmanager
def another(lab: Lab, first: Container) -> Iterator[Container]:
    """A second container of the same image, with the same mounts."""
    mounts = [mount for mount in first.attrs["HostConfig"]["Mounts"] if mount["Type"] in ("bind", "tmpfs")]
    second = lab.client.containers.run("hostwatch", detach=True, init=True, mounts=mounts, network_mode="none")
    yield second
    second.stop(timeout=10)


def test_http_and_advertising_with_their_overlays(lab: Lab) -> None:
    """These, and a line of configuration, are all that it takes: it answers on the host's loopback, sees its routes."""
    config = override(lab, f"volumes: ['{lab.configured('advertise: auto')}:/etc/hostwatch/hostwatch.yaml:ro']")
    with contained(lab, HTTP_FILE, ADVERTISE_FILE, config) as hostwatch:
        eventually(lambda: "advertise: auto: this host has no default route" in log(hostwatch))
        eventually(lambda: "answers at http://127.0.0.1:9464" in log(hostwatch))
        assert hostwatch.attrs["HostConfig"]["NetworkMode"] == "host"
        get = ["wget", "-qO-", "http://127.0.0.1:9464/healthz"]
        assert lab.client.containers.run("busybox", get, network_mode="host", remove=True) == b"ok\n"


def test_nameservers_of_the_host_with_its_overlay(lab: Lab) -> None:
    """config/compose.resolv.yaml is all that it takes. Without it hostwatch does not take its own file for that."""
    unseen = ["-c", "from hostwatch.hosts.host_resolver import read_host_resolver as read; print(read().fault)"]
    assert b"the host's resolv.conf is not mounted" in lab.client.containers.run(
        "hostwatch", unseen, entrypoint="/opt/hostwatch/bin/python3", remove=True
    )
    file = lab.directory / "host" / "resolv.conf"
    file.parent.mkdir()
    file.write_text("nameserver 192.0.2.1\n")
    with contained(lab, RESOLV_FILE, HOST_RESOLV=file.parent) as hostwatch:
        web = lab.run("web", labels={"hostwatch.resolv": "nameserver host"})
        resolv = lab.hosts_path(web).with_name("resolv.conf")
        eventually(lambda: "begin\nnameserver 192.0.2.1 " in resolv.read_text())
        new = file.with_name("new")
        new.write_text("nameserver 192.0.2.2\n")
        new.rename(file)
        eventually(lambda: "begin\nnameserver 192.0.2.2 " in resolv.read_text())
        assert b"nameservers of the host: 192.0.2.2\n" in hostwatch.exec_run(["hostwatch", "doctor"]).output


def test_history_with_its_overlay(lab: Lab) -> None:
    """config/compose.history.yaml and a line of configuration are all that it takes. It outlives the container."""
    config = lab.configured("history: {file: /var/lib/hostwatch/history.db}\n")
    files = HISTORY_FILE, override(lab, f"volumes: ['{config}:/etc/hostwatch/hostwatch.yaml:ro']")
    lab.run("db", address="10.123.7.1")
    lab.run("web", labels={"hostwatch.services": "db"})
    try:
        for _ in range(2):
            with contained(lab, *files) as hostwatch:
                eventually(lambda: b"web: db - " in shown(hostwatch))
                assert shown(hostwatch).count(b"\n") == 1
            hostwatch.remove()
    finally:
        lab.clear()
        lab.client.volumes.get("hostwatch_history").remove()


def shown(hostwatch: Container) -> bytes:
    """What `history` shows."""
    output = hostwatch.exec_run(["hostwatch", "history"]).output
    assert isinstance(output, bytes)
    return output
