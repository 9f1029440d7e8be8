"""The containers behind a name, each with the address at which a subscriber reaches it, or why it cannot."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hostwatch.core.block.records import Record
from hostwatch.core.model import Address, Container, Health, State
from hostwatch.core.names import folded
from hostwatch.core.references import SELF, Reference
from hostwatch.core.resolve.lookup import Resolver
from hostwatch.core.resolve.outcome import Gone, Origin, Outcome, Published, Refused, Source, Unknown, published
from hostwatch.core.resolve.reach import LOST_NETWORK, reach
from hostwatch.core.resolve.reached import NotKnown, Reached, Unreached
from hostwatch.core.resolve.services import Ambiguous, Answer, Service, Tier, own_service
from hostwatch.core.rules import ServiceRule, Subscription
from hostwatch.core.store.lister import Lister


@dataclass(frozen=True, slots=True)
class NotHealthy:
    """The container runs, but its healthcheck does not say yet that it is healthy."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotRunning:
    """The container does not run."""

    reason: str


Missing = Unreached | NotKnown | NotHealthy | NotRunning
_NOWHERE = Reached(None, None)
_NOBODY = "no running container"
_UNHEARD = "what other hosts have is not known yet"


@dataclass(frozen=True, slots=True)
class Member:
    """A container behind a name, with the address at which this subscriber reaches it, or why it cannot."""

    container: Container
    owner: Container
    """The container that has the network stack it uses, usually itself."""
    reached: Reached
    missing: Missing | None
    """The reason why it cannot be published; `None` if it can."""

    @property
    def is_stale(self) -> bool:
        """Whether more of its addresses may become known."""
        return self.owner.state is State.UNKNOWN

    @property
    def origin(self) -> Origin:
        """The origin of its address."""
        network, network_name = self.reached.network, self.reached.network_name
        return Origin(self.owner.key, network, network_name, self.container.name, self.container.remote)


def answer_for(resolver: Resolver, own: Container | None, name: str, of_host: Reference | None = None) -> Answer:
    """The service behind a name that a line has. `own` is the subscriber, if its requests name it (`self`).

    For an address of the host (`of_host`) it may be a container out of reach, by its own name: no network in common is
    needed.
    """
    if own is not None and folded(name) == SELF:
        return own_service(own)
    found = resolver.service(name)
    if found is not None or of_host is None:
        return found
    # Not before all aliases in reach are read: they come first.
    stranger = resolver.stranger(name) if resolver.is_complete() else None
    return Service(name, Tier.CONTAINER, (stranger,)) if stranger is not None else None


def member_of(resolver: Resolver, service: Service, container: Container, addressed: bool) -> Member:
    """The container as a member of the service. Without `addressed` no address is looked for: it need only run."""
    owner = resolver.lister.joins.sandbox(container) or container
    place = _place(resolver, service, container, addressed)
    if isinstance(place, Reached):
        return Member(container, owner, place, None)
    return Member(container, owner, _NOWHERE, place)


def _place(resolver: Resolver, service: Service, container: Container, addressed: bool) -> Reached | Missing:
    if container.state is State.STOPPED and service.tier is not Tier.SELF:
        return NotRunning(f"{container.name} is not running")
    rule = rule_of(resolver.lister, service, container)
    network = network_of(resolver.lister, service, container)
    place = reach(resolver.lister, resolver.context, container, network, resolver.any_scope) if addressed else _NOWHERE
    required = resolver.lister.roles(container.key).health_required or (rule is not None and rule.health_required)
    # `self` is published in any health: the healthcheck may need these very lines.
    if required and isinstance(place, Reached) and service.tier is not Tier.SELF:
        return _if_healthy(container, place)
    return place


def rule_of(lister: Lister, service: Service, container: Container) -> ServiceRule | None:
    """The entry of the configuration whose options count for a container: its service's, else its own first."""
    own = lister.roles(container.key).services
    return service.rule or (own[0] if own else None)


def network_of(lister: Lister, service: Service, container: Container) -> str | None:
    """The only network whose addresses count; `None`: all."""
    rule = rule_of(lister, service, container)
    return lister.roles(container.key).network if rule is None or rule.network is None else rule.network


def _if_healthy(container: Container, place: Reached) -> Reached | Missing:
    if container.health is None:
        return NotKnown(f"the health of {container.name} is not known yet")
    if container.health not in (Health.HEALTHY, Health.NONE):
        return NotHealthy(f"{container.name} is {container.health.value}")
    return place


