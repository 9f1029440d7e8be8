"""The tiers in which a name is looked up.

The first tier that answers wins, so that no label of a stranger can take a name away from its owner:

1. a service of the configuration        answers even without containers
2. a compose service of the subscriber's own project
3. a container's name                    if the container is in reach, running or not, or if that is not known yet
4. an alias on one of the subscriber's networks
5. a name of `hostwatch.names` on a container in reach
6. a swarm's service, or a container of another host, on one of the subscriber's overlay networks
7. a name that another hostwatch publishes (`cluster:`)

A file on the host is in no project and on no network, and sees them all. It asks for a compose service as
`service.project`; in the fourth tier, it sees the aliases on all networks and the compose services of all projects.

Host names have no case, so every name here is folded (`hostwatch.core.names`).

A container claims no name before its first start. After its end it keeps its names: a database that is being restarted
does not lose its name to another container. If it does not come back in time, it yields them (`Claim`): in its own tier
to a running container, and across tiers to a name that an engine gives or another host has, but never to a label. A
removed container yields at once to its successor, which is in the same tier, and to other tiers after the same time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from hostwatch.core.model import Claim, Container, State
from hostwatch.core.resolve.reach import in_reach, is_placed
from hostwatch.core.resolve.services import Ambiguous, Answer, Service, Tier
from hostwatch.core.rules import ServiceRule
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.network_context import NetworkContext

_NOT_OF_LABELS = (Tier.CONTAINER, Tier.ALIAS, Tier.OVERLAY, Tier.CLUSTER)
"""The tiers whose names an engine gives, or the operator of another host: an ended service of an earlier tier yields
its name to these alone."""


class Tiers:
    """Looks up folded names in all tiers, from one network context."""

    def __init__(self, lister: Lister, context: NetworkContext, any_scope: bool) -> None:
        self._lister = lister
        self._context = context
        self._any_scope = any_scope

    def reaches(self, container: Container) -> bool:
        """Whether the subscriber could reach the container if it ran."""
        same_engine = container.key.engine == self._context.engine
        return same_engine and in_reach(self._lister, self._context, container, self._any_scope)

    def answer(self, name: str) -> Answer:
        """The answer of the first tier that has one and does not yield to a later one."""
        return answer_of(self.tried(name))

    def tried(self, name: str) -> Iterator[tuple[Tier, Answer]]:
        """Each tier that is asked, with its answer. None is asked after an answer that does not yield."""
        look_ups = (
            (Tier.CONFIG, self._configured),
            (Tier.COMPOSE, self._own_project),
            (Tier.CONTAINER, self._container),
            (Tier.ALIAS, self._alias),
            (Tier.LABEL, self._label),
            (Tier.OVERLAY, self._overlay),
            (Tier.CLUSTER, self._cluster),
        )
        return tried(name, look_ups)

    def _configured(self, name: str) -> Answer:
        match self._lister.rules.service(name):
            case ():
                return None
            case (rule,):
                return Service(name, Tier.CONFIG, tuple(self._behind(rule)), rule)
            case several:
                keys = " and ".join(rule.key for rule in several)
                return Ambiguous(f"{name}: claimed by the services {keys} of the configuration")

    def _behind(self, rule: ServiceRule) -> list[Container]:
        """The containers behind a service of the configuration: those of this host, else or also those of others."""
        engine = self._context.engine
        if rule.is_from_catalog:
            return self._lister.remotes.in_group(engine, rule.group)
        found = [c for c in self._lister.behind_rule(rule) if c.key.engine == engine]
        if not rule.prefers_any and any(c.claim is Claim.FULL for c in found):
            return found
        others = self._lister.remotes.in_group(engine, rule.group)
        if not others or not rule.prefers_any:
            return others or found
        return sorted((*found, *others), key=lambda container: container.replica_order)

    def _own_project(self, name: str) -> Answer:
        engine, project = self._context.engine, self._context.project
        if self._context.is_host_file:
            return self.claimed(name, Tier.COMPOSE, self._lister.qualified(engine, name))
        if project is None:
            return None
        return self.claimed(name, Tier.COMPOSE, self._lister.in_compose(engine, project, name))

    def _container(self, name: str) -> Answer:
        named = self._lister.named(self._context.engine, name)
        latest: dict[str, Container] = {}
        for container in _present(named):
            if self.reaches(container) or self._may_be_near(container):
                latest.setdefault(container.name, container)
        return self.claimed(name, Tier.CONTAINER, latest.values())

    def _may_be_near(self, container: Container) -> bool:
        """Whether a container may be on a network that is not known yet, as its early addresses come one by one."""
        sandbox = self._lister.joins.sandbox(container)
        if sandbox is None or container.state is State.STOPPED:
            return False
        return not is_placed(sandbox) or (sandbox.network_mode is None and sandbox.state is State.UNKNOWN)

    def _alias(self, name: str) -> Answer:
        engine = self._context.engine
        if self._context.is_host_file:
            return self.claimed(name, Tier.ALIAS, self._lister.called(engine, name))
        by_network = [self._lister.aliased(engine, endpoint, name) for endpoint in self._context.attachments]
        everyone = {container.key: container for found in by_network for container in found}
        return self.claimed(name, Tier.ALIAS, everyone.values(), by_network)

    def _label(self, name: str) -> Answer:
        found = [c for c in self._lister.labelled(self._context.engine, name) if self.reaches(c)]
        return self.claimed(name, Tier.LABEL, found)

    def _overlay(self, name: str) -> Answer:
        found = self._lister.remotes.named(self._context.engine, name)
        for attachment in sorted(self._context.attachments, key=lambda each: each.network_name) if found else ():
            there = [container for container in found if container.endpoints[0].same_network(attachment)]
            if there:  # all of them are one service, as for the engine's DNS
                return self.claimed(name, Tier.OVERLAY, there, [there])
        return None

    def _cluster(self, name: str) -> Answer:
        engine, project = self._context.engine, self._context.project
        found = self._lister.remotes.named(engine, name)
        if project is not None:
            found = self._lister.remotes.in_compose(engine, project, name) or found
        return self.claimed(name, Tier.CLUSTER, [c for c in found if c.remote is not None and c.remote.is_routed])

    def claimed(
        self,
        name: str,
        tier: Tier,
        claimants: Iterable[Container],
        networks: Iterable[list[Container]] = (),
    ) -> Answer:
        """The service of all the claimants of a tier if they form one, else of those that have not ended.

        `networks` are the containers with this alias on each network. All containers with an alias on one network are
        replicas, as for the engine's DNS.
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
        names = " and ".join(sorted(map(called_here, staying or found)))
        return Ambiguous(f"{name}: claimed by {names}", not staying, tier, tuple(found))

    def _are_one(self, found: list[Container], networks: Iterable[list[Container]]) -> bool:
        """Whether these are a single container, replicas on one network, or members of one service."""
        if len(found) == 1:
            return True
        keys = {container.key for container in found}
        return any(keys.issubset(c.key for c in there) for there in networks) or bool(
            frozenset.intersection(*map(self._memberships, found))
        )

    def _memberships(self, container: Container) -> frozenset[tuple[str, ...]]:
        """The services that a container is a member of: entries of the configuration, and its compose service."""
        found: set[tuple[str, ...]] = {("rule", rule.key) for rule in self._lister.roles(container.key).services}
        if container.project is not None and container.compose_service is not None:
            found.add(("compose", container.project, container.compose_service))
        if container.remote is not None and container.remote.group:
            found.add(("group", container.remote.group))
        return frozenset(found)


