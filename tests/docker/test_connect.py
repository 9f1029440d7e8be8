"""The engine's address and TLS, from the environment and the files of the docker command."""

import json
import shutil
import ssl
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from hostwatch.control.source import EngineError
from hostwatch.docker.connect import DEFAULT_SOCKET, Connection, located_engine
from tests.certificates import make_certificates

ENGINE, OTHER = "tcp://192.0.2.1:2376", "tcp://192.0.2.2:2376"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of each kind."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's home with docker's directory, which is empty."""
    (tmp_path / ".docker").mkdir()
    return tmp_path


def found(home: Path, explicit: str | None = None, **environ: str) -> Connection:
    """The connection that a user with this home gets."""
    return located_engine(explicit, {"HOME": str(home)} | environ)


def refusal(home: Path, explicit: str | None = None, **environ: str) -> str:
    """The reason why the user gets none, in one line."""
    with pytest.raises(EngineError) as caught:
        found(home, explicit, **environ)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def make_context(home: Path, name: str, meta: object, certificates: Path | None = None) -> Path:
    """A context as the docker command writes it; returns the path of its description."""
    directory = sha256(name.encode()).hexdigest()
    path = home / ".docker/contexts/meta" / directory / "meta.json"
    path.parent.mkdir(parents=True)
    path.write_text(meta if isinstance(meta, str) else json.dumps(meta))
    if certificates is not None:
        shutil.copytree(certificates, home / ".docker/contexts/tls" / directory / "docker")
    return path


def endpoint(host: str, *, skip: bool = False) -> object:
    """The description of a context."""
    return {"Name": "any", "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": skip}}}


def use(home: Path, name: object) -> None:
    """The file that `docker context use` writes."""
    (home / ".docker/config.json").write_text(json.dumps({"auths": {}, "currentContext": name}))


def test_option_then_environment_then_context_then_default(home: Path) -> None:
    """An empty variable is none; the context `default` is the environment."""
    assert found(home) == Connection(DEFAULT_SOCKET, "unix://localhost", socket="/var/run/docker.sock")
    make_context(home, "current", endpoint("tcp://current:1"))
    make_context(home, "other", endpoint("tcp://other:1"))
    use(home, "current")
    assert found(home).base == "http://current:1"
    assert found(home, DOCKER_HOST="", DOCKER_CONTEXT="").base == "http://current:1"
    assert found(home, DOCKER_CONTEXT="other").base == "http://other:1"
    assert found(home, DOCKER_CONTEXT="default").address == DEFAULT_SOCKET
    assert found(home, DOCKER_CONTEXT="none", DOCKER_HOST=ENGINE).address == ENGINE
    assert found(home, OTHER, DOCKER_CONTEXT="none", DOCKER_HOST=ENGINE).address == OTHER
    (home / ".docker").rename(home / "elsewhere")
    assert found(home).address == DEFAULT_SOCKET
    assert found(home, DOCKER_CONFIG=str(home / "elsewhere")).base == "http://current:1"


@pytest.mark.parametrize("name", ["default", "", None])
def test_no_context_is_the_default(home: Path, name: object) -> None:
    """In any form. Other settings in the file have no effect."""
    use(home, name)
    assert found(home).address == DEFAULT_SOCKET
    (home / ".docker/config.json").write_text("")
    assert found(home).address == DEFAULT_SOCKET


