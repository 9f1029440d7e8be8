"""HTTP beside a real engine: the control socket, its answers, and the event stream."""

import http.client
import json
import re
import signal
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hostwatch.hosts.run_directory import RUN
from hostwatch.http.client import Client, RefusedError
from hostwatch.http.sockets import control_socket
from tests.conftest import Lab, eventually, newest_only
from tests.proxy import Proxy

pytestmark = newest_only

WANTS_DB = {"hostwatch.services": "db"}


class Unix(http.client.HTTPConnection):
    """A connection to a socket in the file system."""

    def __init__(self, place: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._place = place

    def connect(self) -> None:
        """Connect to the path."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._place))


def place_of(lab: Lab) -> Path:
    """The control socket of this lab's daemon."""
    return control_socket(RUN, str(lab.client.info()["ID"]))


def get(place: Path, path: str) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    with closing(Unix(place)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def asked(place: Path, path: str) -> Any:
    """The JSON of an answer."""
    status, body = get(place, path)
    assert status == 200, body
    return json.loads(body)


def test_the_control_socket(lab: Lab) -> None:
    """It is for root alone, answers while the daemon runs, and goes with it."""
    place = place_of(lab)
    lab.run("db", address="10.123.7.1")
    lab.run("web", labels=WANTS_DB)
    with lab.hostwatch(ready="web: ") as hostwatch:
        assert place.stat().st_mode & 0o777 == 0o600
        assert get(place, "/healthz") == (200, b"ok\n")
        assert eventually(lambda: get(place, "/readyz") == (200, b"ready\n"))
        state = asked(place, "/api/v1/state")
        assert [subscriber["name"] for subscriber in state["subscribers"]] == ["web"]
        assert state["daemon"]["pid"] == hostwatch.process.pid
        (change,) = asked(place, "/api/v1/history")["changes"]
        assert change["changes"] == [{"name": "db", "old": [], "new": ["10.123.7.1"]}]
    assert not place.exists()


def alone(lab: Lab) -> Path:
    """Give this lab's processes a directory of control sockets of their own; returns it."""
    directory = lab.directory / "run"
    directory.mkdir()
    RUN.mkdir(exist_ok=True)
    lab.within = ("unshare", "--mount", "sh", "-c", f'mount --bind "$0" {RUN} && exec "$@"', str(directory))
    return directory


def test_health(lab: Lab, proxy: Proxy) -> None:
    """It is good when all is compared, and of a standby. It is not while the engine is away, or without a daemon."""
    directory = alone(lab)
    assert "no daemon answers in /run/hostwatch" in lab.command("health", status=1).stderr
    proxy.refuse = re.compile("")
    with lab.hostwatch(ready="trying again") as first:
        waiting = f"process {first.process.pid}: waiting for the engine ("
        eventually(lambda: waiting in lab.command("health", status=1).stderr)
        proxy.refuse = None
        eventually(lambda: lab.command("health", status=None).returncode == 0)
        assert lab.command("health").stdout == f"process {first.process.pid}: ready\n"
        with lab.hostwatch(ready="standby: ") as second:
            said = f"process {second.process.pid}: standby: another hostwatch keeps the files\n"
            eventually(lambda: lab.command("health").stdout.endswith(said))
            second.stop(signal.SIGKILL)
        proxy.refuse = re.compile("")
        proxy.cut()
        eventually(lambda: "lost the engine" in first.log)
        assert f"process {first.process.pid}: waiting for the engine (" in lab.command("health", status=1).stderr
        proxy.refuse = None
        eventually(lambda: lab.command("health", status=None).returncode == 0)
        first.stop(signal.SIGKILL)
    assert len([*directory.iterdir()]) == 2
    assert "no daemon answers" in lab.command("health", status=1).stderr
    with lab.hostwatch():
        eventually(lambda: lab.command("health", status=None).returncode == 0)
        assert len([*directory.iterdir()]) == 1


def test_a_container_asks_its_own_daemon_alone(lab: Lab) -> None:
    """A directory of control sockets may be shared. A process in another pid namespace is another container's."""
    alone(lab)
    with lab.hostwatch():
        eventually(lambda: lab.command("health", status=None).returncode == 0)
        lab.within = ("unshare", "--pid", "--fork", *lab.within)
        assert "no daemon answers" in lab.command("health", status=1).stderr


def test_the_address_is_configured(lab: Lab) -> None:
    """An option beats the variable, the variable beats the file; SIGHUP changes it. A wrong one is told."""
    lab.run("web", labels={"hostwatch.hosts": "192.0.2.1 fixed"})
    in_file, in_variable, in_option = (free_port() for _ in range(3))
    config = lab.configured(f"http: {{listen: '127.0.0.1:{in_file}'}}\n")
    variable = {"HOSTWATCH_HTTP_LISTEN": f"127.0.0.1:{in_variable}"}
    for arguments, environ, port in (
        ([], {}, in_file),
        ([], variable, in_variable),
        (["--http-listen", f"127.0.0.1:{in_option}"], variable, in_option),
    ):
        with lab.hostwatch("-c", config, *arguments, **environ) as hostwatch:
            eventually(lambda: "answers at http://" in hostwatch.log)
            assert health_of(port) == 200
            assert hostwatch.log.count("answers at") == 1
    with lab.hostwatch("-c", config) as hostwatch:
        eventually(lambda: "answers at http://" in hostwatch.log)
        lab.configured(f"http: {{listen: '127.0.0.1:{in_option}'}}\n")
        hostwatch.process.send_signal(signal.SIGHUP)
        eventually(lambda: f"answers at http://127.0.0.1:{in_option}\n" in hostwatch.log)
        assert health_of(in_option) == 200
        with pytest.raises(ConnectionRefusedError):
            health_of(in_file)
        lab.configured("")
        hostwatch.process.send_signal(signal.SIGHUP)
        eventually(lambda: refused(in_option))
    said = lab.command("run", "--http-listen", "0.0.0.0:9464", status=2).stderr
    assert said.startswith("--http-listen: reaches beyond this machine")


def test_a_port_that_is_taken_keeps_no_file_from_being_right(lab: Lab) -> None:
    """The error names the address and the remedy; `doctor` finds the same, and no fault in our own."""
    lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels=WANTS_DB)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = lab.configured(f"http: {{listen: '127.0.0.1:{port}'}}\n")
        with lab.hostwatch("-c", config, ready="web: ") as hostwatch:
            assert f"ERROR HTTP: http://127.0.0.1:{port} cannot be had (Address already in use)" in re.sub(
                " +", " ", hostwatch.log
            )
            assert lab.records(web) == {"db": ["10.123.7.1"]}
            assert f"another program has 127.0.0.1:{port}" in lab.command("doctor", "-c", config, status=1).stdout
            other.close()
            eventually(lambda: not refused(port), 30)
            assert f"hostwatch answers at 127.0.0.1:{port}" in lab.command("doctor", "-c", config).stdout


def test_without_a_directory_the_files_are_kept(lab: Lab) -> None:
    """There is no control socket then. It is told once, with the remedy, and `doctor` knows."""
    lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels=WANTS_DB)
    script = f'mount -t tmpfs none {RUN} && mount -o remount,ro {RUN} && exec "$0" "$@"'
    lab.within = ("unshare", "--mount", "sh", "-c", script)
    with lab.hostwatch(ready="web: ") as hostwatch:
        assert lab.records(web) == {"db": ["10.123.7.1"]}
        assert hostwatch.log.count(f"no control socket at unix://{RUN}/") == 1
        assert "--tmpfs /run/hostwatch" in hostwatch.log
    found = lab.command("doctor").stdout
    assert f"no control socket can be made in {RUN} (Read-only file system)" in found


