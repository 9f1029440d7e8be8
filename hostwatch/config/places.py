"""The places in the file at which an entry of `subscribers` requests its lines and services, as in `hostwatch.yaml:14`.

They go with each request, so that whoever asks for the reason of a record is told where it was asked for.
"""

from collections.abc import Iterable
from itertools import accumulate

from hostwatch.config.document import Scalar
from hostwatch.config.origin import Origin
from hostwatch.config.subscribers import SubscriberSettings
from hostwatch.core.model import FileKind
from hostwatch.core.rules import Places, Subscription


def places_of(origin: Origin, key: str, settings: SubscriberSettings, subscription: Subscription) -> Places:
    """The places of one entry, with its key."""
    template = settings.hosts if subscription.kind is FileKind.HOSTS else settings.resolv
    services = _of_list(origin, key, "services", max(len(subscription.services), int(subscription.everything)))
    patterns = _of_list(origin, key, "publish_as", len(subscription.publish_as))
    return Places(_of_lines(origin, key, template, subscription), services, patterns)


def network_place(origin: Origin, key: str) -> str | None:
    """The place of the `network` of a service; `None` if it has none."""
    found = origin.document.found(("services", key, "network"))
    return None if found.absent else next(iter(_told(origin, [found.node.index])))


def _of_lines(origin: Origin, key: str, template: str, subscription: Subscription) -> tuple[str, ...]:
    document = origin.document
    scalar = document.found(("subscribers", key, subscription.kind.value)).node
    if not isinstance(scalar, Scalar):
        return ()
    starts = [0, *accumulate(len(row) + 1 for row in template.split("\n"))]
    return _told(origin, document.inside(scalar, [starts[line.row] for line in subscription.lines]))


def _of_list(origin: Origin, key: str, field: str, length: int) -> tuple[str, ...]:
    found = [origin.document.found(("subscribers", key, field, step)).node.index for step in range(length)]
    return _told(origin, found)


def _told(origin: Origin, offsets: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"{origin.path.name}:{origin.document.place(offset)[0]}" for offset in offsets)
