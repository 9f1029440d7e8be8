"""Entries and names that match nothing on an engine. Most of them are typing errors."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from hostwatch.core.likeness import neighbours
from hostwatch.core.model import Container, ContainerKey, EngineId
from hostwatch.core.names import folded
from hostwatch.core.references import SELF
from hostwatch.core.remote import CLUSTER, overlay_source
from hostwatch.core.rules import Subscription
from hostwatch.core.store.lister import Lister

_MOST_SOUGHT = 20
"""Similar names are looked for at most this often. Each search takes some 2 ms."""
_MOST_ASKED = 10_000
"""At most this many names in labels are checked, some microseconds each: a container may request any number."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A name that a container's labels request, that nothing has, and that is similar to an existing one."""

    container: Container
    name: str
    near: str

    def __str__(self) -> str:
        return f"{self.container.name}: nothing has the name {self.name!r}; did you mean {self.near!r}?"


def idle_services(lister: Lister) -> list[str]:
    """The keys of the configuration's services without a container. With a cluster, other hosts may have them."""
    return [r.key for r in lister.rules.services if not lister.behind_rule(r) and not lister.remotes.has(r.source)]


def idle_subscribers(lister: Lister) -> list[str]:
    """The keys of the configuration's subscribers that match no container."""
    in_use = {id(found) for key in lister.by_index("subscriber") for found in lister.roles(key).subscriptions}
    rules = (rule for rule in lister.rules.subscribers if not isinstance(rule.target, Path))
    return [rule.key for rule in rules if id(rule.subscription) not in in_use]


def is_answered(lister: Lister, engine: EngineId, name: str) -> bool:
    """Whether anything on the engine has this name, running or not, or another host."""
    return (
        name == SELF
        or bool(lister.rules.service(name))
        or bool(lister.named(engine, name))
        or bool(lister.called(engine, name))
        or bool(lister.labelled(engine, name))
        or bool(lister.qualified(engine, name))
        or bool(lister.remotes.named(engine, name))
    )


def is_in_doubt(lister: Lister, engine: EngineId) -> bool:
    """Whether any name may become known: of containers that are not read yet, or of what other hosts publish."""
    return lister.any_aliases_unread(engine) or lister.remotes.awaits(CLUSTER)


def names_in_doubt(lister: Lister) -> frozenset[str]:
    """The names, folded, that may become known of an overlay network: those for which its subscribers ask.

    A catalog has the names of its own service alone, and these are in the configuration.
    """
    if not lister.remotes.are_awaited:
        return frozenset()
    keys = filter(partial(_may_hear_more, lister), lister.by_index("subscriber"))
    return frozenset(folded(name) for key in keys for name in _names(lister.roles(key).subscriptions))


def _may_hear_more(lister: Lister, key: ContainerKey) -> bool:
    """Whether a subscriber is on a network whose names on other hosts are still to be heard, or may be on one."""
    subscriber = lister.container(key)
    if subscriber is None:
        return False
    context = lister.context(subscriber)
    if context.is_stale or not context.is_placed:
        names = [network.name for network in lister.networks]
    else:
        names = [place.network_name for place in context.attachments]
    return lister.remotes.awaits(*map(overlay_source, names))


def _names(subscriptions: Iterable[Subscription]) -> Iterator[str]:
    """The names for which they ask one by one."""
    for subscription in subscriptions:
        found = (*(line.service for line in subscription.lines), *subscription.services)
        yield from (name for name in found if name is not None)


class Nearest:
    """Looks for existing names that differ by a letter from a name that nothing has."""

    def __init__(self, lister: Lister, engine: EngineId) -> None:
        self._lister = lister
        self._engine = engine
        self._found: dict[str, str | None] = {}

    def of(self, name: str) -> str | None:
        """The similar name, if there is one."""
        if name not in self._found and len(self._found) < _MOST_SOUGHT:
            near = (other for other in neighbours(name) if is_answered(self._lister, self._engine, other))
            self._found[name] = next(near, None)
        return self._found.get(name)


def unanswered(lister: Lister, engine: EngineId) -> Iterator[Unanswered]:
    """Names in labels that are probably typing errors. A missing name without a similar one may still come."""
    if is_in_doubt(lister, engine):
        return
    nearest, known, doubtful = Nearest(lister, engine), dict[str, bool](), names_in_doubt(lister)
    for container, name in islice(_asked_by_labels(lister), _MOST_ASKED):
        if name not in known:
            known[name] = folded(name) in doubtful or is_answered(lister, engine, name)
        if not known[name] and (near := nearest.of(name)) is not None:
            yield Unanswered(container, name, near)


def _asked_by_labels(lister: Lister) -> Iterator[tuple[Container, str]]:
    configured = {id(found) for rule in lister.rules.subscribers for found in rule.subscriptions}
    for key in sorted(lister.by_index("subscriber")):
        container = lister.container(key)
        own = [subscription for subscription in lister.roles(key).subscriptions if id(subscription) not in configured]
        if container is not None:
            yield from ((container, name) for name in dict.fromkeys(_names(own)))
