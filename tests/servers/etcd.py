"""Real etcd servers: one or three nodes, with TLS and users if asked for."""

import base64
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engine import roots
from tests.noise import crowd
from tests.servers.certificates import make_certificates
from tests.servers.namespace import called_in, command_in
from tests.servers.server import Server, ServerError, free_ports

_SUITES = {"3.4": "bookworm", "3.5": "trixie", "3.5-forky": "forky"}
ETCDS = tuple(_SUITES)
"""The versions there are, oldest first."""

ROOT_PASSWORD = "the root's own"
"""Of etcd's user `root`, who is there when there are users."""

_START_SECONDS = 20.0
_ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class User:
    """A user who may read and write below a prefix."""

    name: str
    password: str
    prefix: str = "/hostwatch/"


@dataclass(frozen=True)
class EtcdNode(Server):
    """One member of a cluster: `start`, `stop`, `kill`, `freeze`, `thaw`."""

    port: int = 0
    health_port: int = 0
    address: str = "127.0.0.1"
    scheme: str = "http"
    namespace: Path | None = None

    @property
    def url(self) -> str:
        """Its address for clients."""
        return f"{self.scheme}://{self.address}:{self.port}"

    def healthy(self) -> bool:
        """Whether it answers and has a leader. It tells so without TLS, and to anybody."""
        try:
            return bool(json.loads(self._plain("health"))["health"] == "true")
        except (OSError, ValueError):
            return False

    def metrics(self) -> dict[str, float]:
        """Its metrics, as of `grpc_server_handled_total{…}`: how often it was asked for what."""
        pairs = (line.rsplit(" ", 1) for line in self._plain("metrics").splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def await_healthy(self) -> None:
        """Wait until it answers and has a leader."""
        deadline = time.monotonic() + _START_SECONDS * crowd()
        while not self.healthy():
            if not self.alive():
                raise self.failed("ended")
            if time.monotonic() > deadline:
                raise self.failed("does not answer, or has no leader")
            time.sleep(0.02)

    def _plain(self, path: str) -> str:
        url = f"http://{self.address}:{self.health_port}/{path}"
        return called_in(self.namespace, lambda: _read(url, None).decode())


@dataclass(frozen=True)
class Etcd:
    """A cluster of one node or more, and the means to look into it and to change it."""

    nodes: Sequence[EtcdNode]
    certificates: Path | None = None
    """With TLS: directories `client`, `named` (with a common name) and `stranger` (of another authority), each of
    `ca.pem`, `cert.pem` and `key.pem`."""
    users: Sequence[User] = field(default=())

    @property
    def urls(self) -> list[str]:
        """The addresses of all nodes for clients."""
        return [node.url for node in self.nodes]

    def start(self) -> None:
        """Start all nodes that do not run, and wait until all are well."""
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.await_healthy()

    def stop(self) -> None:
        """End all nodes at once, as nobody is left to take over."""
        for node in self.nodes:
            node.kill()

    def call(self, method: str, body: Mapping[str, object], node: int = 0, token: str = "") -> dict[str, Any]:
        """The answer of the JSON gateway of a node, as of `kv/range`; bytes are in base64 both ways."""
        request = urllib.request.Request(f"{self.nodes[node].url}/v3/{method}", json.dumps(body).encode())
        if token := token or self._root_token(method):
            request.add_header("Authorization", token)
        try:
            text = called_in(self.nodes[node].namespace, lambda: _read(request, self._context()))
        except urllib.error.HTTPError as error:
            raise ServerError(f"etcd refuses {method}: {error.read().decode(errors='replace')}") from None
        found: dict[str, Any] = json.loads(text)
        return found

    def put(self, key: str, value: str, lease: int = 0, node: int = 0) -> int:
        """Set a key; returns the revision. A lease must have been granted before."""
        body = {"key": _encoded(key), "value": _encoded(value), "lease": str(lease)}
        return int(self.call("kv/put", body, node)["header"]["revision"])

    def delete(self, key: str, node: int = 0) -> int:
        """Remove a key; returns how many there were."""
        return int(self.call("kv/deleterange", {"key": _encoded(key)}, node).get("deleted", 0))

    def get(self, prefix: str, node: int = 0) -> dict[str, str]:
        """The keys below a prefix, with their values."""
        start = prefix.encode()
        end = start[:-1] + bytes([start[-1] + 1])
        body = {"key": _encoded(prefix), "range_end": base64.b64encode(end).decode()}
        pairs = self.call("kv/range", body, node).get("kvs", [])
        return {_decoded(pair["key"]): _decoded(pair.get("value", "")) for pair in pairs}

    def grant(self, seconds: int, lease: int = 0, node: int = 0) -> int:
        """A new lease of so many seconds; returns its id."""
        return int(self.call("lease/grant", {"TTL": str(seconds), "ID": str(lease)}, node)["ID"])

    def compact(self, revision: int) -> None:
        """Forget all older revisions: a watch from there is cancelled."""
        self.call("kv/compaction", {"revision": str(revision), "physical": True})

    def enable_auth(self) -> None:
        """Make the users, and the one named root, and ask for passwords from now on."""
        self.call("auth/user/add", {"name": "root", "password": ROOT_PASSWORD})
        self.call("auth/role/add", {"name": "root"})
        self.call("auth/user/grant", {"user": "root", "role": "root"})
        for user in self.users:
            self._add(user)
        self.call("auth/enable", {})

    def _add(self, user: User) -> None:
        self.call("auth/user/add", {"name": user.name, "password": user.password})
        self.call("auth/role/add", {"name": user.name})
        end = user.prefix[:-1] + chr(ord(user.prefix[-1]) + 1)
        permission = {"permType": "READWRITE", "key": _encoded(user.prefix), "range_end": _encoded(end)}
        self.call("auth/role/grant", {"name": user.name, "perm": permission})
        self.call("auth/user/grant", {"user": user.name, "role": user.name})

    def _root_token(self, method: str) -> str:
        if not self.users or method.startswith("auth/"):
            return ""
        body = {"name": "root", "password": ROOT_PASSWORD}
        return str(self.call("auth/authenticate", body)["token"])

    def _context(self) -> ssl.SSLContext | None:
        if self.certificates is None:
            return None
        own = self.certificates / "client"
        context = ssl.create_default_context(cafile=own / "ca.pem")
        context.load_cert_chain(own / "cert.pem", own / "key.pem")
        return context


@contextmanager
def etcd(
    version: str,
    directory: Path,
    *,
    nodes: int = 1,
    tls: bool = False,
    users: Sequence[User] = (),
    address: str = "127.0.0.1",
    namespace: Path | None = None,
    args: Sequence[str] = (),
) -> Iterator[Etcd]:
    """A running cluster with its state below this directory.

    `tls` asks clients for certificates, `users` for passwords. `address` is where the nodes listen, in the network
    `namespace` of this file if that is another one; `args` are more arguments for each node.
    """
    made = make_etcd(
        version, directory, nodes=nodes, tls=tls, users=users, address=address, namespace=namespace, args=args
    )
    try:
        made.start()
        if users:
            made.enable_auth()
        yield made
    finally:
        made.stop()


def make_etcd(
    version: str,
    directory: Path,
    *,
    nodes: int = 1,
    tls: bool = False,
    users: Sequence[User] = (),
    address: str = "127.0.0.1",
    namespace: Path | None = None,
    args: Sequence[str] = (),
) -> Etcd:
    """A cluster that is not running yet."""
    ports = list(zip(*[iter(free_ports(3 * nodes))] * 3, strict=True))
    names = [f"etcd{number}" for number in range(nodes)]
    certificates = make_certificates(directory / "certificates", address) if tls else None
    scheme = "https" if tls else "http"
    peers = {name: f"http://{address}:{peer}" for name, (_, peer, _) in zip(names, ports, strict=True)}
    common = [
        f"--initial-cluster={','.join(f'{name}={url}' for name, url in peers.items())}",
        *_tls_options(certificates),
        *args,
    ]
    made = []
    for name, (client, _, health) in zip(names, ports, strict=True):
        own = [
            f"--name={name}",
            f"--data-dir={directory / name / 'data'}",
            f"--listen-client-urls={scheme}://{address}:{client}",
            f"--advertise-client-urls={scheme}://{address}:{client}",
            f"--listen-peer-urls={peers[name]}",
            f"--initial-advertise-peer-urls={peers[name]}",
            f"--listen-metrics-urls=http://{address}:{health}",
        ]
        command = (*_program(version), *own, *common)
        node = EtcdNode(
            name,
            directory / name,
            command,
            command_in(namespace),
            port=client,
            health_port=health,
            address=address,
            scheme=scheme,
            namespace=namespace,
        )
        made.append(node)
    return Etcd(made, certificates, users)


def _program(version: str) -> list[str | Path]:
    root = roots.packaged(f"etcd-{version}", _SUITES[version], ["etcd-server"])
    return roots.command(root, "etcd")


def _tls_options(certificates: Path | None) -> list[str]:
    if certificates is None:
        return []
    own = certificates / "server"
    return [
        "--client-cert-auth",
        f"--cert-file={own / 'cert.pem'}",
        f"--key-file={own / 'key.pem'}",
        f"--trusted-ca-file={own / 'ca.pem'}",
    ]


def _read(request: str | urllib.request.Request, context: ssl.SSLContext | None) -> bytes:
    with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS, context=context) as answer:
        return bytes(answer.read())


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode(errors="replace")
