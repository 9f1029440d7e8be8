"""Where a subscriber stands: on which networks, in which project. Many stand at one point, and share the answers."""

from dataclasses import dataclass

from hostwatch.core.model import Address, Container, Endpoint, EngineId, NetworkId, NetworkMode, State

WAY_OUT = "docker_gwbridge"
"""The bridge that an engine in a swarm connects containers to whose overlay networks alone have no way out. No
container's inspection tells of it."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A network that a subscriber is on."""

    network: NetworkId
    network_name: str
    gateways: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class NetworkContext:
    """Where a subscriber stands: all of it that decides what a name is to it, so that many may share the answers."""

    engine: EngineId
    project: str | None
    is_host_file: bool
    is_known: bool
    """Whether it is known whose network stack it uses."""
    network_mode: NetworkMode | None
    is_stale: bool
    attachments: tuple[Attachment, ...]
    is_orphaned: bool = False
    """Whether its network is gone, with the container whose network it used, or with an earlier run of that."""

    @property
    def is_placed(self) -> bool:
        """Whether it is known on which networks it is, at least in part."""
        return self.network_mode is not None or bool(self.attachments)

    def is_on(self, endpoint: Endpoint) -> bool:
        """Whether it is on the endpoint's network."""
        return any(endpoint.same_network(attachment) for attachment in self.attachments)


def network_context_of(subscriber: Container, sandbox: Container | None, is_orphaned: bool = False) -> NetworkContext:
    """Where a subscriber stands. `sandbox`: whose network stack it uses, its own as a rule; `None`: not known whose."""
    engine, project, is_host_file = subscriber.key.engine, subscriber.project, subscriber.host_file is not None
    if sandbox is None:
        return NetworkContext(engine, project, is_host_file, False, None, True, (), is_orphaned)
    attachments = tuple([Attachment(e.network, e.network_name, e.gateways) for e in sandbox.endpoints])
    is_stale = sandbox.state is State.UNKNOWN
    return NetworkContext(engine, project, is_host_file, True, sandbox.network_mode, is_stale, attachments, is_orphaned)
