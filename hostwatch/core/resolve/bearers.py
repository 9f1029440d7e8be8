"""Everyone who has a name, in reach or not: for the explanation why another one, or nobody, has it here."""

from collections.abc import Iterator
from dataclasses import dataclass

from hostwatch.core.model import Claim, Container
from hostwatch.core.names import folded, told
from hostwatch.core.remote import RemoteEndpoint
from hostwatch.core.resolve.lookup import Resolver
from hostwatch.core.resolve.reach import reach
from hostwatch.core.resolve.reached import Unreached
from hostwatch.core.resolve.services import Tier
from hostwatch.core.store.lister import Lister

_SERVICE = "com.docker.compose.service"


class Bearers:
    """The containers of an engine by all names that somebody may mean them by, also those that count for nothing."""

    def __init__(self, lister: Lister) -> None:
        self._lister = lister
        self._by_name: dict[str, list[Container]] = {}

    def take_in(self, container: Container) -> None:
        """Take in one container."""
        aliases = {alias for endpoint in container.endpoints for alias in endpoint.aliases or ()}
        names = {container.name, *aliases, *self._lister.roles(container.key).names}
        names.update(filter(None, [container.labels.get(_SERVICE)]))
        if container.remote is not None:
            rule = self._lister.rules.behind_group(container.remote.group)
            names.update(container.remote.names, (rule.key, *rule.names) if rule is not None else ())
        for name in {folded(name) for name in names}:
            self._by_name.setdefault(name, []).append(container)

    def of(self, name: str) -> list[Container]:
        """The containers with a name, by their own names."""
        return sorted(self._by_name.get(folded(name), ()), key=lambda container: (container.name, container.key))


@dataclass(frozen=True, slots=True)
class Bearer:
    """A container that has a name and is not the one that the name means."""

    resolver: Resolver
    container: Container
    name: str
    """Folded."""
    answered: Tier | None
    """The tier that answered; `None` if none did."""

    def why_not(self) -> str:
        """Why the name does not mean it."""
        container = self.container
        if not self.resolver.lister.roles(container.key).enabled:
            return "its label hostwatch.enable leaves it alone"
        if container.claim is Claim.NONE:
            return "it was never started, and claims no name before that"
        found = [*self._places()]
        for tier, fault in found:
            if fault is None:
                return self._outdone(tier)
        return found[0][1] or "" if found else "it has the name no more"

    def _outdone(self, tier: Tier) -> str:
        if self.answered is None:
            return "it has ended, and yields the name"
        if tier is self.answered:
            return "it has ended, or is just removed, and another one has the name"
        return f"an earlier tier has answered ({self.answered.value} comes before {tier.value})"

    def _places(self) -> Iterator[tuple[Tier, str | None]]:
        """The tiers in which it has the name, each with the reason why that does not count here."""
        container, context = self.container, self.resolver.context
        if container.remote is not None:
            yield from self._places_elsewhere(container, container.remote)
            return
        if folded(container.labels.get(_SERVICE, "")) == self.name:
            is_named_so = context.is_host_file and not container.is_one_off
            yield (Tier.ALIAS, None) if is_named_so else (Tier.COMPOSE, self._project_fault())
        if folded(container.name) == self.name:
            yield Tier.CONTAINER, self._reach_fault()
        networks = [e for e in container.endpoints if self.name in map(folded, e.aliases or ())]
        if networks:
            is_shared = context.is_host_file or any(map(context.is_on, networks))
            names = told(" and ".join(sorted(e.network_name for e in networks)))
            yield Tier.ALIAS, None if is_shared else f"it has this alias on {names} alone, where the subscriber is not"
        if self.name in map(folded, self.resolver.lister.roles(container.key).names):
            yield Tier.LABEL, self._reach_fault()

    def _places_elsewhere(self, container: Container, remote: RemoteEndpoint) -> Iterator[tuple[Tier, str | None]]:
        """The same of an endpoint on another host."""
        rule = self.resolver.lister.rules.behind_group(remote.group)
        if rule is not None and self.name in map(folded, (rule.key, *rule.names)):
            yield Tier.CONFIG, "containers of this host come first, as the service has no `prefer: any`"
            return
        tier = Tier.CLUSTER if remote.is_routed else Tier.OVERLAY
        if self.name in map(folded, remote.names):
            is_near = self.resolver.reaches(container)
            yield tier, None if is_near else f"it is on {told(remote.network_name)} alone, where the subscriber is not"
        elif folded(container.compose_service or "") == self.name:
            yield tier, self._project_fault()

    def _project_fault(self) -> str | None:
        container, context = self.container, self.resolver.context
        if container.is_one_off:
            return "it is a container of `docker compose run`, which is no service"
        if container.project != context.project:
            project = told(container.project or "")
            return f"it is this service of the compose project {project}: only that project's containers see it so"
        return None

    def _reach_fault(self) -> str | None:
        if self.resolver.reaches(self.container):
            return None
        place = reach(self.resolver.lister, self.resolver.context, self.container, None, self.resolver.any_scope)
        return place.reason if isinstance(place, Unreached) else "it is out of reach"