def tried(name: str, look_ups: Iterable[tuple[Tier, Callable[[str], Answer]]]) -> Iterator[tuple[Tier, Answer]]:
    """The tiers that are asked for a name, each with its answer; `look_ups` are those of the tiers, in their order."""
    does_yield = False
    for tier, look_up in look_ups:
        if does_yield and tier not in _NOT_OF_LABELS:
            continue
        answer = look_up(name)
        yield tier, answer
        if answer is not None and not answer.yields:
            return
        does_yield = does_yield or answer is not None


def answer_of(asked: Iterable[tuple[Tier, Answer]]) -> Answer:
    """The answer of the first tier that has one and does not yield to a later one."""
    found = [answer for _, answer in asked if answer is not None]
    if not found:
        return None
    return found[0] if found[-1].yields else found[-1]


def settled(answers: Mapping[Tier, Answer]) -> Answer:
    """The answer that counts of those that the tiers have given."""
    if len(answers) < 2:
        return next(iter(answers.values()), None)
    return answer_of(tried("", ((tier, partial(_known, answers.get(tier))) for tier in Tier)))


def _known(answer: Answer, _name: str) -> Answer:
    return answer


def called_here(container: Container) -> str:
    """The container's name for people; with its host if that is another one."""
    if container.remote is None or not container.remote.host:
        return container.name
    return f"{container.name} on {container.remote.host}"


def _present(claimants: Iterable[Container]) -> list[Container]:
    """The claimants without those that were just removed, unless there are no others."""
    everyone = list(claimants)
    if len(everyone) < 2:
        return everyone
    return [container for container in everyone if container.claim is not Claim.DEPARTED] or everyone
