"""Tells people which services this host publishes: in the log, and where its standing is asked for."""

from collections.abc import Collection, Iterable, Mapping
from heapq import nsmallest

from loguru import logger

from hostwatch.control.cluster.membership import Standing
from hostwatch.control.remotes import Published
from hostwatch.core.cluster.values import Replica, service_name

_MOST_NAMED = 10
"""Services that are named: a screen's line has no room for more."""
_MOST_LINES = 3
"""Services that begin or end at once and have a line of the log each: a restart, or a small project."""


class Announcer:
    """Knows what was told of this host's services."""

    def __init__(self, node: str, standing: Standing) -> None:
        self._node = node
        self._standing = standing
        self._told: frozenset[str] | None = None
        """The ends of the services' keys; `None`: nothing is told yet."""

    def published(self, services: Mapping[str, tuple[Replica, ...]]) -> bool:
        """Tell that these are published; returns whether they are others than before."""
        if self._told is not None and self._told == services.keys():
            return False
        before, self._told = self._told, frozenset(services)
        names = tuple(map(service_name, nsmallest(_MOST_NAMED, services)))
        self._standing.published = Published(self._node, len(services), names)
        if before is None:
            logger.info("publishes {} as {}", _counted(services), self._node)
        else:
            _log(services.keys() - before, "publishes", services)
            _log(before - services.keys(), "publishes no more", {})
        return True

    def nothing(self) -> None:
        """Note that nothing is published. Why is told elsewhere."""
        self._told, self._standing.published = None, Published(self._node)


def _log(changed: Collection[str], what: str, services: Mapping[str, Iterable[Replica]]) -> None:
    for service in sorted(changed) if len(changed) <= _MOST_LINES else ():
        found = [str(each) for replica in services.get(service, ()) for each in (replica.ipv4, replica.ipv6) if each]
        addresses = ", ".join(found[:_MOST_NAMED])
        logger.info("{} {}{}", what, service_name(service), f": {addresses}" if addresses else "")
    if len(changed) > _MOST_LINES:
        logger.info("{} {}", what, _counted(changed))


def _counted(services: Collection[str]) -> str:
    """How many they are, with the names of the first ones."""
    named = ", ".join(map(service_name, nsmallest(_MOST_NAMED, services)))
    more = f" and {len(services) - _MOST_NAMED} more" if len(services) > _MOST_NAMED else ""
    kind = "service" if len(services) == 1 else "services"
    return f"{len(services)} {kind} ({named}{more})" if services else "no service yet"
