"""Look-ups from one network context: the service behind a name, and all names in reach."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from hostwatch.core.model import Claim, Container, ContainerKey
from hostwatch.core.names import folded, name_fault
from hostwatch.core.references import SELF
from hostwatch.core.remote import CLUSTER, RemoteEndpoint, overlay_source
from hostwatch.core.resolve.services import Ambiguous, Answer, Service, Tier
from hostwatch.core.resolve.tiers import Tiers
from hostwatch.core.store.indexers import called, qualified
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.network_context import NetworkContext
from hostwatch.core.store.results import Kept


@dataclass(frozen=True, slots=True)
class Excluded:
    """A name in reach that `services: "*"` leaves out."""

    reason: str


def excluded(name: str) -> Excluded:
    """The exclusion of a name with a dot that a container chose."""
    return Excluded(
        f"{name}: a container chose this name, and it may be that of another host;"
        " give it by a service of the configuration to have it here"
    )


Group = tuple[object, ...]
"""What the names of one service have in common: the key of its entry in the configuration, and its containers' ids. A
name without a service is a group of its own."""


class InReach(NamedTuple):
    """The answer to a name in reach."""

    answer: Service | Ambiguous | Excluded | None
    """A service only has those of its containers that are in reach."""
    groups: tuple[Group, ...]
    """The group of the name; empty if nothing has the name."""
    ids: frozenset[str] = frozenset()
    """The ids of the service's containers."""