@pytest.mark.parametrize(
    ("host", "address", "base"),
    [
        ("tcp://192.0.2.1", "tcp://192.0.2.1:2375", "http://192.0.2.1:2375"),
        ("tcp://[2001:db8::1]:99/", "tcp://[2001:db8::1]:99", "http://[2001:db8::1]:99"),
        ("tcp://:99", "tcp://localhost:99", "http://localhost:99"),
        ("192.0.2.1:99", "tcp://192.0.2.1:99", "http://192.0.2.1:99"),
        ("engine", "tcp://engine:2375", "http://engine:2375"),
        ("http://engine/docker/", "http://engine:80", "http://engine:80/docker"),
        ("tcp://bücher.example:1", "tcp://bücher.example:1", "http://xn--bcher-kva.example:1"),
        ("https://me:secret@engine", "https://engine:443", "https://me:secret@engine:443"),
        (" unix:///a.sock ", "unix:///a.sock", "unix://localhost"),
        ("unix://", DEFAULT_SOCKET, "unix://localhost"),
    ],
)
def test_an_address_may_be_short(home: Path, host: str, address: str, base: str) -> None:
    """In the forms of the docker command. A password is not shown."""
    connection = found(home, DOCKER_HOST=host)
    assert (connection.address, connection.base) == (address, base)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("ssh://me@engine", ["ssh -nNT -L", "me@engine", "unix://"]),
        ("npipe:////./pipe/docker", ["unix://", "tcp://"]),
        ("fd://", ["unix://", "tcp://"]),
        ("/run/docker.sock", ["unix:///run/docker.sock"]),
        ("tcp://engine:99999", ["Port", "tcp://"]),
        ("tcp://[2001:db8::1", ["tcp://"]),
        ("tcp://engine..example:2375", ["idna", "tcp://192.0.2.1"]),
    ],
)
def test_a_bad_address_is_reported(home: Path, host: str, words: list[str]) -> None:
    """With an address to write instead, and with the name of its context."""
    make_context(home, "bad", endpoint(host))
    for told in (refusal(home, host), refusal(home, DOCKER_HOST=host)):
        assert all(word in told for word in [host, *words]), told
    assert all(word in refusal(home, DOCKER_CONTEXT="bad") for word in [host, "'bad'", *words])


def test_tls_is_spoken_where_a_variable_is_set(home: Path, certificates: Path) -> None:
    """For any value, with the files of docker's own directory unless another one is named; never on a socket."""
    environ = {"DOCKER_HOST": "tcp://192.0.2.1"}
    assert found(home, **environ).tls is None
    shutil.copytree(certificates / "good", home / ".docker", dirs_exist_ok=True)
    assert found(home, **environ).tls is None
    for variable in ("DOCKER_TLS_VERIFY", "DOCKER_TLS"):
        for value in ("1", "0", "false"):
            connection = found(home, **environ, **{variable: value})
            assert connection.base == "https://192.0.2.1:2376"
            assert (mode(connection) is ssl.CERT_REQUIRED) == (variable == "DOCKER_TLS_VERIFY")
        assert found(home, **{variable: "1"}).address == "tcp://localhost:2376"
        assert found(home, "unix:///a.sock", **{variable: "1"}).tls is None
    assert mode(found(home, **environ, DOCKER_TLS="1", DOCKER_TLS_VERIFY="1")) is ssl.CERT_REQUIRED
    (home / ".docker").rename(home / "elsewhere")
    assert str(home / ".docker/ca.pem") in refusal(home, DOCKER_TLS_VERIFY="1")
    for variable in ("DOCKER_CONFIG", "DOCKER_CERT_PATH"):
        assert mode(found(home, DOCKER_TLS_VERIFY="1", **{variable: str(home / "elsewhere")})) is ssl.CERT_REQUIRED


def mode(connection: Connection) -> ssl.VerifyMode:
    """Whether the engine's certificate is required."""
    assert connection.tls is not None
    assert connection.tls.context.check_hostname == (connection.tls.context.verify_mode is ssl.CERT_REQUIRED)
    return connection.tls.context.verify_mode


def test_an_authority_of_ones_own_is_the_only_one(home: Path, certificates: Path) -> None:
    """The system's authorities count if there is none."""
    (own,) = authorities(found(home, ENGINE, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(certificates / "good")))
    assert "trustme" in str(own)
    assert own not in authorities(found(home, "https://engine"))
    shutil.copy(certificates / "good" / "ca.pem", home / ".docker")
    assert authorities(found(home, "https://engine")) == [own]


def test_equal_settings_give_equal_connections(home: Path, certificates: Path) -> None:
    """A configuration that is read again then keeps the connection."""
    environ = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates / "good")}
    assert found(home, ENGINE, **environ) == found(home, ENGINE, **environ)
    assert found(home, ENGINE, **environ) != found(home, OTHER, **environ)
    assert found(home, ENGINE, **environ) != found(home, ENGINE)
    assert found(home, ENGINE, **environ) != found(
        home, ENGINE, **environ | {"DOCKER_TLS_VERIFY": "", "DOCKER_TLS": "1"}
    )
    shutil.copytree(certificates / "unsure", home / "tls")
    environ["DOCKER_CERT_PATH"] = str(home / "tls")
    before = found(home, ENGINE, **environ)
    shutil.copy(certificates / "good" / "ca.pem", home / "tls")
    assert found(home, ENGINE, **environ) != before


