"""Nameservers that stand above the engine's own resolver, and so hide the names that only that one knows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hostwatch.core.model import Container, EngineId, FileKind, NetworkMode
from hostwatch.core.names import told
from hostwatch.core.references import Line
from hostwatch.core.resolv_template import ENGINE_RESOLVER, NAMESERVER, ResolvLine
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.sharing import Request

HIDES = (
    f"is asked before Docker's own DNS ({ENGINE_RESOLVER}), so that names of containers are found only if it knows them"
)
_WITHOUT_RESOLVER = frozenset(("bridge", "none", "host"))
"""Docker's own networks: on these there is no such resolver."""


@dataclass(frozen=True, slots=True)
class Hiding:
    """A nameserver that hides the engine's names."""

    place: str
    """Where it is asked for."""
    containers: tuple[str, ...]

    def __str__(self) -> str:
        more = f" and {len(self.containers) - 1} more" if len(self.containers) > 1 else ""
        return f"{self.place}: in {told(self.containers[0])}{more} this nameserver {HIDES}"


def hidings(lister: Lister, engine: EngineId) -> Iterator[Hiding]:
    """One for each place that asks for such a nameserver, with its containers."""
    found: dict[str, list[str]] = {}
    for key in sorted(lister.resolv_files):
        container = lister.container(key)
        if container is not None and key.engine == engine and _has_resolver(container):
            asked = any(request.query.subscription.everything for request in lister.sharing(key).requests)
            place = None if asked else _place(lister.sharing(key, FileKind.RESOLV).requests)
            if place is not None:
                found.setdefault(place, []).append(container.name)
    yield from (Hiding(place, tuple(names)) for place, names in found.items())


def hiding_line(lines: Sequence[Line]) -> int | None:
    """The index of the first nameserver among the lines of a template, if it is not the engine's own."""
    for index, line in enumerate(lines):
        if isinstance(line, ResolvLine) and line.keyword == NAMESERVER:
            return index if line.text != f"{NAMESERVER} {ENGINE_RESOLVER}" else None
    return None


def _has_resolver(container: Container) -> bool:
    return container.network_mode is not NetworkMode.HOST and any(
        endpoint.network_name not in _WITHOUT_RESOLVER for endpoint in container.endpoints
    )


def _place(requests: Sequence[Request]) -> str | None:
    for request in requests:
        if (index := hiding_line(request.query.subscription.lines)) is not None:
            own = f"label hostwatch.resolv of {told(request.subscriber.name)}"
            return own if request.places is None else request.places.lines[index]
    return None