def test_a_client_follows_the_changes(lab: Lab) -> None:
    """Each comes when it is made, and those that were missed when the client is back."""
    db = lab.run("db", address="10.123.7.1")
    lab.run("web", labels=WANTS_DB)
    with lab.hostwatch("-c", lab.configured("timing: {linger: 0}"), ready="web: "):
        client = Client(place_of(lab))
        stream = (event for event in client.events(0) if event.data is not None)
        first = next(stream)
        assert (first.number, first.data["subscriber"]) == (1, "web")
        db.remove(force=True)
        assert next(stream).data["withheld"][0]["line"] == "@{db.ip} db"
        stream.close()
        lab.run("db", address="10.123.7.2")
        back = next(event for event in client.events(2) if event.data is not None and event.data["changes"])
        assert back.data["changes"] == [{"name": "db", "old": [], "new": ["10.123.7.2"]}]
        with pytest.raises(RefusedError, match="no subscriber has this name"):
            client.get("/api/v1/state", [("subscriber", "nobody")])


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert isinstance(port, int)
    return port


def health_of(port: int) -> int:
    """The status of /healthz. Raises `ConnectionRefusedError`."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", "/healthz")
        return connection.getresponse().status


def refused(port: int) -> bool:
    """Whether nobody answers there."""
    try:
        return health_of(port) != 200
    except OSError:
        return True
