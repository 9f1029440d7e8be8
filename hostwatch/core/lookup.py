"""What a name stands for, to one subscriber: the tiers, and the names in reach.

The first tier that answers wins, so that no label of a stranger can take a name away from its owner:

1. a service of the configuration        answers whenever it is configured, with or without containers
2. a compose service of the subscriber's own project
3. a container's name                    if it is, or would be, in reach
4. an alias on a network of the subscriber's
5. a name of `hostwatch.names` on a container in reach

Stopped containers keep their names: a database that is being restarted does not lose its name to somebody else.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hostwatch.core.inventory import Inventory
from hostwatch.core.model import Container, Endpoint
from hostwatch.core.names import name_fault
from hostwatch.core.reach import in_reach
from hostwatch.core.rules import ServiceRule


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


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Two services claim the name in one tier, so that it stands for neither."""

    reason: str


@dataclass(frozen=True, slots=True)
class View:
    """The names as one subscriber sees them."""

    inventory: Inventory
    subscriber: Container
    any_scope: bool

    def service(self, name: str) -> Service | Ambiguous | None:
        """What the name stands for; `None` if nothing answers to it."""
        if name == "self":
            return Service(name, Tier.SELF, (self.subscriber,))
        tiers = (self._configured, self._own_project, self._container, self._alias, self._label)
        return next((answer for tier in tiers if (answer := tier(name)) is not None), None)

    def may_be_unread(self) -> bool:
        """Whether a container on a network of the subscriber's may have an alias that was not read yet."""
        unread = self.inventory.unread_aliases(self.subscriber.key)
        return any(in_reach(self.inventory, self.subscriber, container, self.any_scope) for container in unread)

    def names_in_reach(self) -> tuple[str, ...]:
        """Every name that could be looked up with an answer in reach, sorted."""
        names = {name for rule in self.inventory.rules.services for name in rule.names}
        for container in self._containers_in_reach():
            names.add(container.name)
            names.update(self.inventory.roles(container.key).names)
            if container.project is not None and container.project == self.subscriber.project:
                names.update(filter(None, [container.compose_service]))
            for endpoint in self._shared_endpoints(container):
                short_ids = {container.key.id[:12]}
                names.update((endpoint.aliases or frozenset()) - short_ids)
        return tuple(sorted(name for name in names if name_fault(name) is None))

    def published_names(self, service: Service) -> tuple[str, ...]:
        """The service's own names: what the configuration says, or the name it goes by, and its containers' labels."""
        first = service.rule.names if service.rule is not None else (service.name,)
        labelled = [name for c in service.containers for name in self.inventory.roles(c.key).names]
        return tuple(name for name in dict.fromkeys([*first, *labelled]) if self._belongs(name, service))

    def _belongs(self, name: str, service: Service) -> bool:
        owner = self.service(name)
        if not isinstance(owner, Service):
            return False
        return owner.rule == service.rule if owner.rule is not None else owner.ids <= service.ids

    def _containers_in_reach(self) -> Iterator[Container]:
        sandbox = self.inventory.sandbox(self.subscriber)
        if sandbox is None:
            return
        if self.any_scope or not sandbox.endpoints:
            candidates: Iterable[Container] = self.inventory.containers
        else:
            key = self.subscriber.key
            near = [c for e in sandbox.endpoints for c in self.inventory.on_network(key, e)]
            joined = [self.inventory.container(j) for c in near for j in self.inventory.joiners(c.key)]
            candidates = {c.key: c for c in (*near, *self.inventory.host_mode(key), *joined) if c is not None}.values()
        for container in candidates:
            if self.inventory.roles(container.key).enabled and self._reaches(container):
                yield container

    def _reaches(self, container: Container) -> bool:
        same_engine = container.key.engine == self.subscriber.key.engine
        return same_engine and in_reach(self.inventory, self.subscriber, container, self.any_scope)

    def _shared_endpoints(self, container: Container) -> list[Endpoint]:
        sandbox = self.inventory.sandbox(self.subscriber)
        own = sandbox.endpoints if sandbox is not None else ()
        return [endpoint for endpoint in container.endpoints if any(endpoint.same_network(o) for o in own)]

    # The tiers.

    def _configured(self, name: str) -> Service | Ambiguous | None:
        match self.inventory.rules.service(name):
            case ():
                return None
            case (rule,):
                return Service(name, Tier.CONFIG, tuple(self.inventory.behind_rule(rule)), rule)
            case several:
                keys = " and ".join(rule.key for rule in several)
                return Ambiguous(f"{name}: claimed by the services {keys} of the configuration")

    def _own_project(self, name: str) -> Service | None:
        if self.subscriber.project is None:
            return None
        found = self.inventory.in_compose(self.subscriber.key, self.subscriber.project, name)
        return Service(name, Tier.COMPOSE, tuple(found)) if found else None

    def _container(self, name: str) -> Service | None:
        found = tuple(c for c in self.inventory.named(self.subscriber.key, name) if self._reaches(c))
        return Service(name, Tier.CONTAINER, found[:1]) if found else None

    def _alias(self, name: str) -> Service | Ambiguous | None:
        sandbox = self.inventory.sandbox(self.subscriber)
        services = [
            Service(name, Tier.ALIAS, tuple(found))
            for endpoint in (sandbox.endpoints if sandbox is not None else ())
            if (found := self.inventory.aliased(self.subscriber.key, endpoint, name))
        ]
        if len({service.ids for service in services}) > 1:
            claimants = " and ".join(sorted({c.name for service in services for c in service.containers}))
            return Ambiguous(f"{name}: on different networks an alias of {claimants}")
        return services[0] if services else None

    def _label(self, name: str) -> Service | Ambiguous | None:
        found = [c for c in self.inventory.labelled(self.subscriber.key, name) if self._reaches(c)]
        groups = {self._group(container) for container in found}
        if len(groups) > 1:
            claimants = " and ".join(sorted({container.name for container in found}))
            return Ambiguous(f"{name}: claimed by {claimants}")
        return Service(name, Tier.LABEL, tuple(found)) if found else None

    def _group(self, container: Container) -> tuple[str, ...]:
        """The service that a container belongs to by itself: its entry, its compose service, or only it."""
        if rules := self.inventory.roles(container.key).services:
            return ("rule", rules[0].key)
        if container.project is not None and container.compose_service is not None:
            return ("compose", container.project, container.compose_service)
        return ("container", container.key.id)
