"""What the configuration says that other hosts are told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Publishing:
    """The services that are published to other hosts, and the addresses that they are published with."""

    services: frozenset[str] = frozenset()
    """Folded names: of services of the configuration, of compose services (`db`, `db.shop`), or of containers."""
    everything: bool = False
    """Whether all services are published."""
    networks: frozenset[str] = frozenset()
    """The networks whose addresses other hosts can route to: the engine's names, or keys in compose files."""
    host_address: frozenset[str] = frozenset()
    """Folded names of the services that are published with this host's own address instead."""
