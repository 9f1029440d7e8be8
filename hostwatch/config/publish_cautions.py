"""Cautions of `cluster.publish`: names that nothing has, and ports that other hosts do not reach."""

from collections.abc import Iterator
from itertools import islice

from hostwatch.config.document import Document, Problem, shown
from hostwatch.config.settings import Settings
from hostwatch.core.cluster.unmatched import is_publishable, near_publishable, unknown_networks, unreachable_ports
from hostwatch.core.likeness import is_slip, neighbours
from hostwatch.core.model import EngineId
from hostwatch.core.names import folded, told
from hostwatch.core.store.lister import Lister

_MOST_TOLD = 20
"""Entries of a list that are told at most."""
_MOST_SOUGHT = 3
"""Names for which a similar one is looked for at most, each for some milliseconds."""
_SECTION = ("cluster", "publish")


def published_slips(settings: Settings) -> Iterator[Problem]:
    """Published names that differ by a letter from a service of the configuration; a container may have them."""
    known = {folded(key): key for key in settings.services}
    for name, index in _written(settings, "services"):
        near = next((other for other in neighbours(folded(name)) if other in known), None)
        if folded(name) not in known and near is not None and is_slip(folded(name), near):
            yield Problem(index, shown(name), f"no service is called that here; did you mean {known[near]!r}?")


def unpublished(settings: Settings, lister: Lister, engine: EngineId) -> Iterator[Problem]:
    """What is to be published and is not on the engine."""
    if lister.any_aliases_unread(engine):
        return
    services = [each for each in _written(settings, "services") if not is_publishable(lister, engine, each[0])]
    for count, (name, index) in enumerate(islice(services, _MOST_TOLD)):
        reason = "no service and no container is called that here, so that nothing is published by this name"
        near = near_publishable(lister, engine, name) if count < _MOST_SOUGHT else None
        yield Problem(index, shown(name), reason + _meant(near))
    places = dict(_written(settings, "networks"))
    for name, near in islice(unknown_networks(lister, tuple(places)), _MOST_TOLD):
        reason = "the engine has no network of that name, so that nothing is published with an address on it"
        yield Problem(places[name], shown(name), reason + _meant(near))
    for name, index in islice(_written(settings, "host_address"), _MOST_TOLD):
        for reason in islice(unreachable_ports(lister, engine, name), 1):  # its replicas are alike
            yield Problem(index, shown(name), told(reason))


def _meant(near: str | None) -> str:
    return f"; did you mean {near!r}?" if near is not None else ""


def _written(settings: Settings, key: str) -> Iterator[tuple[str, int]]:
    """The entries of a list, each with its place."""
    values = getattr(settings.cluster.publish, key) if settings.cluster is not None else ()
    document: Document = settings.origin.document
    if values != "*":
        yield from ((name, document.found((*_SECTION, key, index)).node.index) for index, name in enumerate(values))
