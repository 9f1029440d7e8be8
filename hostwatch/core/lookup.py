"""What a name stands for, to one subscriber: the tiers, and the names in reach.

The first tier that answers wins, so that no label of a stranger can take a name away from its owner:

1. a service of the configuration        answers whenever it is configured, with or without containers
2. a compose service of the subscriber's own project
3. a container's name                    if it is, or would be, in reach, or if that is not known yet
4. an alias on a network of the subscriber's
5. a name of `hostwatch.names` on a container in reach

A file on the host is in no project and on no network, and sees them all: to it a compose service is `service.project`,
and in the fourth tier answer the aliases on all networks and the compose services of all projects.

Stopped containers keep their names: a database that is being restarted does not lose its name to somebody else.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from hostwatch.core.facts import Facts
from hostwatch.core.model import Container, ContainerKey, State
from hostwatch.core.names import name_fault
from hostwatch.core.reach import in_reach, is_placed
from hostwatch.core.references import SELF
from hostwatch.core.rules import ServiceRule
from hostwatch.core.standpoint import Standpoint
from hostwatch.core.terms import called, qualified


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

    @property
    def own_names(self) -> tuple[str, ...]:
        """The names that the configuration gives it, else the one that it goes by."""
        return self.rule.names if self.rule is not None else (self.name,)


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Two services claim the name in one tier, so that it stands for neither."""

    reason: str