def authorities(connection: Connection) -> list[object]:
    """The trusted authorities."""
    assert connection.tls is not None
    return list(connection.tls.context.get_ca_certs())


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ("no-ca", ["cannot read", "ca.pem", "No such file", "authority"]),
        ("no-cert", ["cannot read", "cert.pem", "No such file"]),
        ("no-key", ["cannot read", "key.pem", "No such file"]),
        ("bad-ca", ["ca.pem", "PEM"]),
        ("bad-cert", ["cert.pem", "key.pem", "PEM"]),
        ("bad-key", ["cert.pem", "key.pem", "without a password"]),
        ("locked", ["cert.pem", "key.pem", "without a password"]),
        ("mixed", ["cert.pem", "key.pem", "its own key"]),
    ],
)
def test_files_for_tls_that_cannot_be_used_are_reported(
    home: Path, certificates: Path, files: str, words: list[str]
) -> None:
    """The error names the file and its right contents. The terminal is not asked for a password."""
    directory = home / files
    shutil.copytree(certificates / ("good" if files in {"locked", "mixed"} else files), directory)
    if files == "locked":
        (directory / "key.pem").write_bytes(locked((directory / "key.pem").read_bytes()))
    if files == "mixed":
        shutil.copy(certificates / "stranger" / "key.pem", directory)
    told = refusal(home, ENGINE, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(directory))
    assert all(word in told for word in [str(directory), *words]), told


def locked(key: bytes) -> bytes:
    """The same key under a password."""
    known = serialization.load_pem_private_key(key, None)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return known.private_bytes(*form, serialization.BestAvailableEncryption(b"secret"))


def test_a_context_has_tls_files_of_its_own(home: Path, certificates: Path) -> None:
    """Those of the environment have no effect. Without files and `SkipTLSVerify` it is plain HTTP."""
    make_context(home, "plain", endpoint(ENGINE))
    make_context(home, "tls", endpoint(ENGINE), certificates / "good")
    make_context(home, "skip", endpoint(ENGINE, skip=True), certificates / "good")
    make_context(home, "bare", endpoint(ENGINE, skip=True))
    make_context(home, "broken", endpoint(ENGINE), certificates / "no-key")
    environ = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/nowhere"}
    assert found(home, DOCKER_CONTEXT="plain", **environ).tls is None
    for name, expected in [("tls", ssl.CERT_REQUIRED), ("skip", ssl.CERT_NONE), ("bare", ssl.CERT_NONE)]:
        connection = found(home, DOCKER_CONTEXT=name, **environ)
        assert mode(connection) is expected
        assert connection.address == f"{ENGINE} (docker context '{name}')"
    assert all(word in refusal(home, DOCKER_CONTEXT="broken") for word in ("'broken'", "key.pem"))


def test_a_context_without_a_host_is_the_default_socket(home: Path) -> None:
    """The docker command does the same."""
    make_context(home, "empty", {"Endpoints": {"docker": {}}})
    make_context(home, "socket", endpoint("unix:///a.sock"))
    assert found(home, DOCKER_CONTEXT="empty").socket == "/var/run/docker.sock"
    assert found(home, DOCKER_CONTEXT="socket").socket == "/a.sock"


def test_a_missing_context_is_reported(home: Path) -> None:
    """No other engine is used in its place."""
    use(home, "gone")
    for told in (refusal(home), refusal(home, DOCKER_CONTEXT="gone")):
        assert "'gone' does not exist" in told
        assert "docker context" in told


@pytest.mark.parametrize(
    "text", ["", "{broken", "\xff", "[]", "{}", '{"Endpoints": {}}', '{"Endpoints": 1}', '{"Endpoints": {"docker": 1}}']
)
def test_a_broken_context_is_reported(home: Path, text: str) -> None:
    """With the path of the broken file."""
    path = make_context(home, "broken", text)
    assert str(path) in refusal(home, DOCKER_CONTEXT="broken")


@pytest.mark.parametrize("text", ["{broken", '{"currentContext": 1}', '{"currentContext": ["a"]}'])
def test_settings_that_cannot_be_read_are_reported(home: Path, text: str) -> None:
    """The intended engine may be another one than the default."""
    settings = home / ".docker/config.json"
    settings.write_text(text)
    assert str(settings) in refusal(home)
    assert found(home, DOCKER_HOST=ENGINE).address == ENGINE
    settings.unlink()
    settings.mkdir()
    assert str(settings) in refusal(home)
