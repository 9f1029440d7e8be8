"""Remote engines: by TCP, with TLS and without, by the environment and by docker's contexts.

The engines listen on loopback in network namespaces of their own. hostwatch runs in these, and shares all else.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker
import pytest

from tests import engine as engines
from tests.certificates import make_certificates
from tests.conftest import Lab, eventually, make_lab

NEWEST = engines.VERSIONS[-1]
TLS_URL = "tcp://127.0.0.1:2376"
PLAIN_URL = "tcp://127.0.0.1:2375"
WANTS_DB = {"hostwatch.hosts": "@{db.ip} db"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of each kind."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@contextmanager
def listening(directory: Path, version: str, name: str, *args: str) -> Iterator[Lab]:
    """An engine that also listens by TCP, with hostwatch in its network namespace, and a home directory of its own."""
    engine = engines.start(version, f"pytest-{name}-{os.getpid()}", args=args)
    try:
        client = docker.DockerClient(base_url=engine.docker_host)
        with closing(client), make_lab(engine, client, directory) as lab:
            assert engine.holder is not None
            lab.within = ("nsenter", f"--target={engine.holder.pid}", "--net")
            lab.environ |= {"DOCKER_HOST": "", "HOME": str(directory)}
            yield lab
    finally:
        engine.stop()


@pytest.fixture(scope="module")
def remote_engine(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Lab]:
    """An engine that requires certificates."""
    own = certificates / "engine"
    tls = (f"--tlscacert={own}/ca.pem", f"--tlscert={own}/cert.pem", f"--tlskey={own}/key.pem")
    with listening(tmp_path_factory.mktemp("remote"), NEWEST, "tls", f"--host={TLS_URL}", "--tlsverify", *tls) as lab:
        yield lab


@pytest.fixture
def remote(remote_engine: Lab) -> Iterator[Lab]:
    """The engine that requires certificates, without containers and without docker's files in the user's home."""
    yield remote_engine
    remote_engine.clear()
    shutil.rmtree(remote_engine.directory / ".docker", ignore_errors=True)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An engine that speaks plain HTTP by TCP."""
    with listening(tmp_path_factory.mktemp("plain"), "20.10", "plain", f"--host={PLAIN_URL}", "--tls=false") as lab:
        yield lab


def refused(lab: Lab, *arguments: str, **environ: str) -> str:
    """The line of `status` about a failed connection."""
    found = lab.command("status", *arguments, status=1, **environ)
    assert found.stdout == ""
    assert found.stderr.count("\n") == 1, found.stderr
    return found.stderr


def test_an_engine_is_followed_by_tls(remote: Lab, certificates: Path) -> None:
    """This includes events and inspections."""
    environ = {"DOCKER_HOST": TLS_URL, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates / "good")}
    db = remote.run("db", address="10.123.7.7")
    web = remote.run("web", labels=WANTS_DB)
    with remote.hostwatch(**environ):
        eventually(lambda: remote.records(web) == {"db": ["10.123.7.7"]})
        db.remove(force=True)
        remote.run("db", address="10.123.7.8")
        eventually(lambda: remote.records(web) == {"db": ["10.123.7.8"]})
    remote.command("clean", status=0, **environ)
    assert remote.records(web) == {}


def test_hosts_files_of_another_machine_are_written_by_tls(remote: Lab, certificates: Path) -> None:
    """They are out of sight."""
    environ = {"DOCKER_HOST": TLS_URL, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates / "good")}
    configuration = remote.configured(f"docker: {{root: {remote.directory}/nothing}}")
    remote.run("db", address="10.123.7.7")
    web = remote.run("web", labels=WANTS_DB)
    with remote.hostwatch("-c", configuration, **environ):
        eventually(lambda: remote.records(web) == {"db": ["10.123.7.7"]})


def test_tls_holds_wherever_the_url_comes_from(remote: Lab, certificates: Path) -> None:
    """The URL is an option or in the configuration. The certificates are in the docker command's directory."""
    shutil.copytree(certificates / "good", remote.directory / ".docker")
    configuration = remote.configured(f"docker: {{host: '{TLS_URL}'}}")
    remote.command("status", "--docker-host", TLS_URL, DOCKER_TLS_VERIFY="1")
    remote.command("status", "-c", configuration, DOCKER_TLS_VERIFY="1")


def test_without_verification_any_engine_is_trusted(remote: Lab, certificates: Path) -> None:
    """`DOCKER_TLS` encrypts without verification. `DOCKER_TLS_VERIFY` beside it verifies."""
    environ = {"DOCKER_HOST": TLS_URL, "DOCKER_TLS": "1", "DOCKER_CERT_PATH": str(certificates / "unsure")}
    remote.command("status", status=0, **environ)
    assert "is not signed by" in refused(remote, DOCKER_TLS_VERIFY="1", **environ)