@dataclass(frozen=True, slots=True)
class View:
    """The names as they are seen from one standpoint at one moment: to be made anew when anything may have changed.

    What is found out is kept: a common name has a hundred subscribers, of which most stand at one point.
    """

    inventory: Facts
    standpoint: Standpoint
    any_scope: bool
    _reached: dict[ContainerKey, bool] = field(init=False, repr=False, compare=False, default_factory=dict)
    """Who has been found to be in reach, or not: that is asked several times for each name."""
    _services: dict[str, Service | Ambiguous | None] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _all: list[tuple[Service | Ambiguous, tuple[str, ...]]] = field(
        init=False, repr=False, compare=False, default_factory=list
    )

    def service(self, name: str) -> Service | Ambiguous | None:
        """What the name stands for; `None` if nothing answers to it, as to `self`, which is another one for each."""
        if name == SELF:
            return None
        if name not in self._services:
            tiers = (self._configured, self._own_project, self._container, self._alias, self._label)
            self._services[name] = next((answer for tier in tiers if (answer := tier(name)) is not None), None)
        return self._services[name]

    def whole(self) -> bool:
        """Whether all is known that a name could stand for: the subscriber's networks, and all aliases there."""
        here = self.standpoint
        if here.is_host_file:
            return not self.inventory.any_aliases_unread(here.engine)
        if not here.is_known or not here.is_placed:
            return False
        return not any(self.inventory.aliases_unread(here.engine, attachment) for attachment in here.attachments)

    def stranger(self, name: str) -> Container | None:
        """The container of that name, which is not in reach if nothing answers to the name."""
        return next(iter(self.inventory.named(self.standpoint.engine, name)), None)

    def names_in_reach(self) -> tuple[str, ...]:
        """Every name that could be looked up with an answer in reach, sorted."""
        names: set[str] = set()
        for container in self._containers_in_reach():
            roles = self.inventory.roles(container.key)
            names.add(container.name)
            names.update(roles.names, *(rule.names for rule in roles.services))
            if container.project is not None and container.project == self.standpoint.project:
                names.update(filter(None, [container.compose_service]))
            names.update(self._called(container) - {container.key.id[:12]})
        return tuple(sorted(name for name in names - {SELF} if name_fault(name) is None))

    def services_in_reach(self) -> list[tuple[Service | Ambiguous, tuple[str, ...]]]:
        """Each service, as far as it is in reach, with all the names that stand for it, and each ambiguous name."""
        if not self._all:
            self._all.extend(self._services_in_reach())
        return self._all

    def _services_in_reach(self) -> Iterator[tuple[Service | Ambiguous, tuple[str, ...]]]:
        found: dict[object, tuple[Service | Ambiguous, list[str]]] = {}
        for name in self.names_in_reach():
            match self.service(name):
                case None:
                    pass
                case Ambiguous() as ambiguous:
                    found[name] = (ambiguous, [name])
                case service:
                    found.setdefault((service.rule, service.ids), (service, []))[1].append(name)
        for service, names in found.values():
            if isinstance(service, Service) and not all(map(self.reaches, service.containers)):
                yield replace(service, containers=tuple(filter(self.reaches, service.containers))), tuple(names)
            else:
                yield service, tuple(names)

    def published_names(self, service: Service) -> dict[str, frozenset[str]]:
        """The service's own names, each with the ids of the containers that it stands for.

        They are what the configuration says, or the name it goes by, and what its containers' labels say.
        """
        labelled = [name for c in service.containers for name in self.inventory.roles(c.key).names]
        names = dict.fromkeys([*service.own_names, *labelled])
        found = {name: self._ids(name, service) for name in names if name_fault(name) is None}
        return {name: ids for name, ids in found.items() if ids is not None}

    def _ids(self, name: str, service: Service) -> frozenset[str] | None:
        """Which of the service's containers the name stands for: all or some of them, `None` if it is another's."""
        owner = service if name == SELF == service.name else self.service(name)
        if not isinstance(owner, Service):
            return None
        if owner.rule is not None:
            return service.ids if owner.rule == service.rule else None
        return owner.ids if owner.ids <= service.ids else None

    def _containers_in_reach(self) -> Iterator[Container]:
        here = self.standpoint
        if not here.is_known:
            return
        if self.any_scope or not here.attachments:
            candidates: Iterable[Container] = self.inventory.containers
        else:
            near = [c for attachment in here.attachments for c in self.inventory.on_network(here.engine, attachment)]
            near += self.inventory.host_mode(here.engine)
            joined = [self.inventory.container(j) for c in near for j in self.inventory.joiners(c.key)]
            candidates = {c.key: c for c in (*near, *joined) if c is not None}.values()
        for container in candidates:
            if self.inventory.roles(container.key).enabled and self.reaches(container):
                yield container

    def reaches(self, container: Container) -> bool:
        """Whether the subscriber reaches the container, or would if it ran."""
        known = self._reached.get(container.key)
        if known is None:
            same_engine = container.key.engine == self.standpoint.engine
            known = same_engine and in_reach(self.inventory, self.standpoint, container, self.any_scope)
            self._reached[container.key] = known
        return known

    def _called(self, container: Container) -> frozenset[str]:
        """What the container is called besides its name, as far as this subscriber sees it."""
        if self.standpoint.is_host_file:
            return called(container) | frozenset(filter(None, [qualified(container)]))
        shared = filter(self.standpoint.is_on, container.endpoints)
        return frozenset(alias for endpoint in shared for alias in endpoint.aliases or ())

    # The tiers.

    def _configured(self, name: str) -> Service | Ambiguous | None:
        match self.inventory.rules.service(name):
            case ():
                return None
            case (rule,):
                engine = self.standpoint.engine
                found = (c for c in self.inventory.behind_rule(rule) if c.key.engine == engine)
                return Service(name, Tier.CONFIG, tuple(found), rule)
            case several:
                keys = " and ".join(rule.key for rule in several)
                return Ambiguous(f"{name}: claimed by the services {keys} of the configuration")

    def _own_project(self, name: str) -> Service | None:
        service, project = name, self.standpoint.project
        if self.standpoint.is_host_file:
            service, _, project = name.rpartition(".")  # a project's name has no dot
        if project is None:
            return None
        found = self.inventory.in_compose(self.standpoint.engine, project, service)
        return Service(name, Tier.COMPOSE, tuple(found)) if found else None

    def _container(self, name: str) -> Service | None:
        named = self.inventory.named(self.standpoint.engine, name)
        found = tuple(c for c in named if self.reaches(c) or self._is_lost(c))
        return Service(name, Tier.CONTAINER, found[:1]) if found else None

    def _is_lost(self, container: Container) -> bool:
        """Whether a container may run on a network that is not known yet: early hints tell of one after the other."""
        sandbox = self.inventory.sandbox(container)
        if sandbox is None or container.state is State.STOPPED:
            return False
        return not is_placed(sandbox) or (sandbox.network_mode is None and sandbox.state is State.UNKNOWN)

    def _alias(self, name: str) -> Service | Ambiguous | None:
        engine = self.standpoint.engine
        if self.standpoint.is_host_file:
            called = self.inventory.called(engine, name)
            return self._claimed(name, Tier.ALIAS, called, len(called) == 1)
        by_network = [self.inventory.aliased(engine, endpoint, name) for endpoint in self.standpoint.attachments]
        everyone = {container.key: container for found in by_network for container in found}
        on_one_network = any(len(found) == len(everyone) for found in by_network)
        return self._claimed(name, Tier.ALIAS, everyone.values(), on_one_network)

    def _label(self, name: str) -> Service | Ambiguous | None:
        found = [c for c in self.inventory.labelled(self.standpoint.engine, name) if self.reaches(c)]
        return self._claimed(name, Tier.LABEL, found, len(found) == 1)

    def _claimed(
        self, name: str, tier: Tier, claimants: Iterable[Container], replicas: bool
    ) -> Service | Ambiguous | None:
        """The service of all the claimants, if they are replicas or belong to one service by themselves."""
        found = sorted(claimants, key=lambda container: container.replica_order)
        if not found:
            return None
        if replicas or frozenset.intersection(*map(self._memberships, found)):
            return Service(name, tier, tuple(found))
        names = " and ".join(sorted(container.name for container in found))
        return Ambiguous(f"{name}: claimed by {names}")

    def _memberships(self, container: Container) -> frozenset[tuple[str, ...]]:
        """The services that a container belongs to by itself: its entries of the configuration, its compose service."""
        found: set[tuple[str, ...]] = {("rule", rule.key) for rule in self.inventory.roles(container.key).services}
        if container.project is not None and container.compose_service is not None:
            found.add(("compose", container.project, container.compose_service))
        return frozenset(found)


def view_of(inventory: Facts, standpoint: Standpoint, any_scope: bool) -> View:
    """The names as they are seen from there; `self` is none of them."""
    key = "view", standpoint, any_scope
    view = inventory.derived.get(key)
    if not isinstance(view, View):
        view = inventory.derived[key] = View(inventory, standpoint, any_scope)
    return view


def own_service(subscriber: Container) -> Service:
    """What `self` stands for."""
    return Service(SELF, Tier.SELF, (subscriber,))
