"""Look-ups of endpoints on other hosts, and of the sources that tell them."""

from collections.abc import Callable

from hostwatch.core.model import Container, EngineId
from hostwatch.core.names import folded
from hostwatch.core.store.index import Entry
from hostwatch.core.store.results import Results

_SOURCES = "sources"
"""The name of a fact: which sources have not answered yet."""


class Remotes:
    """The endpoints on other hosts, among the containers of a store."""

    def __init__(self, found: Callable[[Entry], list[Container]], results: Results) -> None:
        """`found` looks an entry of the index up, in replica order."""
        self._found = found
        self._results = results
        self._awaited: set[str] = set()
        self._known: set[str] = set()

    def named(self, engine: EngineId, name: str) -> list[Container]:
        """Those with that name."""
        return _once(self._found(("remote", engine, folded(name))))

    def in_compose(self, engine: EngineId, project: str, service: str) -> list[Container]:
        """Those of a compose service."""
        return _once(self._found(("remote compose", engine, project, folded(service))))

    def in_group(self, engine: EngineId, group: str) -> list[Container]:
        """Those of a group."""
        return _once(self._found(("group", engine, group)))

    def awaits(self, *sources: str) -> bool:
        """Whether the first answer of one of these sources is still to come."""
        self._results.read(_SOURCES)
        return not self._awaited.isdisjoint(sources)

    @property
    def are_awaited(self) -> bool:
        """Whether the first answer of any source is still to come."""
        self._results.read(_SOURCES)
        return bool(self._awaited)

    def await_source(self, source: str, is_awaited: bool) -> bool:
        """Take in whether a source's first answer is still to come; returns whether that is new.

        Until then what only it may know is unknown: all subscribers may be affected.
        """
        if source in self._known and is_awaited == (source in self._awaited):
            return False
        self._known.add(source)
        self._awaited ^= {source} if is_awaited != (source in self._awaited) else set()
        self._results.changed(_SOURCES)
        return True

    def has(self, *sources: str) -> bool:
        """Whether one of these sources is asked, for people: no address depends on it."""
        self._results.read(_SOURCES)
        return not self._known.isdisjoint(sources)

    @property
    def sources(self) -> frozenset[str]:
        """The sources that are asked, or would be."""
        return frozenset(self._known)

    def forget(self, source: str) -> None:
        """Take in that a source is not asked any more."""
        self._known.discard(source)
        self._results.changed(_SOURCES)


def _once(found: list[Container]) -> list[Container]:
    """Each container once: its host is told under two names while its name changes."""
    first: dict[object, Container] = {}
    for container in found if len(found) > 1 else ():
        first.setdefault((container.remote and container.remote.twin) or container.key, container)
    return [*first.values()] or found
