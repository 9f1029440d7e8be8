"""The names that the patterns of `publish_as` make of one container."""

from collections.abc import Mapping
from typing import NamedTuple

from hostwatch.core.model import Claim, Container, ContainerKey, NetworkMode
from hostwatch.core.names import folded, name_fault
from hostwatch.core.patterns import Part, Pattern
from hostwatch.core.references import SELF
from hostwatch.core.resolve.lookup import Resolver
from hostwatch.core.resolve.members import network_of
from hostwatch.core.resolve.reach import way_to
from hostwatch.core.resolve.services import Service, Tier


class Source(NamedTuple):
    """What a name is made by."""

    rank: int
    """The place of the pattern."""
    name: str
    """The folded name that `{name}` stands for; empty in a pattern without that."""


class Made(NamedTuple):
    """A name that a pattern makes of one container."""

    source: Source
    written: str
    values: Mapping[str, str]
    """The values of all parts that the container has."""


class Maker:
    """Makes the names of containers in one network context."""

    def __init__(self, resolver: Resolver, patterns: tuple[Pattern, ...]) -> None:
        self._resolver = resolver
        self._patterns = patterns

    def made_of(self, key: ContainerKey) -> dict[str, list[Made]]:
        """The names that the patterns make of a container, folded."""
        found: dict[str, list[Made]] = {}
        container = self._resolver.seen(key)
        if container is None:
            return found
        names, values = self._resolver.names_of(key), self._values(container)
        by_name = [(name, values | {Part.NAME: written}) for name, written in names.items()]
        for rank, pattern in enumerate(self._patterns):
            for name, own in by_name if Part.NAME in pattern.parts else [("", values)]:
                written = pattern.made_of(own)
                if written is not None and folded(written) != SELF and name_fault(written) is None:
                    found.setdefault(folded(written), []).append(Made(Source(rank, name), written, own))
        return found

    def _values(self, container: Container) -> dict[str, str]:
        """The values of the parts that a container has, without `{name}`. It has none before its first start."""
        if container.claim is Claim.NONE:
            return {}
        has_own_name = container.network_mode not in (NetworkMode.HOST, NetworkMode.CONTAINER)
        found = {
            Part.SERVICE: container.compose_service,
            Part.PROJECT: container.project,
            Part.HOSTNAME: container.hostname if has_own_name else None,
            Part.NETWORK: self._network(container),
        }
        return {part: value for part, value in found.items() if value}

    def _network(self, container: Container) -> str | None:
        if not any(Part.NETWORK in pattern.parts for pattern in self._patterns):
            return None
        resolver, service = self._resolver, Service(container.name, Tier.CONTAINER, (container,))
        only = network_of(resolver.lister, service, container)
        return way_to(resolver.lister, resolver.context, container, only, resolver.any_scope)
