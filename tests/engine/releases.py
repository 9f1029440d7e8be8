"""The engines, and the differences between their recipes."""

from dataclasses import dataclass, replace

from tests.engine.machine import EngineError


@dataclass(frozen=True)
class Release:
    suite: str  # the Debian release that ships this engine
    packages: tuple[str, ...]
    bip: str  # the default bridge; each version has its own ranges, so that engines joined by a veth pair can route
    pool: str  # of the networks that users make, /24 each
    podman: bool = False


_PACKAGES = ("docker.io", "iptables", "ca-certificates", "iproute2", "busybox-static", "base-files")

_PODMAN_PACKAGES = (
    *("podman", "runc", "conmon", "netavark", "aardvark-dns", "golang-github-containers-common"),
    *("iptables", "ca-certificates", "iproute2", "busybox-static", "base-files"),
)
_PODMAN_NETWORKS = ("10.204.0.1/16", "10.214.0.0/16")
"""As in `containers.conf`."""
_PODMAN = {
    "podman-4.3": Release("bookworm", (*_PODMAN_PACKAGES, "tini"), *_PODMAN_NETWORKS, podman=True),
    "podman-5.4": Release("trixie", (*_PODMAN_PACKAGES, "nftables", "tini"), *_PODMAN_NETWORKS, podman=True),
    "podman-5.8": Release("forky", (*_PODMAN_PACKAGES, "nftables", "tini-static"), *_PODMAN_NETWORKS, podman=True),
}

_DOCKER = {
    "20.10": Release("bookworm", _PACKAGES, bip="10.201.0.1/16", pool="10.211.0.0/16"),
    "26.1": Release("trixie", (*_PACKAGES, "docker-cli"), bip="10.202.0.1/16", pool="10.212.0.0/16"),
    "28.5": Release("forky", (*_PACKAGES, "docker-cli"), bip="10.203.0.1/16", pool="10.213.0.0/16"),
}

VERSIONS = tuple(_DOCKER)
"""Docker's. Podman speaks the same API, but is another engine: what is true of each of these need not be of it."""

ROOTLESS = "28.5-rootless"
"""The newest one with what it needs to run as a user; `nsenter` as busybox has it would run busybox's own `ip`."""
_ROOTLESS_PACKAGES = ("rootlesskit", "slirp4netns", "uidmap", "util-linux")

PODMANS = tuple(_PODMAN)
"""Podman's, oldest first."""

RELEASES = {
    **_DOCKER,
    **_PODMAN,
    ROOTLESS: replace(_DOCKER["28.5"], packages=(*_DOCKER["28.5"].packages, *_ROOTLESS_PACKAGES)),
}


def release(version: str) -> Release:
    try:
        return RELEASES[version]
    except KeyError:
        raise EngineError(f"there is no engine {version!r}; there are {', '.join(RELEASES)}") from None
