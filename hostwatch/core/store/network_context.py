"""A subscriber's network context: its networks and project. Many subscribers share one, and so share answers."""

from dataclasses import dataclass

from hostwatch.core.model import Address, Container, ContainerKey, Endpoint, EngineId, NetworkId, NetworkMode, State

WAY_OUT = "docker_gwbridge"
"""The bridge over which containers that are only on overlay networks of a swarm leave the host. The engine attaches
them to it, and no container's inspection shows it."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A network that a subscriber is attached to."""

    network: NetworkId
    network_name: str
    gateways: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Seclusion:
    """The subscriber's networks whose containers do not reach each other. It reaches itself there."""

    networks: frozenset[str]
    own: ContainerKey
    """The container that has the subscriber's network stack."""


@dataclass(frozen=True, slots=True)
class NetworkContext:
    """All facts about a subscriber that decide what a name means to it. Equal contexts share their answers."""

    engine: EngineId
    project: str | None
    is_host_file: bool
    is_known: bool
    """Whether the container that has the subscriber's network stack is known."""
    network_mode: NetworkMode | None
    is_stale: bool
    attachments: tuple[Attachment, ...]
    has_lost_network: bool = False
    """Whether the network stack that the subscriber joined does not exist any more."""
    seclusion: Seclusion | None = None
    """`None` on networks as they usually are: only then do many subscribers share a context."""

    @property
    def is_placed(self) -> bool:
        """Whether its networks are known, at least in part."""
        return self.network_mode is not None or bool(self.attachments)

    def is_on(self, endpoint: Endpoint) -> bool:
        """Whether it is on the endpoint's network."""
        return any(endpoint.same_network(attachment) for attachment in self.attachments)

    def is_secluded_from(self, service: ContainerKey, endpoint: Endpoint) -> bool:
        """Whether the network of the endpoint, which has this container, keeps the subscriber from it."""
        apart = self.seclusion
        return apart is not None and endpoint.network_name in apart.networks and service != apart.own


def network_context_of(
    subscriber: Container,
    sandbox: Container | None,
    has_lost: bool = False,
    secluded: frozenset[str] = frozenset(),
) -> NetworkContext:
    """The network context of a subscriber.

    `sandbox` is the container that has the subscriber's network stack; `None` if it is not known. `has_lost` says that
    this network stack does not exist any more. `secluded` are its networks whose containers do not reach each other.
    """
    engine, project, is_host_file = subscriber.key.engine, subscriber.project, subscriber.host_file is not None
    if sandbox is None:
        return NetworkContext(engine, project, is_host_file, False, None, True, (), has_lost)
    attachments = tuple([Attachment(e.network, e.network_name, e.gateways) for e in sandbox.endpoints])
    is_stale = sandbox.state is State.UNKNOWN
    seclusion = Seclusion(secluded, sandbox.key) if secluded else None
    mode = sandbox.network_mode
    return NetworkContext(engine, project, is_host_file, True, mode, is_stale, attachments, has_lost, seclusion)