def unanswered(resolver: Resolver, service: Ambiguous | None, name: str, line: str) -> Outcome:
    """The outcome of a line whose name stands for no single service."""
    if isinstance(service, Ambiguous):
        return Refused(line, service.reason)
    if resolver.context.has_lost_network:
        return Gone(line, f"{name}: {LOST_NETWORK}")
    if resolver.awaits_others:
        return Unknown(line, f"{name}: {_UNHEARD}")
    if not resolver.is_complete():
        return Unknown(line, f"{name}: not all containers have been read")
    if (stranger := resolver.stranger(name)) is not None:
        place = _place(resolver, Service(name, Tier.CONTAINER, (stranger,)), stranger, addressed=True)
        if isinstance(place, Unreached):
            return Gone(line, f"{name}: {place.reason}")
    return Gone(line, f"{name}: {_nobody(resolver)}")


def why_no_member(resolver: Resolver, service: Service, name: str, line: str, members: Iterable[Member]) -> Outcome:
    """The outcome of a line of a service of which no container can be published, here or on other hosts."""
    found = tuple(members)
    outcome = why_none(name, line, found)
    if not isinstance(outcome, Gone) or service.rule is None:
        return outcome
    if resolver.lister.remotes.awaits(service.rule.source):
        who = "its catalog has not told any yet" if service.rule.is_from_catalog else _UNHEARD
        return Unknown(line, f"{name}: {who}")
    if service.rule.is_from_catalog and not found:
        return Gone(line, f"{name}: no instance in its catalog")
    return outcome if found else Gone(line, f"{name}: {_nobody(resolver)}")


def _nobody(resolver: Resolver) -> str:
    """That nothing answers. Of one host alone there are no others to speak of."""
    asks_others = any(map(resolver.asks_others, (Tier.OVERLAY, Tier.CLUSTER)))
    return f"{_NOBODY} here, and no other host has it" if asks_others else _NOBODY


def as_far_as_known(resolver: Resolver, service: Service, outcome: Outcome) -> Outcome:
    """The outcome of a line of a service, which is not the whole one while other hosts may have more replicas."""
    if isinstance(outcome, Published) and awaits_replicas(resolver, service):
        return replace(outcome, is_partial=True)
    return outcome


def awaits_replicas(resolver: Resolver, service: Service) -> bool:
    """Whether other hosts may have more replicas beside this host's, and have not been heard yet."""
    rule = service.rule
    return rule is not None and rule.prefers_any and resolver.lister.remotes.awaits(rule.source)


def why_none(name: str, line: str, members: Iterable[Member]) -> Outcome:
    """The outcome of a line if no container can be published. A container that is not known decides first."""
    reasons = [member.missing for member in members if member.missing is not None]
    for kind, outcome in ((NotKnown, Unknown), (NotHealthy, Refused), (Unreached, Gone)):
        for missing in reasons:
            if isinstance(missing, kind):
                return outcome(line, f"{name}: {missing.reason}")
    return Gone(line, f"{name}: {_NOBODY}")


def source_of(service: Service) -> Source:
    """What the records of a service say of it."""
    return Source(service.rule.key if service.rule is not None else service.name, service.tier)


def addresses(reached: Reached, subscription: Subscription) -> list[Address]:
    """The addresses of the requested families, in the requested order."""
    found: list[Address] = []
    if reached.ipv4 is not None and subscription.ipv4:
        found.append(reached.ipv4)
    if reached.ipv6 is not None and subscription.ipv6:
        found.append(reached.ipv6)
    return found[::-1] if subscription.ipv6_first else found


def service_line(name: str, names: Iterable[str]) -> str:
    """The line of a service with these names, which identifies the service."""
    return " ".join((f"@{{{name}.ip}}", *names))


def addressed(
    resolver: Resolver, subscription: Subscription, service: Service, names: Mapping[str, frozenset[str]], line: str
) -> Outcome:
    """The service's addresses, each with the names that stand for its container."""
    own = {c.key: tuple(name for name, ids in names.items() if c.key.id in ids) for c in service.containers}
    members = [
        member_of(resolver, service, container, addressed=True)
        for container in service.containers
        if own[container.key]
    ]
    owned = [
        (Record(address, own[member.container.key]), member.origin)
        for member in members
        for address in addresses(member.reached, subscription)
    ]
    if owned:
        return as_far_as_known(resolver, service, published(line, owned, source_of(service)))
    found = [member for member in members if member.missing is None]
    if not found:
        return why_no_member(resolver, service, service.name, line, members)
    kind = Unknown if any(member.is_stale for member in found) else Gone
    return kind(line, f"{service.name}: no address of the families that are asked for")
