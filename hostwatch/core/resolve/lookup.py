"""Look-ups from one network context: the service behind a name, and all names in reach."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from hostwatch.core.model import Claim, Container
from hostwatch.core.names import folded, name_fault
from hostwatch.core.references import SELF
from hostwatch.core.resolve.reachable import Reachable
from hostwatch.core.resolve.services import Ambiguous, Answer, Service
from hostwatch.core.resolve.tiers import Tiers
from hostwatch.core.store.indexers import called, qualified
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.network_context import NetworkContext


@dataclass(frozen=True, slots=True)
class Excluded:
    """A name in reach that `services: "*"` leaves out."""

    reason: str


class _InReach(NamedTuple):
    """The answer to a name in reach."""

    answer: Service | Ambiguous | Excluded | None
    ids: frozenset[str] = frozenset()
    """The ids of the service's containers."""
    near: Service | None = None
    """The service with those of its containers that are in reach."""


Found = tuple[Service | Ambiguous | Excluded, tuple[str, ...]]
"""An answer, with the names in reach that have it, as written."""


class Resolver:
    """Looks up names for one network context. It is valid until anything in the store changes.

    It keeps its answers: a common name has hundreds of subscribers, and most of them share one context.
    """

    def __init__(self, lister: Lister, context: NetworkContext, any_scope: bool) -> None:
        self.lister = lister
        self.context = context
        self.any_scope = any_scope
        self._reachable = Reachable(lister, context, any_scope)
        self._tiers = Tiers(lister, context, self._reachable)
        self._services: dict[str, Answer] = {}
        self._all: list[Found] = []
        self.place: object = lister.kept(("context", context, any_scope), object)
        """Stands for the context in the keys of kept results."""

    def service(self, name: str) -> Answer:
        """The service behind the name; `None` if nothing answers, and for `self`, which differs by subscriber."""
        name = folded(name)
        if name == SELF:
            return None
        if self.lister.is_recording:
            return self._tiers.answer(name)
        if name not in self._services:
            self._services[name] = self._tiers.answer(name)
        return self._services[name]

    def is_complete(self) -> bool:
        """Whether all names are known: the context's networks, and all aliases on them."""
        lister, context = self.lister, self.context
        if context.is_host_file:
            return not lister.any_aliases_unread(context.engine)
        if not context.is_known or not context.is_placed:
            return False
        return not any(lister.aliases_unread(context.engine, attachment) for attachment in context.attachments)

    def stranger(self, name: str) -> Container | None:
        """A container of that name anywhere on the engine. If `service` finds nothing, this one is out of reach."""
        return next(iter(self.lister.named(self.context.engine, name)), None)

    def names_in_reach(self) -> dict[str, list[tuple[str, str]]]:
        """Every folded name of a container in reach, with each spelling and that container's id."""
        names: dict[str, list[tuple[str, str]]] = {}
        for container in self._reachable.candidates():
            for known, name in self._written(container):
                names.setdefault(known, []).append((name, container.key.id))
        return names

    def _written(self, container: Container) -> list[tuple[str, str]]:
        """The names of a container that may be published here, folded and as written; none if it is out of reach."""

        def computed() -> list[tuple[str, str]]:
            self.lister.container(container.key)
            if not self.lister.roles(container.key).enabled or container not in self._reachable:
                return []
            folds = [(folded(name), name) for name in self._names_of(container)]
            return [(known, name) for known, name in folds if known != SELF and name_fault(name) is None]

        return self.lister.kept(("names", self.place, container.key), computed)

    def _names_of(self, container: Container) -> set[str]:
        """All names of the container that this context sees, except its short id."""
        roles = self.lister.roles(container.key)
        configured = {name for rule in roles.services for name in rule.names}
        if container.claim is Claim.NONE:
            return configured
        names = {container.name, *roles.names, *configured, *self._aliases(container)} - {container.key.id[:12]}
        if container.project is not None and container.project == self.context.project:
            names.update(filter(None, [container.compose_service]))
        return names

    def _aliases(self, container: Container) -> frozenset[str]:
        """The names besides its own that the container has in this context."""
        if self.context.is_host_file:
            return called(container) | frozenset(filter(None, [qualified(container)]))
        shared = filter(self.context.is_on, container.endpoints)
        return frozenset(alias for endpoint in shared for alias in endpoint.aliases or ())

    def services_in_reach(self) -> list[Found]:
        """Each service in reach with all its names, and each name in reach without a service."""
        if not self._all:
            self._all.extend(self._services_in_reach())
        return self._all

    def _services_in_reach(self) -> Iterator[Found]:
        found: dict[object, tuple[_InReach, list[str]]] = {}
        written = self.names_in_reach()
        for name in sorted(written):
            known = self._in_reach(name)
            if isinstance(known.answer, Service):
                ids = known.ids
                spelling = min((text for text, identity in written[name] if identity in ids), default=name)
                found.setdefault((known.answer.rule, ids), (known, []))[1].append(spelling)
            elif known.answer is not None:
                found[name] = (known, [name])
        for known, names in found.values():
            if known.answer is not None:
                yield known.near or known.answer, tuple(names)

    def _in_reach(self, name: str) -> "_InReach":
        """The service that `services: "*"` gives the name to, or the reason why it is left out."""

        def computed() -> _InReach:
            answer = self._tiers.answer(name)
            if answer is not None and (exclusion := self._exclusion(name)) is not None:
                return _InReach(exclusion)
            if not isinstance(answer, Service):
                return _InReach(answer if answer is not None and not answer.yields else None)
            near = tuple(container for container in answer.containers if container in self._reachable)
            return _InReach(
                answer, answer.ids, answer if near == answer.containers else replace(answer, containers=near)
            )

        return self.lister.kept(("service", self.place, name), computed)

    def _exclusion(self, name: str) -> Excluded | None:
        """The reason why a file on the host must not get a name that no line of it requests; `None` if it may.

        Any user who starts a container chooses its names, and a name with a dot may be that of a host elsewhere. A name
        with a suffix of a configured name is allowed, because the operator chose that suffix. A compose service with
        its project (`db.shop`) is allowed, because hostwatch makes up that name.
        """
        if not self.context.is_host_file or "." not in name:
            return None
        name = folded(name)
        if self.lister.rules.has_suffix(name):
            return None
        project = name.partition(".")[2]
        if "." not in project and self.lister.qualified(self.context.engine, name):
            return None
        return Excluded(
            f"{name}: a container chose this name, and it may be that of another host;"
            " give it by a service of the configuration to have it here"
        )

    def published_names(self, service: Service, own_names: Iterable[str]) -> dict[str, frozenset[str]]:
        """A service's names, each with the ids of the containers that it stands for.

        The names are `own_names`, as the subscriber writes them, and those in the labels of its containers.
        """
        labelled = [
            name
            for container in service.containers
            if container.claim is not Claim.NONE
            for name in self.lister.roles(container.key).names
            if self._exclusion(name) is None
        ]
        names: dict[str, str] = {}
        for name in (*own_names, *labelled):
            names.setdefault(folded(name), name)
        found = {name: self._ids(name, service) for name in names.values() if name_fault(name) is None}
        return {name: ids for name, ids in found.items() if ids is not None}

    def _ids(self, name: str, service: Service) -> frozenset[str] | None:
        """The containers of the service that the name stands for; `None` if it belongs to another service."""
        owner = service if folded(name) == SELF == service.name else self.service(name)
        if not isinstance(owner, Service):
            return None
        if owner.rule is not None:
            return service.ids if owner.rule == service.rule else None
        return owner.ids if owner.ids <= service.ids else None


def resolver_of(lister: Lister, context: NetworkContext, any_scope: bool) -> Resolver:
    """The resolver of a network context, shared by all its subscribers."""
    return lister.cached(Resolver, (context, any_scope), lambda: Resolver(lister, context, any_scope))
