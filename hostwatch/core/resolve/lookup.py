"""What a name stands for, to one subscriber: the tiers, and the names in reach.

The first tier that answers wins, so that no label of a stranger can take a name away from its owner:

1. a service of the configuration        answers whenever it is configured, with or without containers
2. a compose service of the subscriber's own project
3. a container's name                    if it is, or would be, in reach, or if that is not known yet
4. an alias on a network of the subscriber's
5. a name of `hostwatch.names` on a container in reach

A file on the host is in no project and on no network, and sees them all: to it a compose service is `service.project`,
and in the fourth tier answer the aliases on all networks and the compose services of all projects.

Host names are one whatever their case, so all that is compared here is folded (`hostwatch.core.names`).

A container claims nothing before its first start. One that has ended keeps its names: a database that is being
restarted does not lose its name to somebody else. If it does not come back in time, it yields them (`Claim`): in its
own tier to whoever runs, and across tiers to a name that the engine itself gives, but never to a label. One that was
removed yields at once in its own tier, where its successor is, and is out of the way of all others after the same time.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from hostwatch.core.model import Claim, Container, ContainerKey, State
from hostwatch.core.names import folded, name_fault
from hostwatch.core.references import SELF
from hostwatch.core.resolve.reach import in_reach, is_placed
from hostwatch.core.rules import ServiceRule
from hostwatch.core.store.indexers import called, qualified
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.network_context import NetworkContext


class Tier(enum.Enum):
    """Where a service comes from."""

    SELF = "self"
    CONFIG = "config"
    COMPOSE = "compose"
    CONTAINER = "container"
    ALIAS = "alias"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class Service:
    """A name with the containers that stand behind it, whatever their state, in replica order."""

    name: str
    tier: Tier
    containers: tuple[Container, ...]
    rule: ServiceRule | None = None

    @property
    def ids(self) -> frozenset[str]:
        """The ids of its containers."""
        return frozenset(container.key.id for container in self.containers)

    def names_as_asked(self, name: str) -> tuple[str, ...]:
        """The names that the configuration gives it, else the one that it was asked for by, as that was written."""
        return self.rule.names if self.rule is not None else (name,)

    @property
    def yields(self) -> bool:
        """Whether all who stand behind it have ended and did not come back; what is configured never yields."""
        return self.tier is not Tier.CONFIG and all(c.claim is Claim.YIELDING for c in self.containers)


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Two services claim the name in one tier, so that it stands for neither."""

    reason: str
    yields: bool = False
    """Whether all who claim it have ended and did not come back."""


@dataclass(frozen=True, slots=True)
class Unwanted:
    """A name that is in reach, and that nobody gets who asks for every name."""

    reason: str


Found = tuple[Service | Ambiguous | Unwanted, tuple[str, ...]]
"""What answers to names in reach, and these, as written."""