class Resolver:
    """Looks up names for one network context. Its answers are kept: a common name has hundreds of subscribers."""

    def __init__(self, lister: Lister, context: NetworkContext, any_scope: bool) -> None:
        self.lister = lister
        self.context = context
        self.any_scope = any_scope
        self._tiers = Tiers(lister, context, any_scope)
        self._services: Kept[str, Answer] = Kept(lister.results, self._tiers.answer)

    def service(self, name: str) -> Answer:
        """The service behind the name; `None` if nothing answers, and for `self`, which differs by subscriber."""
        name = folded(name)
        return self._services(name) if name != SELF else None

    def tried(self, name: str) -> Iterator[tuple[Tier, Answer]]:
        """The tiers that were asked for that, each with its answer."""
        return self._tiers.tried(folded(name))

    def reaches(self, container: Container) -> bool:
        """Whether the subscriber could reach the container if it ran."""
        return self._tiers.reaches(container)

    @property
    def awaits_others(self) -> bool:
        """Whether a name may be that of another host of which nothing has been heard yet."""
        return self.lister.remotes.awaits(CLUSTER, *self._overlays())

    def is_complete(self) -> bool:
        """Whether all names are known: the context's networks, and all aliases on them."""
        lister, context = self.lister, self.context
        if self.awaits_others:
            return False
        if context.is_host_file:
            return not lister.any_aliases_unread(context.engine)
        if not context.is_known or not context.is_placed:
            return False
        return not any(lister.aliases_unread(context.engine, attachment) for attachment in context.attachments)

    def asks_others(self, tier: Tier) -> bool:
        """Whether anybody is asked for what this tier has of other hosts."""
        sources = {Tier.OVERLAY: self._overlays(), Tier.CLUSTER: [CLUSTER]}
        return self.lister.remotes.has(*sources.get(tier, ()))

    def _overlays(self) -> list[str]:
        return [overlay_source(place.network_name) for place in self.context.attachments]

    def stranger(self, name: str) -> Container | None:
        """A container of that name anywhere on the engine. If `service` finds nothing, this one is out of reach."""
        return next(iter(self.lister.named(self.context.engine, name)), None)

    def candidates(self) -> frozenset[ContainerKey]:
        """All containers that may be in reach."""
        lister, context, engine = self.lister, self.context, self.context.engine
        if not context.is_known:
            return frozenset()
        routed = lister.by_index("remote on", engine, "")
        if self.any_scope or not context.attachments:
            return frozenset(lister.by_index("container", engine) | routed)
        near = [lister.by_index("network", engine, attachment.network_name) for attachment in context.attachments]
        others = [lister.by_index("remote on", engine, attachment.network_name) for attachment in context.attachments]
        return frozenset().union(*near, *others, routed, lister.by_index("host", engine), lister.by_index("joins"))

    def seen(self, key: ContainerKey) -> Container | None:
        """The container, if it may have names here: it is enabled and in reach."""
        container = self.lister.container(key)
        if container is None or not self.lister.roles(key).enabled or not self._tiers.reaches(container):
            return None
        return container

    def names_of(self, key: ContainerKey) -> dict[str, str]:
        """The names of a container that may be published here, folded and as written; none if it is out of reach."""
        container = self.seen(key)
        if container is None:
            return {}
        names: dict[str, str] = {}
        for name in sorted(self._names_of(container)):
            if folded(name) != SELF and name_fault(name) is None:
                names.setdefault(folded(name), name)
        return names

    def _names_of(self, container: Container) -> set[str]:
        """All names of the container that this context sees, except its short id."""
        if container.remote is not None:
            return self._names_of_remote(container, container.remote)
        roles = self.lister.roles(container.key)
        configured = {name for rule in roles.services for name in rule.names}
        if container.claim is Claim.NONE:
            return configured
        names = {container.name, *roles.names, *configured, *self._aliases(container)} - {container.key.id[:12]}
        if container.project is not None and container.project == self.context.project:
            names.update(filter(None, [container.compose_service]))
        return names

    def _names_of_remote(self, container: Container, remote: RemoteEndpoint) -> set[str]:
        rule = self.lister.rules.behind_group(remote.group)
        names = {*remote.names, *(rule.names if rule is not None else ())}
        if container.project is not None and container.project == self.context.project:
            names.update(filter(None, [container.compose_service]))
        return names

    def _aliases(self, container: Container) -> frozenset[str]:
        """The names besides its own that the container has in this context."""
        if self.context.is_host_file:
            return called(container) | frozenset(filter(None, [qualified(container)]))
        shared = filter(self.context.is_on, container.endpoints)
        return frozenset(alias for endpoint in shared for alias in endpoint.aliases or ())

    def in_reach(self, name: str) -> InReach:
        """The service that `services: "*"` gives the name to, or the reason why it is left out."""
        answer = self._tiers.answer(name)
        if answer is not None and (exclusion := self.exclusion(name)) is not None:
            return InReach(exclusion, ((name,),))
        return self.reached(name, answer)

    def reached(self, name: str, answer: Answer) -> InReach:
        """What `services: "*"` makes of the answer to a name."""
        if not isinstance(answer, Service):
            is_said = answer is not None and not answer.yields
            return InReach(answer, ((name,),)) if is_said else InReach(None, ())
        near = tuple(filter(self._tiers.reaches, answer.containers))
        ids, rule = answer.ids, answer.rule.key if answer.rule is not None else None
        found = answer if len(near) == len(answer.containers) else replace(answer, containers=near)
        return InReach(found, ((rule, ids),), ids)

    def exclusion(self, name: str) -> Excluded | None:
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
        engine = self.context.engine
        if "." not in project and (self.lister.qualified(engine, name) or self._is_qualified_elsewhere(name)):
            return None
        return excluded(name)

    def _is_qualified_elsewhere(self, name: str) -> bool:
        """Whether a name is that of a compose service on another host, with its project."""
        found = (qualified(container) for container in self.lister.remotes.named(self.context.engine, name))
        return any(folded(other) == name for other in found if other is not None)

    def published_names(self, service: Service, own_names: Iterable[str]) -> dict[str, frozenset[str]]:
        """A service's names, each with the ids of the containers that it stands for.

        The names are `own_names`, as the subscriber writes them, and those in the labels of its containers.
        """
        labelled = [
            name
            for container in service.containers
            if container.claim is not Claim.NONE
            for name in self.lister.roles(container.key).names
            if self.exclusion(name) is None
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
    return lister.kept(_resolver, (context, any_scope))


def _resolver(lister: Lister, key: tuple[NetworkContext, bool]) -> Resolver:
    return Resolver(lister, *key)
