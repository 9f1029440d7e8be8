"""A real ZooKeeper with Debian's own Java, in a root of its own."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from tests.engine import roots
from tests.noise import crowd
from tests.servers.certificates import make_certificates
from tests.servers.server import Server, free_ports

_PACKAGES = {
    "3.8": ("bookworm", ("libzookeeper-java", "openjdk-17-jre-headless")),
    "3.9": ("trixie", ("libzookeeper-java", "openjdk-21-jre-headless")),
}
ZOOKEEPERS = tuple(_PACKAGES)
"""The versions there are, oldest first."""

_SCRIPT = Path(__file__).with_name("java.sh")
_MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
_JARS = (
    *("zookeeper", "zookeeper-jute", "slf4j-api", "slf4j-simple", "snappy-java", "metrics-core"),
    *("commons-cli", "commons-io", "log4j-1.2"),
    *(f"netty-{part}" for part in ("buffer", "codec", "common", "handler", "resolver", "transport")),
    *("netty-transport-native-epoll", "netty-transport-native-unix-common"),
)
_CONFIGURATION = """\
tickTime=200
dataDir={data}
clientPortAddress=127.0.0.1
clientPort={port}
admin.enableServer=false
4lw.commands.whitelist=*
"""
"""A session lasts 2 to 20 ticks, as its client likes: from 0.4 s on."""
_TLS = """\
secureClientPort={port}
secureClientPortAddress=127.0.0.1
serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
ssl.keyStore.location={certificates}/server/keystore.pem
ssl.trustStore.location={certificates}/server/ca.pem
"""
"""Each client must show a certificate, as is ZooKeeper's default."""
_START_SECONDS = 30.0


@dataclass(frozen=True)
class ZooKeeper(Server):
    """One server on loopback: `start`, `stop`, `kill`, `freeze`, `thaw`."""

    port: int = 0
    secure_port: int = 0

    @property
    def secure_address(self) -> str:
        """Its address for clients by TLS, if it has one."""
        return f"127.0.0.1:{self.secure_port}"

    @property
    def certificates(self) -> Path:
        """The certificates of the server and of good and bad clients (`make_certificates`), with TLS."""
        return self.directory / "certificates"

    @property
    def address(self) -> str:
        """Its address for clients."""
        return f"127.0.0.1:{self.port}"

    def ask(self, word: str) -> str:
        """The answer to a four-letter word: `ruok`, `stat`, `wchs`, `cons`, `dump`; empty if nobody answers."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                connection.sendall(word.encode())
                return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        except OSError:
            return ""

    def await_answer(self) -> None:
        """Wait until it serves."""
        deadline = time.monotonic() + _START_SECONDS * crowd()
        while "Mode: " not in self.ask("stat"):
            if not self.alive():
                raise self.failed("ended")
            if time.monotonic() > deadline:
                raise self.failed("does not answer")
            time.sleep(0.05)


@contextmanager
def zookeeper(version: str, directory: Path, *, tls: bool = False) -> Iterator[ZooKeeper]:
    """A running ZooKeeper with its state in this directory; with `tls` also at another port, by TLS."""
    directory.mkdir(parents=True, exist_ok=True)
    suite, packages = _PACKAGES[version]
    root = roots.packaged(f"zookeeper-{version}", suite, packages)
    port, secure_port = free_ports(2)
    configuration = directory / "zoo.cfg"
    text = _CONFIGURATION.format(data=directory / "data", port=port)
    if tls:
        text += _TLS.format(port=secure_port, certificates=_keystore(directory / "certificates"))
    configuration.write_text(text)
    path = ":".join(f"/usr/share/java/{name}.jar" for name in _JARS)
    java = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", path, _MAIN, configuration)
    command = ("unshare", "--mount", "--propagation=private", "sh", _SCRIPT, root, directory, *java)
    made = ZooKeeper("zookeeper", directory, command, port=port, secure_port=secure_port)
    try:
        made.start()
        made.await_answer()
        yield made
    finally:
        made.kill()


def _keystore(certificates: Path) -> Path:
    """Make the certificates, and the server's key in the form that Java reads."""
    server = make_certificates(certificates, "127.0.0.1") / "server"
    key = serialization.load_pem_private_key((server / "key.pem").read_bytes(), None)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (server / "keystore.pem").write_bytes(key.private_bytes(*form) + (server / "cert.pem").read_bytes())
    return certificates
