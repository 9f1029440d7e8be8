"""The requests for a file: those of all containers that share it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hostwatch.core.model import Container, FileKind
from hostwatch.core.notifications import Notification
from hostwatch.core.rules import Places, Subscription, Writer
from hostwatch.core.store.network_context import NetworkContext
from hostwatch.core.store.selection import Roles


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Query:
    """A subscription in one network context. Its answer is the same for each subscriber with the same query.

    Equal queries are one object, so that a cached answer is found by identity, without hashing all the lines.
    """

    context: NetworkContext
    subscription: Subscription
    own: Container | None = None
    """The subscriber, if the subscription names it (`self`), so that each subscriber has a query of its own."""


@dataclass(frozen=True, slots=True)
class Request:
    """A subscriber's query for a hosts file."""

    subscriber: Container
    query: Query
    places: Places | None = field(default=None, compare=False)
    """Where the configuration has it; `None`: the subscriber's labels do. Equal queries of two places are one."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """The containers that share a file, with their requests. It follows from their roles and joins alone."""

    sharers: tuple[Container, ...] = ()
    """The owner first, then the others by replica order.

    Empty if the owner joins another container's network: then no process reads this file.
    """
    requests: tuple[Request, ...] = ()
    """In the order of the sharers; of each, the configuration's before its labels'. Empty if none subscribes."""
    writer: Writer = Writer.AUTO
    """How the file is written. The first request that is not for `auto` decides."""
    notifications: tuple[tuple[Container, Notification], ...] = ()
    """The notifications after a change, with their containers."""


def sharing_of(
    sharers: Iterable[tuple[Container, Roles]], kind: FileKind, query: Callable[[Container, Subscription], Query]
) -> Sharing:
    """The sharing of one kind of file by these containers with their roles."""
    found = [*sharers]
    requested = [(container, asked) for container, own in found for asked in own.subscriptions if asked.kind is kind]
    writers = (subscription.writer for _, subscription in requested)
    return Sharing(
        tuple(container for container, _ in found),
        tuple(Request(container, query(container, asked), asked.places) for container, asked in requested),
        next((writer for writer in writers if writer is not Writer.AUTO), Writer.AUTO),
        tuple((container, notification) for container, own in found for notification in own.notifications),
    )
