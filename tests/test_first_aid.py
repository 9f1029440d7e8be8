"""What a user meets when something is wrong: each failure names the thing and a remedy, and is never a traceback."""

import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.test_cli import COMMAND, ENVIRON, hostwatch


class Refusing(BaseHTTPRequestHandler):
    """A proxy in front of an engine that lets nothing through."""

    def do_GET(self) -> None:
        """Refuse."""
        self.send_error(403)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def refusing() -> Iterator[str]:
    """The address of such a proxy."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def fails(*arguments: str, status: int = 1, environ: Mapping[str, str] | None = None) -> str:
    """The message of a command that fails."""
    command = [*COMMAND, *arguments]
    found = subprocess.run(
        command, env=ENVIRON | dict(environ or {}), capture_output=True, text=True, timeout=60, check=False
    )
    assert found.returncode == status, found
    assert found.stdout == ""
    assert "Traceback" not in found.stderr
    assert len(found.stderr.splitlines()) <= 3, found.stderr
    return found.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", ["status", "plan", "sync", "clean", "why"])
def test_an_engine_that_is_not_there(command: str) -> None:
    """Every command that needs one says where it looked, and how another is named."""
    told = fails(command, *(["web"] if command == "why" else []))
    assert "no engine at unix:///no/such.sock: there is no such socket" in told
    assert "systemctl start docker" in told
    assert "--docker-host" in told


def test_a_file_on_the_host_is_cleaned_without_an_engine(tmp_path: Path) -> None:
    hosts, path = tmp_path / "hosts", tmp_path / "hostwatch.yaml"
    hosts.write_text("127.0.0.1 localhost\n# hostwatch: begin\n192.0.2.1 db\n# hostwatch: end\n")
    path.write_text(f"subscribers: {{this-host: {{file: {hosts}, services: [db]}}}}\n")
    told = fails("clean", "-c", str(path))
    assert f"{hosts}: block removed" in told
    assert "no engine at unix:///no/such.sock" in told
    assert hosts.read_text() == "127.0.0.1 localhost\n"


@pytest.mark.slow
def test_an_engine_that_does_not_answer_as_one(tmp_path: Path, refusing: str) -> None:
    """Nobody listens, the host is not known, a proxy refuses, the scheme is not known."""
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(dead))
    told = fails("status", "--docker-host", f"unix://{dead}")
    assert f"unix://{dead}: nothing listens there; start it" in told
    assert "; name the engine's address" in fails("status", "--docker-host", "tcp://no-such-host.invalid:2375")
    told = fails("status", "--docker-host", refusing)
    assert "the engine answered 403" in told
    assert "; let the proxy or policy" in told
    assert "forward its socket" in fails("status", "--docker-host", "ssh://somewhere", status=2)
    assert "as in unix:///run/docker.sock" in fails("status", "--docker-host", "/run/docker.sock", status=2)


@pytest.mark.slow
def test_a_socket_that_is_not_for_this_user(tmp_path: Path) -> None:
    """The user is named. Root alone may read the hosts files anyway."""
    place = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(place))
        made.listen()
        place.chmod(0o600)
        for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
            directory.chmod(0o755)
        command = ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-m", "hostwatch", "status"]
        environ = ENVIRON | {"DOCKER_HOST": f"unix://{place}", "HOME": "/"}
        found = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 1
    assert f"permission denied on unix://{place} for user 65534; run hostwatch as root" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.slow
def test_tls_and_contexts(tmp_path: Path) -> None:
    """The file that is missing is named, and the context."""
    told = fails(
        "status",
        environ={"DOCKER_HOST": "tcp://127.0.0.1:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)},
    )
    assert f"cannot read {tmp_path}/ca.pem" in told
    assert "; put the certificate of the authority" in told
    told = fails("status", environ={"DOCKER_HOST": "", "DOCKER_CONTEXT": "nowhere", "DOCKER_CONFIG": str(tmp_path)})
    assert "docker context 'nowhere' does not exist; `docker context ls`" in told


@pytest.mark.slow
def test_a_configuration_that_is_wrong(tmp_path: Path) -> None:
    """The place is told with what belongs there."""
    assert "/no/such.yaml" in fails("check", "-c", "/no/such.yaml", status=2)
    path = tmp_path / "hostwatch.yaml"
    path.write_text("subscriber: {}\n")
    told = fails("status", "-c", str(path), status=2)
    assert f"{path}:1:1: " in told
    assert "subscribers" in told
    path.write_text("timing: {linger: 2 parsecs}\n")
    assert "must be a duration" in fails("status", "-c", str(path), status=2)
    path.write_text("log: {file: /proc/no/such.log}\n")
    told = fails("run", "-c", str(path))
    assert "/proc/no/such.log" in told
    assert f"mend log.file in {path}" in told


def test_a_wrong_command_line() -> None:
    """The word is named, and the help."""
    for arguments, word in ((["stats"], "stats"), (["--verison"], "--version"), (["why"], "SUBSCRIBER")):
        found = hostwatch(*arguments)
        assert found.returncode == 2
        assert word in found.stderr
        assert "hostwatch -h' for help" in found.stderr or "hostwatch why -h' for help" in found.stderr