@dataclass(frozen=True, slots=True)
class Resolver:
    """The names as they are seen from one context at one moment: to be made anew when anything may have changed.

    What is found out is kept: a common name has a hundred subscribers, of which most stand at one point.
    """

    store: Lister
    context: NetworkContext
    any_scope: bool
    _reached: dict[ContainerKey, bool] = field(init=False, repr=False, compare=False, default_factory=dict)
    """Who has been found to be in reach, or not: that is asked several times for each name."""
    _services: dict[str, Service | Ambiguous | None] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _all: list[Found] = field(init=False, repr=False, compare=False, default_factory=list)

    def service(self, name: str) -> Service | Ambiguous | None:
        """What the name stands for; `None` if nothing answers to it, as to `self`, which is another one for each."""
        name = folded(name)
        if name == SELF:
            return None
        if name not in self._services:
            self._services[name] = self._answer(name)
        return self._services[name]

    def _answer(self, name: str) -> Service | Ambiguous | None:
        first: Service | Ambiguous | None = None
        given_by_the_engine = (self._container, self._alias)
        for tier in (self._configured, self._own_project, *given_by_the_engine, self._label):
            if first is not None and tier not in given_by_the_engine:
                continue
            answer = tier(name)
            if answer is not None and not answer.yields:
                return answer
            first = first or answer
        return first

    def whole(self) -> bool:
        """Whether all is known that a name could stand for: the subscriber's networks, and all aliases there."""
        here = self.context
        if here.is_host_file:
            return not self.store.any_aliases_unread(here.engine)
        if not here.is_known or not here.is_placed:
            return False
        return not any(self.store.aliases_unread(here.engine, attachment) for attachment in here.attachments)

    def stranger(self, name: str) -> Container | None:
        """The container of that name, which is not in reach if nothing answers to the name."""
        return next(iter(self.store.named(self.context.engine, name)), None)

    def names_in_reach(self) -> dict[str, list[tuple[str, str]]]:
        """Every name that could be looked up with an answer in reach, folded, with all who are called so.

        Of each: how it is written, and the id of the container.
        """
        names: dict[str, list[tuple[str, str]]] = {}
        for container in self._containers_in_reach():
            for name in self._names_of(container):
                known = folded(name)
                if known in names or (known != SELF and name_fault(name) is None):
                    names.setdefault(known, []).append((name, container.key.id))
        return names

    def _names_of(self, container: Container) -> set[str]:
        """All that the container is called, as far as this subscriber sees it, but for its short id."""
        roles = self.store.roles(container.key)
        configured = {name for rule in roles.services for name in rule.names}
        if container.claim is Claim.NONE:
            return configured
        names = {container.name, *roles.names, *configured, *self._called(container)} - {container.key.id[:12]}
        if container.project is not None and container.project == self.context.project:
            names.update(filter(None, [container.compose_service]))
        return names

    def services_in_reach(self) -> list[Found]:
        """Each service, as far as it is in reach, with all the names that stand for it, and each name that has none."""
        if not self._all:
            self._all.extend(self._services_in_reach())
        return self._all

    def _services_in_reach(self) -> Iterator[Found]:
        found: dict[object, tuple[Service | Ambiguous | Unwanted, list[str]]] = {}
        written = self.names_in_reach()
        for name in sorted(written):
            answer = self.service(name)
            if answer is not None and (fault := self.unwanted(name)) is not None:
                found[name] = (fault, [name])
            elif isinstance(answer, Service):
                ids = answer.ids
                spelling = min((text for text, identity in written[name] if identity in ids), default=name)
                found.setdefault((answer.rule, ids), (answer, []))[1].append(spelling)
            elif answer is not None and not answer.yields:
                found[name] = (answer, [name])
        for service, names in found.values():
            if isinstance(service, Service) and not all(map(self.reaches, service.containers)):
                yield replace(service, containers=tuple(filter(self.reaches, service.containers))), tuple(names)
            else:
                yield service, tuple(names)

    def unwanted(self, name: str) -> Unwanted | None:
        """Why a file on the host must not have a name that nobody asked for there; `None` if it may.

        Whoever starts a container chooses its names, and one with a dot may be that of a host elsewhere. Those below a
        suffix that the configuration publishes names under are the operator's query, and so is a compose service with
        its project, which is put together here.
        """
        if not self.context.is_host_file or "." not in name:
            return None
        name = folded(name)
        if self.store.rules.has_suffix(name):
            return None
        project = name.partition(".")[2]
        if "." not in project and self.store.qualified(self.context.engine, name):
            return None
        return Unwanted(
            f"{name}: a container chose this name, and it may be that of another host;"
            " give it by a service of the configuration to have it here"
        )

    def published_names(self, service: Service, own_names: Iterable[str]) -> dict[str, frozenset[str]]:
        """A service's names, each with the ids of the containers that it stands for.

        They are its own, as the subscriber writes them, and what its containers' labels say.
        """
        labelled = [
            name
            for container in service.containers
            if container.claim is not Claim.NONE
            for name in self.store.roles(container.key).names
            if self.unwanted(name) is None
        ]
        names: dict[str, str] = {}
        for name in (*own_names, *labelled):
            names.setdefault(folded(name), name)
        found = {name: self._ids(name, service) for name in names.values() if name_fault(name) is None}
        return {name: ids for name, ids in found.items() if ids is not None}

    def _ids(self, name: str, service: Service) -> frozenset[str] | None:
        """Which of the service's containers the name stands for: all or some of them, `None` if it is another's."""
        owner = service if folded(name) == SELF == service.name else self.service(name)
        if not isinstance(owner, Service):
            return None
        if owner.rule is not None:
            return service.ids if owner.rule == service.rule else None
        return owner.ids if owner.ids <= service.ids else None

    def _containers_in_reach(self) -> Iterator[Container]:
        here = self.context
        if not here.is_known:
            return
        if self.any_scope or not here.attachments:
            candidates: Iterable[Container] = self.store.containers
        else:
            near = [c for attachment in here.attachments for c in self.store.on_network(here.engine, attachment)]
            near += self.store.host_mode(here.engine)
            joined = [self.store.container(j) for c in near for j in self.store.joins.joiners(c.key)]
            candidates = {c.key: c for c in (*near, *joined) if c is not None}.values()
        for container in candidates:
            if self.store.roles(container.key).enabled and self.reaches(container):
                yield container

    def reaches(self, container: Container) -> bool:
        """Whether the subscriber reaches the container, or would if it ran."""
        known = self._reached.get(container.key)
        if known is None:
            same_engine = container.key.engine == self.context.engine
            known = same_engine and in_reach(self.store, self.context, container, self.any_scope)
            self._reached[container.key] = known
        return known

    def _called(self, container: Container) -> frozenset[str]:
        """What the container is called besides its name, as far as this subscriber sees it."""
        if self.context.is_host_file:
            return called(container) | frozenset(filter(None, [qualified(container)]))
        shared = filter(self.context.is_on, container.endpoints)
        return frozenset(alias for endpoint in shared for alias in endpoint.aliases or ())

    # The tiers.

    def _configured(self, name: str) -> Service | Ambiguous | None:
        match self.store.rules.service(name):
            case ():
                return None
            case (rule,):
                engine = self.context.engine
                found = (c for c in self.store.behind_rule(rule) if c.key.engine == engine)
                return Service(name, Tier.CONFIG, tuple(found), rule)
            case several:
                keys = " and ".join(rule.key for rule in several)
                return Ambiguous(f"{name}: claimed by the services {keys} of the configuration")

    def _own_project(self, name: str) -> Service | Ambiguous | None:
        engine, project = self.context.engine, self.context.project
        if self.context.is_host_file:
            return self._claimed(name, Tier.COMPOSE, self.store.qualified(engine, name))
        if project is None:
            return None
        return self._claimed(name, Tier.COMPOSE, self.store.in_compose(engine, project, name))

    def _container(self, name: str) -> Service | Ambiguous | None:
        named = self.store.named(self.context.engine, name)
        latest: dict[str, Container] = {}
        for container in _present(named):
            if self.reaches(container) or self._is_lost(container):
                latest.setdefault(container.name, container)
        return self._claimed(name, Tier.CONTAINER, latest.values())

    def _is_lost(self, container: Container) -> bool:
        """Whether a container may run on a network that is not known yet: early hints tell of one after the other."""
        sandbox = self.store.joins.sandbox(container)
        if sandbox is None or container.state is State.STOPPED:
            return False
        return not is_placed(sandbox) or (sandbox.network_mode is None and sandbox.state is State.UNKNOWN)

    def _alias(self, name: str) -> Service | Ambiguous | None:
        engine = self.context.engine
        if self.context.is_host_file:
            return self._claimed(name, Tier.ALIAS, self.store.called(engine, name))
        by_network = [self.store.aliased(engine, endpoint, name) for endpoint in self.context.attachments]
        everyone = {container.key: container for found in by_network for container in found}
        return self._claimed(name, Tier.ALIAS, everyone.values(), by_network)

    def _label(self, name: str) -> Service | Ambiguous | None:
        found = [c for c in self.store.labelled(self.context.engine, name) if self.reaches(c)]
        return self._claimed(name, Tier.LABEL, found)

    def _claimed(
        self,
        name: str,
        tier: Tier,
        claimants: Iterable[Container],
        networks: Iterable[list[Container]] = (),
    ) -> Service | Ambiguous | None:
        """The service of all the claimants, if they are one; else that of those who have not ended, if they are.

        `networks`: who has the name on each network. All who have it on one are replicas there, as to the engine's DNS.
        """
        found = sorted(_present(claimants), key=lambda container: container.replica_order)
        if not found:
            return None
        if self._are_one(found, networks):
            return Service(name, tier, tuple(found))
        staying = [container for container in found if container.claim is Claim.FULL]
        if staying and self._are_one(staying, networks):
            # A replica keeps its number while another one is down.
            common = frozenset.intersection(*map(self._memberships, staying))
            same = (c for c in found if c.claim is Claim.FULL or not common.isdisjoint(self._memberships(c)))
            return Service(name, tier, tuple(same))
        names = " and ".join(sorted(container.name for container in staying or found))
        return Ambiguous(f"{name}: claimed by {names}", yields=not staying)

    def _are_one(self, found: list[Container], networks: Iterable[list[Container]]) -> bool:
        """Whether these are one container, replicas on one network, or belong to one service by themselves."""
        if len(found) == 1:
            return True
        keys = {container.key for container in found}
        return any(keys.issubset(c.key for c in there) for there in networks) or bool(
            frozenset.intersection(*map(self._memberships, found))
        )

    def _memberships(self, container: Container) -> frozenset[tuple[str, ...]]:
        """The services that a container belongs to by itself: its entries of the configuration, its compose service."""
        found: set[tuple[str, ...]] = {("rule", rule.key) for rule in self.store.roles(container.key).services}
        if container.project is not None and container.compose_service is not None:
            found.add(("compose", container.project, container.compose_service))
        return frozenset(found)


def _present(claimants: Iterable[Container]) -> list[Container]:
    """Those who are there; those who were removed just now only where nobody else is."""
    everyone = list(claimants)
    if len(everyone) < 2:
        return everyone
    return [container for container in everyone if container.claim is not Claim.DEPARTED] or everyone


def resolver_of(store: Lister, context: NetworkContext, any_scope: bool) -> Resolver:
    """The names as they are seen from there; `self` is none of them."""
    return store.cached(Resolver, (context, any_scope), lambda: Resolver(store, context, any_scope))


def own_service(subscriber: Container) -> Service:
    """What `self` stands for."""
    return Service(SELF, Tier.SELF, (subscriber,))
