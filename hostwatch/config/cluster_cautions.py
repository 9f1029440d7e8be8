"""Cautions of several hosts: what is valid in `cluster` and can hardly be meant."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from hostwatch.config.cluster import ClusterSettings
from hostwatch.config.document import Document, Loc, Problem, shown
from hostwatch.config.settings import Settings
from hostwatch.core.likeness import is_slip, neighbours
from hostwatch.core.names import folded

_UNTOLD = "`advertise` is not set, so that no other host is told of these; write `advertise: auto` or an address"
_OPEN = "`user` and the password go to it unencrypted, and so does all that decides names; use https://"
_OF_HOST = ("cluster", "publish", "host_address")


def untold(settings: Settings) -> Iterator[Problem]:
    """The services that are to be published with this host's own address, if that is missing."""
    is_asked = settings.cluster is not None and bool(settings.cluster.publish.host_address)
    place = settings.origin.document.found(_OF_HOST).key if is_asked else None
    if settings.advertise is None and place is not None:
        yield Problem(place.index, "", _UNTOLD)


def unencrypted(settings: Settings) -> Iterator[Problem]:
    """The servers to which a password goes in the clear, over a network."""
    cluster = settings.cluster
    if cluster is None or cluster.user is None:
        return
    for index, url in enumerate(cluster.etcd):
        parts = urlsplit(url)
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            yield Problem(settings.origin.document.found(("cluster", "etcd", index)).node.index, shown(url), _OPEN)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def published_slips(settings: Settings) -> Iterator[Problem]:
    """Published names that differ by a letter from a service of the configuration; a container may have them."""
    known = {folded(key): key for key in settings.services}
    for name, index in _published(settings.cluster, settings.origin.document):
        near = next((other for other in neighbours(folded(name)) if other in known), None)
        if folded(name) not in known and near is not None and is_slip(folded(name), near):
            yield Problem(index, shown(name), f"no service is called that here; did you mean {known[near]!r}?")


def _published(cluster: ClusterSettings | None, document: Document) -> Iterator[tuple[str, int]]:
    if cluster is None or cluster.publish.services == "*":
        return
    for index, name in enumerate(cluster.publish.services):
        loc: Loc = ("cluster", "publish", "services", index)
        yield name, document.found(loc).node.index
