"""The engine of a page's machine: a private one, which sees the reader's files under the reader's paths."""

import subprocess
from dataclasses import dataclass

from tests.engine import Engine
from tests.engine.engine import begin
from tests.engine.machine import home

SHARED = {"home": "/root", "etc": "/etc/hostwatch", "run-hostwatch": "/run/hostwatch"}
"""Directories of the engine's own and where machine and engine see them, as containers mount what is in there."""
_ADDRESSES = (
    "--bip=172.17.0.1/16",
    *(f"--default-address-pool=base={base},size=16" for base in ("172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/14")),
)
"""Docker's own, which a reader has, too."""
_PLACES = ("--data-root=/var/lib/docker", "--host=unix:///run/docker.sock")
_MOUNT = """\
set -e
ln -sf ../run /var/run
for each in "$@"; do
    mkdir -p "${each%%=*}" "${each#*=}"
    mount --bind "${each%%=*}" "${each#*=}"
done
"""


@dataclass(frozen=True)
class PageEngine(Engine):
    """An engine with its data, its socket and its reader's files where a reader has them."""

    def hold(self) -> None:
        """Make the namespaces, and mount in there what the machine has, too."""
        if self.held():
            return
        super().hold()
        places = {"data": "/var/lib/docker", **SHARED}
        pairs = [f"{self.directory / name}={place}" for name, place in places.items()]
        subprocess.run(self.enter("sh", "-c", _MOUNT, "sh", *pairs), check=True)


def start(version: str, name: str) -> PageEngine:
    """Start a new engine for pages."""
    return begin(PageEngine(version, name, home() / "run" / name, (*_ADDRESSES, *_PLACES)))