@pytest.mark.parametrize(
    ("client", "host", "words"),
    [
        ("unsure", "127.0.0.1", ["is not signed by", "unsure/ca.pem"]),
        ("good", "localhost", ["is for another host", "localhost:2376"]),
        ("expired", "127.0.0.1", ["refuses our certificate", "expired/cert.pem"]),
        ("stranger", "127.0.0.1", ["refuses our certificate", "stranger/cert.pem", "--tlscacert"]),
        ("nobody", "127.0.0.1", ["wants a certificate of ours", "nobody/cert.pem", "nobody/key.pem"]),
    ],
)
def test_a_fault_of_certificates_is_told(
    remote: Lab, certificates: Path, client: str, host: str, words: list[str]
) -> None:
    """One line has the fault, the file and the remedy."""
    cert_path = str(certificates / client)
    told = refused(remote, DOCKER_HOST=f"tcp://{host}:2376", DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=cert_path)
    assert all(word in told for word in words), told


def test_doctor_tells_the_same(remote: Lab, certificates: Path) -> None:
    """It prints the fault, and the remedy below."""
    environ = {"DOCKER_HOST": TLS_URL, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates / "expired")}
    told = remote.command("doctor", status=1, **environ).stdout
    assert "refuses our certificate" in told.splitlines()[0]
    assert "--tlscacert" in told.splitlines()[1]


def test_tls_and_plain_http_are_told_apart(remote: Lab, plain: Lab, certificates: Path) -> None:
    """Either side may expect the other protocol."""
    told = refused(remote, DOCKER_HOST=TLS_URL)
    assert "127.0.0.1:2376 speaks TLS" in told
    assert "DOCKER_TLS_VERIFY=1" in told
    cert_path = str(certificates / "good")
    told = refused(plain, DOCKER_HOST=PLAIN_URL, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=cert_path)
    assert f"{PLAIN_URL} does not speak TLS" in told


def test_plain_tcp_needs_no_certificates(plain: Lab) -> None:
    """The URL is enough."""
    web = plain.run("web", labels={"hostwatch.hosts": "192.0.2.1 fixed"})
    with plain.hostwatch("--docker-host", PLAIN_URL):
        eventually(lambda: plain.records(web) == {"fixed": ["192.0.2.1"]})


def test_an_engine_that_does_not_answer_is_given_up_in_time(remote: Lab, certificates: Path) -> None:
    """It accepts connections, and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        remote.within, within = (), remote.within
        told = refused(remote, DOCKER_HOST=host, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(certificates / "good"))
        remote.within = within
    assert f"{host} did not answer in time" in told


def test_a_renewed_certificate_is_taken_up(remote: Lab, certificates: Path) -> None:
    """No restart is needed."""
    own = remote.directory / ".docker"
    shutil.copytree(certificates / "expired", own)
    with remote.hostwatch(ready="trying again", DOCKER_HOST=TLS_URL, DOCKER_TLS_VERIFY="1") as hostwatch:
        for name in ("cert.pem", "key.pem"):
            shutil.copy(certificates / "good" / name, own / name)
        eventually(lambda: "connected to engine" in hostwatch.log, 20)


# Contexts.


def docker_command(lab: Lab, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the docker command of the engine's version beside hostwatch, in the same environment."""
    command = lab.engine.enter("docker", *arguments)
    environ = lab.environ | {"PATH": "/usr/bin"} | environ
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def make_context(lab: Lab, name: str, **endpoint: object) -> None:
    """Have the docker command make a context."""
    told = ",".join(f"{key.replace('_', '-')}={value}" for key, value in endpoint.items())
    made = docker_command(lab, "context", "create", name, "--docker", told)
    assert made.returncode == 0, made


@pytest.fixture
def contexts(remote: Lab, certificates: Path) -> Lab:
    """The engine, and contexts of its user: some lead to it, others do not."""

    def files(name: str) -> dict[str, object]:
        return {key: certificates / name / f"{key}.pem" for key in ("ca", "cert", "key")}

    make_context(remote, "tls", host=TLS_URL, **files("good"))
    make_context(remote, "skip", host="tcp://localhost:2376", skip_tls_verify="true", **files("unsure"))
    make_context(remote, "unsure", host=TLS_URL, **files("unsure"))
    make_context(remote, "naked", host=TLS_URL)
    return remote


def test_contexts_lead_to_the_same_engine_as_the_docker_command(contexts: Lab) -> None:
    """`DOCKER_HOST` comes before `DOCKER_CONTEXT`, and that before `docker context use`."""
    for name, leads in [("tls", 0), ("skip", 0), ("unsure", 1), ("naked", 1), ("no", 1)]:
        assert docker_command(contexts, "version", DOCKER_CONTEXT=name).returncode == leads, name
        found = contexts.command("status", status=leads, DOCKER_CONTEXT=name)
        assert found.stderr == "" if leads == 0 else name in found.stderr
    assert docker_command(contexts, "context", "use", "tls").returncode == 0
    contexts.command("status")
    assert docker_command(contexts, "version", DOCKER_CONTEXT="no", DOCKER_HOST="unix:///no/such.sock").returncode == 1
    assert "unix:///no/such.sock" in refused(contexts, DOCKER_CONTEXT="no", DOCKER_HOST="unix:///no/such.sock")
