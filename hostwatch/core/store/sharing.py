"""What a hosts file is asked to hold: the requests of all containers that read it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hostwatch.core.model import Container
from hostwatch.core.notifications import Notification
from hostwatch.core.rules import Subscription, Writer
from hostwatch.core.store.network_context import NetworkContext
from hostwatch.core.store.selection import Roles


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Query:
    """A subscription, asked from one network context. Its answer is the same for each subscriber that asks it.

    Equal queries are one object, so that a cached answer is found by identity, without hashing all the lines.
    """

    context: NetworkContext
    subscription: Subscription
    is_own: bool
    """Whether a line names the subscriber itself (`self`); then each subscriber has an answer of its own."""


@dataclass(frozen=True, slots=True)
class Request:
    """A subscriber's query for a hosts file."""

    subscriber: Container
    query: Query


@dataclass(frozen=True, slots=True)
class Sharing:
    """The containers that share a hosts file, and what they ask of it. It follows from their roles and joins alone."""

    sharers: tuple[Container, ...] = ()
    """The owner first, then the others by replica order.

    Empty if the owner joins another container's network: then no process reads this file.
    """
    requests: tuple[Request, ...] = ()
    """In the order of the sharers; of each, the configuration's before its labels'. Empty: nobody subscribes."""
    writer: Writer = Writer.AUTO
    """How the file is written: the first request decides that asks for one way."""
    notifications: tuple[tuple[Container, Notification], ...] = ()
    """The containers to be notified of a change, and how."""


def sharing_of(
    sharers: Iterable[tuple[Container, Roles]], query: Callable[[Container, Subscription], Query]
) -> Sharing:
    """The sharing of these containers with their roles."""
    found = [*sharers]
    wanted = [(container, subscription) for container, own in found for subscription in own.subscriptions]
    writers = (subscription.writer for _, subscription in wanted)
    return Sharing(
        tuple(container for container, _ in found),
        tuple(Request(container, query(container, subscription)) for container, subscription in wanted),
        next((writer for writer in writers if writer is not Writer.AUTO), Writer.AUTO),
        tuple((container, notification) for container, own in found for notification in own.notifications),
    )
