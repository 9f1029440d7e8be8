"""The decision of a line, step by step, for people: which tiers were asked, and which containers were taken.

The steps are read off the decision itself: the tiers that `Resolver.tried` asks are those from which the answer comes,
and the members are those of which the records are made.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hostwatch.core.host_resolver import HostResolver
from hostwatch.core.model import Claim, Container, Health, NetworkMode, State
from hostwatch.core.names import folded, told
from hostwatch.core.references import Reference
from hostwatch.core.resolv_template import NAMESERVER
from hostwatch.core.resolve.bearers import Bearer, Bearers
from hostwatch.core.resolve.host_address import HostReach, host_reach
from hostwatch.core.resolve.lookup import Excluded, Resolver
from hostwatch.core.resolve.members import Member, answer_for, member_of, network_of
from hostwatch.core.resolve.outcome import Origin
from hostwatch.core.resolve.reached import Reached
from hostwatch.core.resolve.services import Ambiguous, Answer, Service, Tier
from hostwatch.core.resolve.tiers import called_here
from hostwatch.core.rules import ServiceRule


class Step(NamedTuple):
    """One step."""

    depth: int
    """0 for a step of the line itself; a step below another one is deeper."""
    kind: str
    """`asked`, `pattern`, `name`, `tier`, `candidate`, `taken`, `passed`; `published`, `unknown`, `lingers` or
    `withheld`; `shadowed`, `lost`, `would_change`."""
    text: str
    """A sentence for people. Containers choose names and labels, so it may hold any printable text."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """A name that a line looks up, for one subscriber."""

    resolver: Resolver
    own: Container | None
    """The subscriber, if its requests name it (`self`)."""
    name: str
    is_addressed: bool
    """Whether the line asks for an address of the containers."""
    origins: frozenset[Origin]
    """The origins of the line's records."""
    of_host: Reference | None = None
    """The line's reference to an address of the host."""

    @property
    def answer(self) -> Answer | Excluded:
        """What the name means."""
        return answer_for(self.resolver, self.own, self.name, self.of_host)

    def on_host(self, container: Container) -> HostReach | None:
        """The addresses of the host that the line asks for; `None` if it asks for none."""
        if self.of_host is None:
            return None
        return host_reach(self.resolver.lister, self.resolver.context, container, self.of_host)

    def steps(self, bearers: Bearers) -> Iterator[Step]:
        """All steps of the look-up."""
        yield Step(0, "name", f"{told(self.name)} is looked up from {_viewpoint(self.resolver)}")
        answer = self.answer
        if isinstance(answer, Service) and answer.tier is Tier.SELF:
            yield Step(1, "tier", "self is the subscriber itself")
        else:
            tried_tiers = self.resolver.tried(self.name)
            tiers = [(tier, tried) for tier, tried in tried_tiers if tried is not None or self._is_told(tier)]
            for tier, tried in tiers:
                yield Step(1, "tier", self._of_tier(tier, tried, is_it=tried is not None and tried == answer))
            if isinstance(answer, Service) and not any(tried for _, tried in tiers):
                found = listed(answer.containers)
                yield Step(
                    1,
                    "tier",
                    f"containers out of reach, by their own names: {found}, as no network in common is needed",
                )
        if isinstance(answer, Service):
            for container in answer.containers:
                yield from self.candidate(answer, member_of(self.resolver, answer, container, self.is_addressed))
        yield from self._others(answer, bearers)

    def _is_told(self, tier: Tier) -> bool:
        """Whether it is told that a tier has no answer: of one host alone there are no others to speak of."""
        return tier not in _OF_OTHERS or self.resolver.asks_others(tier)

    def _of_tier(self, tier: Tier, tried: Answer, *, is_it: bool) -> str:
        place = _place(self.resolver, tier)
        if tried is None:
            is_unheard = tier in _OF_OTHERS and self.resolver.awaits_others
            return f"{place}: {'not known yet' if is_unheard else f'none is called {told(self.name)}'}"
        if isinstance(tried, Ambiguous):
            return f"{place}: {tried.reason}, which are several services, so that it means none of them"
        found = f"the service {told(tried.rule.key)}" if tried.rule is not None else listed(tried.containers)
        if tried.yields:
            found += ", which has ended and yields the name to a container of that name, or with that alias"
        elif not tried.containers:
            found += _without_container(self.resolver, tried.rule)
        return f"{place}: {found}; this is the one that counts" if is_it else f"{place}: {found}"

    def candidate(self, service: Service, member: Member) -> Iterator[Step]:
        """The steps of one container behind the name."""
        container = member.container
        yield Step(2, "candidate", f"{container.name}: {_described(container, member.owner)}")
        if member.missing is not None:
            yield Step(3, "passed", f"passed over: {member.missing.reason}")
        elif (place := self.on_host(container)) is not None:
            yield _of_host(place)
        elif member.origin in self.origins or not self.is_addressed:
            yield Step(3, "taken", f"taken: {self._reached(service, member)}")
        else:
            reached = self._reached(service, member)
            yield Step(3, "passed", f"passed over: the line asks for another replica or address ({reached})")

    def _reached(self, service: Service, member: Member) -> str:
        reached = member.reached
        if not self.is_addressed:
            return "it runs"
        addresses = " and ".join(str(address) for address in (reached.ipv4, reached.ipv6) if address is not None)
        if (remote := member.container.remote) is not None and remote.is_routed:
            return f"{addresses}, to which this host has to have a route"
        if not reached.network_name:
            return f"{addresses}, the address of the host for this subscriber"
        return f"{addresses} on {told(reached.network_name)}{self._choice(service, member)}"

    def _choice(self, service: Service, member: Member) -> str:
        """Why the address on this network was chosen."""
        context = self.resolver.context
        shared = sorted(endpoint.network_name for endpoint in member.owner.endpoints if context.is_on(endpoint))
        if service.tier is Tier.SELF:
            return ""
        if (only := network_of(self.resolver.lister, service, member.container)) is not None:
            return f", as only its addresses on {told(only)} are published"
        if context.network_mode is NetworkMode.HOST:
            return ", the first network that the host reaches"
        if len(shared) > 1:
            both = told(" and ".join(shared))
            return f"; both are on {both}: user-defined networks come before bridge, then it goes by name"
        return ", where both are" if shared else ", without a shared network (`scope: any`)"

    def _others(self, answer: Answer | Excluded, bearers: Bearers) -> Iterator[Step]:
        """The containers with that name that it does not mean."""
        known = answer.ids if isinstance(answer, Service) else frozenset[str]()
        if isinstance(answer, Ambiguous):
            return  # they are named in the reason
        tier = answer.tier if isinstance(answer, Service) else None
        for container in bearers.of(self.name):
            if container.key.id not in known and container.key.engine == self.resolver.context.engine:
                why_not = Bearer(self.resolver, container, folded(self.name), tier).why_not()
                yield Step(1, "passed", f"{container.name} has the name and is not meant: {why_not}")


