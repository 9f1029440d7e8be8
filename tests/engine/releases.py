"""Which engines there are, and where the one recipe differs between them."""

from dataclasses import dataclass

from tests.engine.machine import EngineError


@dataclass(frozen=True)
class Release:
    suite: str  # the Debian release that ships this engine
    packages: tuple[str, ...]
    bip: str  # the default bridge; each version has its own ranges, so that engines joined by a veth pair can route
    pool: str  # of the networks that users make, /24 each


_PACKAGES = ("docker.io", "iptables", "ca-certificates", "iproute2", "busybox-static", "base-files")

RELEASES = {
    "20.10": Release("bookworm", _PACKAGES, bip="10.201.0.1/16", pool="10.211.0.0/16"),
    "26.1": Release("trixie", (*_PACKAGES, "docker-cli"), bip="10.202.0.1/16", pool="10.212.0.0/16"),
    "28.5": Release("forky", (*_PACKAGES, "docker-cli"), bip="10.203.0.1/16", pool="10.213.0.0/16"),
}

VERSIONS = tuple(RELEASES)


def release(version: str) -> Release:
    try:
        return RELEASES[version]
    except KeyError:
        raise EngineError(f"there is no engine {version!r}; there are {', '.join(VERSIONS)}") from None
