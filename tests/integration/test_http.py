"""HTTP beside a real engine: the control socket, its answers, and the event stream."""

import http.client
import json
import re
import signal
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

from hostwatch.hosts.lock import RUN
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
    with lab.hostwatch() as first:
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