def _of_host(place: HostReach) -> Step:
    if not isinstance(place, Reached):
        return Step(3, "passed", f"passed over: {place.reason}")
    found = " and ".join(str(address) for address in (place.ipv4, place.ipv6) if address is not None)
    return Step(3, "taken", f"taken: it runs, and the host is {found}")


def listed(containers: Iterable[Container]) -> str:
    """Some containers, for people."""
    names = sorted({called_here(container) for container in containers})
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return told(", ".join(names[:_MOST_NAMED]) + more)


_MOST_NAMED = 10
"""A sentence names at most so many containers."""


def of_host_file(known: HostResolver | None, keyword: str) -> str:
    """What the host's own resolv.conf says, for `nameserver host` and `search host`."""
    if known is None:
        return "the host's resolv.conf is not read yet"
    if keyword != NAMESERVER:
        domains = told(" ".join(known.search))
        return f"the host searches in {domains}" if domains else "the host has no search domains"
    return f"the host asks {', '.join(map(str, known.nameservers))}" if known.fault is None else known.fault


def _viewpoint(resolver: Resolver) -> str:
    context = resolver.context
    if context.is_host_file:
        return "a file on the host, which sees all projects and networks"
    if context.network_mode is NetworkMode.HOST:
        where = "the host's network"
    else:
        networks = sorted(attachment.network_name for attachment in context.attachments)
        kind = {0: "no network", 1: "the network "}.get(len(networks), "the networks ")
        where = told(kind + " and ".join(networks))
    return f"{where}, in the compose project {told(context.project)}" if context.project is not None else where


def _place(resolver: Resolver, tier: Tier) -> str:
    context = resolver.context
    if context.is_host_file and tier in _SEEN_BY_HOST:
        return _SEEN_BY_HOST[tier]
    if tier is Tier.COMPOSE:
        project = context.project
        return f"compose services of the project {told(project)}" if project else "compose services (in no project)"
    return _PLACES[tier]


_PLACES = {
    Tier.SELF: "the subscriber itself",
    Tier.CONFIG: "services of the configuration",
    Tier.CONTAINER: "containers in reach by their own names",
    Tier.ALIAS: "aliases on the subscriber's networks",
    Tier.LABEL: "labels hostwatch.names of containers in reach",
    Tier.OVERLAY: "other hosts on the subscriber's overlay networks",
    Tier.CLUSTER: "names that other hosts publish",
}
_OF_OTHERS = (Tier.OVERLAY, Tier.CLUSTER)
_SEEN_BY_HOST = {
    Tier.COMPOSE: "compose services, as SERVICE.PROJECT",
    Tier.ALIAS: "network aliases, and compose services of all projects",
}


def _without_container(resolver: Resolver, rule: ServiceRule | None) -> str:
    """Why a service of the configuration has nobody behind it."""
    if rule is None or not rule.is_from_catalog:
        return ", which no container matches"
    if resolver.lister.remotes.awaits(rule.source):
        return ", of which its catalog has told nothing yet"
    return ", of which its catalog has no instance"


def _described(container: Container, owner: Container) -> str:
    if (remote := container.remote) is not None:
        addresses = " and ".join(str(address) for address in container.endpoints[0].addresses)
        return told(f"{remote.told_by}; {addresses or 'no address'}")
    state = {State.RUNNING: "running", State.STOPPED: "not running", State.UNKNOWN: "changing"}[container.state]
    if container.claim is Claim.DEPARTED:
        state = "removed a moment ago, and perhaps being made anew"
    health = f", {container.health.value}" if container.health not in (None, Health.NONE) else ""
    joined = f", on the network of {owner.name}" if owner is not container else ""
    places = [f"{' and '.join(map(str, e.addresses))} on {e.network_name}" for e in owner.endpoints if e.addresses]
    if owner.network_mode is NetworkMode.HOST:
        places = ["the host's network"]
    return f"{state}{health}{joined}; {told(', '.join(places)) or 'no address'}"
