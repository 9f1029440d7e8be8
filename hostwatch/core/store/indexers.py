"""The index entries of a container: its places, its names, and the names that it looks up."""

from collections.abc import Iterator

from hostwatch.core.model import Claim, Container, ContainerKey, FileKind, NetworkMode, State
from hostwatch.core.names import folded
from hostwatch.core.remote import RemoteEndpoint
from hostwatch.core.resolv_template import ResolvLine
from hostwatch.core.rules import Subscription
from hostwatch.core.store.index import Entry
from hostwatch.core.store.selection import Roles

HOST_RESOLVER = "host resolver"
"""The name of a fact, the nameservers of the host, and of the index of those who ask for it."""


def index_entries(container: Container, own: Roles) -> Iterator[Entry]:
    """All entries of a container with these roles. A container that is not enabled has a place, but no name."""
    if container.remote is not None:
        yield from _remote_entries(container, container.remote)
        return
    if container.claim is Claim.DEPARTED:
        if own.enabled:
            yield from _name_entries(own, container)
        return
    yield from place_entries(container)
    if own.enabled:
        if container.host_file is None:
            for rule in own.services:
                yield ("rule", rule.key)
            if container.claim is not Claim.NONE:
                yield from _name_entries(own, container)
        yield from _subscriber_entries(own, container)


def called(container: Container) -> frozenset[str]:
    """The container's aliases on all its networks and its compose service, as written."""
    aliases = (alias for endpoint in container.endpoints for alias in endpoint.aliases or ())
    return frozenset(filter(None, (*aliases, container.compose_service)))


def qualified(container: Container) -> str | None:
    """The compose service followed by its project, which is unique on an engine; `None` outside compose."""
    if container.project is None or container.compose_service is None:
        return None
    return f"{container.compose_service}.{container.project}"


def place_entries(container: Container) -> Iterator[Entry]:
    """The entries that follow from its state, networks and addresses."""
    engine = container.key.engine
    if container.host_file is None:
        yield ("container", engine)
    if container.state is State.UNKNOWN:
        yield ("stale",)
    if container.network_mode is NetworkMode.CONTAINER:
        yield ("joins",)
    if container.joined is not None:
        yield ("joined", ContainerKey(engine, container.joined))
    if container.network_mode is NetworkMode.HOST and container.host_file is None:
        yield ("host", engine)
    for endpoint in container.endpoints:
        # By name: before a container's first start, engine 20.10 does not tell the id.
        yield ("network", engine, endpoint.network_name)
        for address in endpoint.addresses:
            yield ("address", engine, address)


def _remote_entries(container: Container, remote: RemoteEndpoint) -> Iterator[Entry]:
    """The entries of an endpoint on another host. None of them is that of a container of this engine."""
    engine = container.key.engine
    yield ("remote on", engine, remote.network_name)
    for address in container.endpoints[0].addresses:
        yield ("address", engine, address)
    for name in set(map(folded, remote.names)):
        yield ("remote", engine, name)
    if remote.group:
        yield ("group", engine, remote.group)
    if container.project is not None and container.compose_service is not None:
        yield ("remote compose", engine, container.project, folded(container.compose_service))


def _name_entries(own: Roles, container: Container) -> Iterator[Entry]:
    engine = container.key.engine
    yield ("name", engine, folded(container.name))
    if container.project is not None and container.compose_service is not None:
        yield ("compose", engine, container.project, folded(container.compose_service))
    if (whole := qualified(container)) is not None:
        yield ("qualified", engine, folded(whole))
    for name in own.names:
        yield ("label", engine, folded(name))
    for name in called(container):
        yield ("called", engine, folded(name))
    for endpoint in container.endpoints:
        if endpoint.aliases is None and container.state is State.RUNNING:
            yield ("unread", engine, endpoint.network_name)
            yield ("unread", engine)
        for alias in endpoint.aliases or ():
            yield ("alias", engine, endpoint.network_name, folded(alias))


def _subscriber_entries(own: Roles, container: Container) -> Iterator[Entry]:
    engine = container.key.engine
    if not own.subscriptions:
        return
    yield ("subscriber",)
    if container.project is not None:
        yield ("project", engine, container.project)
    elsewhere = container.joined is not None or container.network_mode is NetworkMode.HOST
    if elsewhere or any(subscription.any_scope for subscription in own.subscriptions):
        yield ("roaming", engine)
    if any(subscription.reads_host for subscription in own.subscriptions):
        yield ("host addresses",)
    for subscription in own.subscriptions:
        if subscription.kind is FileKind.RESOLV:
            yield from _resolv_entries(subscription)
        if subscription.everything:
            yield ("reads all", engine)
        if subscription.services:
            yield ("reads services", engine)
        for name in {*(line.service for line in subscription.lines), *map(folded, subscription.services)}:
            yield ("reads", engine, name)


def _resolv_entries(subscription: Subscription) -> Iterator[Entry]:
    yield ("resolv",)
    if any(isinstance(line, ResolvLine) and line.is_of_host for line in subscription.lines):
        yield (HOST_RESOLVER,)
