"""The lines of all services in reach of one network context (`services: "*"`), kept up to date.

Thousands of names may be in reach, and one change concerns few of them. So what is found stays, and a change is taken
in by small steps: the names of a container, then the service of each of these names, then the line of each of these
services. A caller that must not keep others waiting takes some steps at a time. With `publish_as`, a `Publisher` finds
the names and services instead of the resolver.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace

from hostwatch.core.model import ContainerKey
from hostwatch.core.resolve.grouping import Grouping, Pending
from hostwatch.core.resolve.line_list import Line, LineList, Stretch
from hostwatch.core.resolve.lookup import Group, InReach, Resolver, resolver_of
from hostwatch.core.resolve.members import addressed, service_line
from hostwatch.core.resolve.outcome import Gone, Published, Refused
from hostwatch.core.resolve.publishing import Publisher
from hostwatch.core.resolve.services import Service
from hostwatch.core.rules import Subscription, Writer
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.network_context import NetworkContext
from hostwatch.core.store.results import Kept
from hostwatch.core.store.sharing import Query

_STEPS = 1_000
_STEPS_OF_A_PART = 10
"""The price of a part that is made anew, in steps."""
_DROPS = 4
"""How many results are dropped in a step."""
_NAMES_OF_A_STEP = 5
"""So many names of a container or of a line are taken in in the time of a step."""


class _Found:
    """The names and services that were found. A class of its own: the lines that it makes are kept by `Everything`."""

    def __init__(self, resolver: Resolver, subscription: Subscription) -> None:
        self._resolver = resolver
        self._subscription = subscription
        self.publisher = Publisher(resolver, subscription.publish_as) if subscription.publish_as else None
        """What makes the names; `None`: each is as it is."""
        if self.publisher is None:
            self.names = Grouping(resolver.lister.results, resolver.names_of, lambda names: names)
            self.services = Grouping(resolver.lister.results, resolver.in_reach, lambda found: found.groups)
        else:
            self.names = self.publisher.names
            self.services = Grouping(resolver.lister.results, self.publisher.in_reach, lambda found: found.groups)

    def line(self, group: Group) -> Line | None:
        """The line of a group of names; `None` if nothing is to be said about them."""
        names = sorted(self.services.members(group))
        if self.publisher is not None:
            names.sort(key=self.publisher.rank)
        found = self.services.value(names[0])
        if not isinstance(found.answer, Service):
            reason = found.answer.reason if found.answer is not None else ""
            return Line(group, names[0], frozenset(), Refused(service_line(names[0], names), reason))
        written = [self._written(name, found.ids) for name in names]
        line, service = service_line(written[0], written), found.answer
        outcome = addressed(self._resolver, self._subscription, service, dict.fromkeys(written, service.ids), line)
        if isinstance(outcome, Gone):
            return None
        if isinstance(outcome, Published):
            outcome = replace(outcome, of_all=True)
        return Line(group, names[0], frozenset(names), outcome)

    def _written(self, name: str, ids: AbstractSet[str]) -> str:
        """The name as a container of its service writes it."""
        spelled = (self.names.value(key)[name] for key in self.names.members(name) if key.id in ids)
        return min(spelled, default=name)


class Everything:
    """The line of each service in reach."""

    def __init__(self, resolver: Resolver, subscription: Subscription) -> None:
        self._results = results = resolver.lister.results
        self._candidates: Kept[None, frozenset[ContainerKey]] = Kept(results, lambda _: resolver.candidates())
        self._taken_in: frozenset[ContainerKey] = frozenset()
        """The candidates whose names are taken in, or wait for that."""
        found = _Found(resolver, subscription)
        self.publisher = found.publisher
        self._names, self._services = found.names, found.services
        self._made = Pending(results, found.line)  # nothing here refers to itself, so that it goes when it is dropped
        self._lines = LineList()

    def close(self) -> None:
        """Drop what is kept for the lines."""
        for kept in (self._candidates, self._names.value, self._services.value, self._made):
            self._results.forget(kept)
        if self.publisher is not None:
            self.publisher.close()

    def is_complete(self, most_steps: int) -> bool:
        """Take in what has changed, by so many steps of some 20 µs; returns whether all is taken in."""
        if self._results.overdue and not self._results.settle(most_steps * _DROPS):
            return False  # what is dropped is to be taken in
        near = self._candidates(None)
        if near is not self._taken_in:
            self._names.pending.update(dict.fromkeys(near ^ self._taken_in))
            self._taken_in = near
        while most_steps > 0:
            if (steps := self._take_in(near)) > 0:
                most_steps -= steps
            elif self._lines.is_part_made():
                most_steps -= _STEPS_OF_A_PART
            else:
                return True
        return False

    def _take_in(self, near: AbstractSet[ContainerKey]) -> int:
        """Take in one change; returns the steps that it took, 0 if there was none."""
        names, services, lines = self._names.pending, self._services.pending, self._made.pending
        if names:
            container, _ = names.popitem()
            touched = self._names.take_in(container, container in near)
            services.update(dict.fromkeys(touched))
            return 1 + len(touched) // _NAMES_OF_A_STEP
        if services:
            name, _ = services.popitem()
            for group in self._services.take_in(name, bool(self._names.members(name))):
                self._lines.remove(group)  # its first name may be another one now
                lines[group] = None
            return 1
        if lines:
            group, _ = lines.popitem()
            self._take_in_line(group)
            return 1 + len(self._services.members(group)) // _NAMES_OF_A_STEP
        return 0

    def _take_in_line(self, group: Group) -> None:
        line = self._made(group) if self._services.members(group) else None
        if line is not None:
            self._lines.put(line)
        else:
            self._lines.remove(group)

    def found(self, name: str) -> InReach | None:
        """The answer to a folded name that it gives; `None` if it does not."""
        return self._services.value(name) if self._names.members(name) else None

    def __iter__(self) -> Iterator[Stretch]:
        """All lines, in the order of their first names."""
        while not self.is_complete(_STEPS):
            pass
        return iter(self._lines)


def everything_of(lister: Lister, query: Query) -> Everything:
    """The lines of all services in reach, shared by all subscribers in the same context."""
    bare = replace(query.subscription, lines=(), services=(), writer=Writer.AUTO, notification=None)
    return lister.lasting(_everything, (query.context, bare))


def _everything(lister: Lister, key: tuple[NetworkContext, Subscription]) -> Everything:
    context, subscription = key
    return Everything(resolver_of(lister, context, subscription.any_scope), subscription)
