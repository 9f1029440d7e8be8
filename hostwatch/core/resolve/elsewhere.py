"""Which overlay networks have subscribers, whether these run, and whether they ask for what only others may have."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from hostwatch.core.gossip import INGRESS
from hostwatch.core.model import Claim, Container, ContainerKey, Network, State
from hostwatch.core.references import SELF
from hostwatch.core.resolve.lookup import Resolver, resolver_of
from hostwatch.core.resolve.remote_reach import OVERLAY
from hostwatch.core.resolve.services import Answer, Tier
from hostwatch.core.rules import Subscription
from hostwatch.core.store.lister import FileKeys, Lister


def overlays(lister: Lister) -> list[Network]:
    """The overlay networks with a subscriber."""
    return [network for network in lister.kept(_overlays, None) if _files_on(lister, network)]


def _overlays(lister: Lister, _key: None) -> tuple[Network, ...]:
    # Nobody is looked up by name on the network for published ports, which services are on as well.
    return tuple(network for network in lister.networks if network.driver == OVERLAY and network.name != INGRESS)


def _files_on(lister: Lister, network: Network) -> AbstractSet[ContainerKey]:
    """The owners of files with a subscriber that are on the network."""
    members = lister.by_index("network", network.key.engine, network.name)
    return members & lister.joins.files_of(lister.by_index("subscriber")) if members else members


def subscribers_on(lister: Lister, network: Network) -> list[ContainerKey]:
    """The containers that may be subscribers on the network."""
    return [key for owner in _files_on(lister, network) for key in (owner, *lister.joins.joiners(owner))]


def is_near(lister: Lister, network: Network, files: FileKeys) -> bool:
    """Whether one of these files is that of a container on the network."""
    return not lister.by_index("network", network.key.engine, network.name).isdisjoint(files)


def may_run_on(lister: Lister, network: Network) -> bool:
    """Whether a container of this host runs on the network, or is being started."""
    found = map(lister.container, lister.by_index("network", network.key.engine, network.name))
    return any(container is not None and container.state is not State.STOPPED for container in found)


def asks_elsewhere(lister: Lister, key: ContainerKey) -> bool:
    """Whether a container asks for a name that no container of this host answers."""
    subscriber = lister.container(key)
    return subscriber is not None and any(_asks(lister, subscriber, each) for each in lister.roles(key).subscriptions)


def _asks(lister: Lister, subscriber: Container, subscription: Subscription) -> bool:
    if subscription.everything:
        return True
    resolver = resolver_of(lister, lister.context(subscriber), subscription.any_scope)
    return any(_is_elsewhere(resolver, name) for name in _names(subscription))


def _names(subscription: Subscription) -> Iterator[str]:
    found = (*(line.service for line in subscription.lines), *subscription.services)
    return (name for name in dict.fromkeys(found) if name is not None and name != SELF)


def _is_elsewhere(resolver: Resolver, name: str) -> bool:
    return not _is_here(resolver.service(name))


def _is_here(answer: Answer) -> bool:
    """Whether it is this host that answers, so that what other hosts have does not count."""
    if answer is None or answer.yields:
        return False
    if answer.tier is Tier.CONFIG:  # what the gossip has is never behind a service of the configuration
        return True
    return all(container.remote is None for container in answer.containers) and any(
        container.claim is Claim.FULL for container in answer.containers
    )
