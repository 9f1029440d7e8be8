"""Cautions of several hosts: what is valid in `cluster`, `from` and `prefer` and can hardly be meant."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from hostwatch.config.document import Loc, Problem, shown
from hostwatch.config.settings import Settings

_UNTOLD = "`advertise` is not set, so that no other host is told of these; write `advertise: auto` or an address"
_OPEN = "a password or token goes to it unencrypted, and so does all that decides names; use https://"
_OF_HOST = ("cluster", "publish", "host_address")


def untold(settings: Settings) -> Iterator[Problem]:
    """The services that are to be published with this host's own address, if that is missing."""
    is_asked = settings.cluster is not None and bool(settings.cluster.publish.host_address)
    place = settings.origin.document.found(_OF_HOST).key if is_asked else None
    if settings.advertise is None and place is not None:
        yield Problem(place.index, "", _UNTOLD)


def unencrypted(settings: Settings) -> Iterator[Problem]:
    """The servers to which a password or a token goes in the clear, over a network."""
    for loc, url in _asked_with_secret(settings):
        parts = urlsplit(url)
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            yield Problem(settings.origin.document.found(loc).node.index, shown(url), _OPEN)


def _asked_with_secret(settings: Settings) -> Iterator[tuple[Loc, str]]:
    """The URLs of servers that want to know who asks, each with its place."""
    if settings.cluster is not None and settings.cluster.user is not None:
        yield from ((("cluster", "etcd", index), url) for index, url in enumerate(settings.cluster.etcd))
    for key, entry in settings.services.items():
        source, loc = entry.source, ("services", key, "from")
        if source is None or (source.user is None and source.token_file is None):
            continue
        yield from (((*loc, "etcd", index), url) for index, url in enumerate(source.etcd or ()))
        if source.consul is not None:
            yield (*loc, "consul"), source.consul


def alone(settings: Settings) -> Iterator[Problem]:
    """Services of which the replicas of all hosts are wanted, where no other host is known."""
    for key, entry in settings.services.items() if settings.cluster is None else ():
        if entry.prefer == "any":
            place = settings.origin.document.found(("services", key, "prefer")).node
            yield Problem(place.index, shown("any"), "without `cluster` no other host's containers are known")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
