"""The engines beside readers' machines: private ones, with all files where a reader has them."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.certificates import make_certificates
from tests.engine import Engine
from tests.engine.engine import begin
from tests.engine.machine import home
from tests.engine.releases import ROOTLESS, release
from tests.engine.rootless import RootlessEngine

_SHARED = {"root-home": "/root", "etc": "/etc/hostwatch", "run-hostwatch": "/run/hostwatch"}
"""Directories of the engine's own and where machine and engine see them, as containers mount what is in there."""
_DOCKER = {"data": "/var/lib/docker"}
_PODMAN = {"data": "/var/lib/containers/storage", "r": "/run/containers/storage"}
_DOCKER_OPTIONS = (
    "--data-root=/var/lib/docker",
    "--host=unix:///run/docker.sock",
    # Docker's own addresses, which a reader has, too.
    "--bip=172.17.0.1/16",
    *(f"--default-address-pool=base={base},size=16" for base in ("172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/14")),
)
_CERTIFICATES = "certificates"
REMOTE = "db-host.internal"
"""The name by which an engine is reached by TLS."""
_PODMAN_OPTIONS = ("--root=/var/lib/containers/storage", "--runroot=/run/containers/storage")
_MOUNT = """\
set -e
echo "$1" >/proc/sys/kernel/hostname
shift
ln -sf ../run /var/run
for each in "$@"; do
    mkdir -p "${each%%=*}" "${each#*=}"
    mount --bind "${each%%=*}" "${each#*=}"
done
"""


@dataclass(frozen=True)
class PageEngine(Engine):
    """An engine with its data, its socket and its reader's files where a reader has them."""

    host: str = ""
    """The name of the machine."""

    @property
    def is_podman(self) -> bool:
        """Whether it is Podman's."""
        return release(self.version).podman

    @property
    def has_dockers_places(self) -> bool:
        """Whether its socket and data are where those of Docker are, run by root."""
        return self.mounts.get("data") == _DOCKER["data"]

    @property
    def shared(self) -> Mapping[str, str]:
        """Directories of the reader, by their names below the engine's own."""
        return _SHARED

    @property
    def mounts(self) -> Mapping[str, str]:
        """All directories that the machine sees, too."""
        return {**(_PODMAN if self.is_podman else _DOCKER), **self.shared}

    def hold(self) -> None:
        """Make the namespaces, and mount in there what the machine has, too."""
        if self.held():
            return
        super().hold()
        if not self.is_podman:
            (self.directory / _CERTIFICATES).mkdir()
            make_certificates(self.directory / _CERTIFICATES, REMOTE)
        pairs = [f"{self.directory / name}={place}" for name, place in self.mounts.items()]
        subprocess.run(self.enter("sh", "-c", _MOUNT, "sh", self.host, *pairs), check=True)


@dataclass(frozen=True)
class RootlessPageEngine(PageEngine, RootlessEngine):
    """The engine of the user `mia`, who has their own files where a user has them."""

    user: int = 1000

    @property
    def home(self) -> str:
        """The user's home."""
        return "/home/mia"

    @property
    def runtime_path(self) -> str:
        """The user's $XDG_RUNTIME_DIR."""
        return f"/run/user/{self.user}"

    @property
    def mounts(self) -> Mapping[str, str]:
        """All directories that the machine sees, too."""
        return {"home": self.home, "run": self.runtime_path, **self.shared}


def start_rootless(name: str, host: str) -> RootlessPageEngine:
    """Start a new engine of a user for a page, on a machine of that name."""
    return begin(RootlessPageEngine(ROOTLESS, name, home() / "run" / name, host=host))


def start(version: str, name: str, host: str) -> PageEngine:
    """Start a new engine for pages, on a machine of that name."""
    directory = home() / "run" / name
    options = _PODMAN_OPTIONS if release(version).podman else (*_DOCKER_OPTIONS, *_tls(directory / _CERTIFICATES))
    return begin(PageEngine(version, name, directory, options, host))


def _tls(certificates: Path) -> Sequence[str]:
    """Options for an engine that is reached by TLS, too, on its own machine."""
    files = {"--tlscacert": "ca.pem", "--tlscert": "cert.pem", "--tlskey": "key.pem"}
    named = (f"{option}={certificates}/engine/{file}" for option, file in files.items())
    return ("--host=tcp://127.0.0.1:2376", "--tlsverify", *named)
