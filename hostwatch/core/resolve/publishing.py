"""The names that the patterns of `publish_as` make of the containers in reach, and the service behind each.

`{name}` stands for each name that `services: "*"` publishes without patterns, so what a name with a suffix means is
what the name itself means. Any other part stands for a fact of the container. Such a name belongs to the containers
that have those facts, in the tier in which that fact is looked up: of its own project's compose services, or of
aliases. A name that the configuration gives to a service belongs to that service.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from hostwatch.core.model import Container, ContainerKey
from hostwatch.core.patterns import Part, Pattern
from hostwatch.core.resolve.grouping import Grouping
from hostwatch.core.resolve.lookup import Excluded, InReach, Resolver, excluded
from hostwatch.core.resolve.making import Made, Maker, Source
from hostwatch.core.resolve.services import Ambiguous, Answer, Service, Tier
from hostwatch.core.resolve.tiers import Tiers, settled
from hostwatch.core.store.results import Kept

_NAME_ALONE = frozenset([Part.NAME])
Names = Grouping[ContainerKey, dict[str, str], str]
"""The names of containers, folded and as written."""


@dataclass(frozen=True, slots=True)
class Making:
    """One way in which a name is made, of some containers."""

    pattern: Pattern
    source: Source
    values: Mapping[str, str]
    """The values of the first container's parts."""
    containers: tuple[Container, ...]


class Publisher:
    """The names that patterns make in one network context."""

    def __init__(self, resolver: Resolver, patterns: tuple[Pattern, ...]) -> None:
        self._resolver = resolver
        self._tiers = Tiers(resolver.lister, resolver.context, resolver.any_scope)
        self._patterns = patterns
        self._suffixes = tuple(pattern.suffix for pattern in patterns if pattern.suffix)
        results = resolver.lister.results
        self._made = made = Kept(results, Maker(resolver, patterns).made_of)
        # Nothing here refers to itself, so that it goes when it is dropped.
        self.names: Names = Grouping(results, lambda key: _written(made(key)), lambda names: names)
        """The containers with the names that are made of each, folded and as written."""

    def close(self) -> None:
        """Drop what is kept for the names."""
        self._resolver.lister.results.forget(self._made)

    def rank(self, name: str) -> int:
        """The place of the first pattern that makes a name."""
        made = (made for key in self.names.members(name) for made in self._made(key).get(name, ()))
        return min([one.source.rank for one in made], default=0)

    def in_reach(self, name: str) -> InReach:
        """The service that gets a name, or the reason why it is left out."""
        if self._resolver.lister.rules.service(name):
            return self._resolver.in_reach(name)
        claims: dict[Tier, Answer] = {}
        exclusion: Excluded | None = None
        for source, makers in self._sources(name).items():
            answers = [*self._answers(name, source, makers)]
            if answers and self._is_excluded(name, source, makers.values()):
                exclusion = excluded(name)
                continue
            for tier, answer in answers:
                claims[tier] = self._joined(name, tier, claims.get(tier), answer)
        if exclusion is not None and not claims:
            return InReach(exclusion, ((name,),))
        return self._resolver.reached(name, settled(claims))

    def _sources(self, name: str) -> dict[Source, dict[ContainerKey, Made]]:
        """What a name is made by, and of which containers."""
        found: dict[Source, dict[ContainerKey, Made]] = {}
        for key in self.names.members(name):
            for made in self._made(key).get(name, ()):
                found.setdefault(made.source, {})[key] = made
        return found

    def _answers(
        self, name: str, source: Source, makers: Mapping[ContainerKey, Made]
    ) -> Iterator[tuple[Tier, Service | Ambiguous]]:
        """The services to which a name belongs if it is made by this source alone, each with its tier."""
        if source.name:
            found = self._of_name(name, source, makers)
            if found is not None:
                yield found.tier, found
            return
        by_tier: dict[Tier, list[Container]] = {}
        for container in filter(None, map(self._resolver.lister.container, makers)):
            by_tier.setdefault(self._tier(self._patterns[source.rank], container), []).append(container)
        for tier, containers in by_tier.items():
            if (answer := self._tiers.claimed(name, tier, containers)) is not None:
                yield tier, answer

    def _of_name(self, name: str, source: Source, makers: Mapping[ContainerKey, Made]) -> Answer:
        """What `{name}` stands for, without the containers whose other parts make another name."""
        answer = self._resolver.service(source.name)
        is_bare = self._patterns[source.rank].parts == _NAME_ALONE
        if answer is None or (isinstance(answer, Service) and is_bare):
            return answer
        containers = tuple(c for c in answer.containers if is_bare or c.key in makers)
        if isinstance(answer, Service):
            return replace(answer, containers=containers) if containers else None
        return self._tiers.claimed(name, answer.tier, containers) if answer.containers else answer

    def _tier(self, pattern: Pattern, container: Container) -> Tier:
        """The tier of a name that is made of a container's facts, as if it was looked up by them."""
        is_of_project = Part.PROJECT in pattern.parts or container.project == self._resolver.context.project
        is_service = Part.SERVICE in pattern.parts and Part.HOSTNAME not in pattern.parts
        return Tier.COMPOSE if is_service and is_of_project else Tier.ALIAS

    def _joined(self, name: str, tier: Tier, first: Answer, second: Service | Ambiguous) -> Answer:
        """The answer of a tier in which a name is made in two ways."""
        if first is None or first == second:
            return second
        if isinstance(first, Service) and isinstance(second, Service) and first.ids == second.ids:
            return first
        for answer in (first, second):
            if isinstance(answer, Ambiguous) and not answer.containers:
                return answer
        everyone = {container.key: container for answer in (first, second) for container in answer.containers}
        return self._tiers.claimed(name, tier, everyone.values())

    def _is_excluded(self, name: str, source: Source, makers: Iterable[Made]) -> bool:
        """Whether a file on the host must not get a name, because a container chose a part of it that has a dot.

        The operator chose the suffixes of the patterns and of configured names, so such names are allowed.
        """
        resolver = self._resolver
        if not resolver.context.is_host_file or "." not in name:
            return False
        if resolver.lister.rules.has_suffix(name) or name.endswith(self._suffixes):
            return False
        if source.name and resolver.exclusion(source.name) is not None:
            return True
        others = self._patterns[source.rank].parts - {Part.NAME}
        return any("." in made.values[part] for made in makers for part in others)

    def makings(self, name: str) -> Iterator[Making]:
        """The ways in which a folded name is made, in the order of the patterns."""
        for source, makers in sorted(self._sources(name).items(), key=lambda each: each[0]):
            found = filter(None, map(self._resolver.lister.container, makers))
            containers = sorted(found, key=lambda container: container.replica_order)
            if containers:
                values = makers[containers[0].key].values
                yield Making(self._patterns[source.rank], source, values, tuple(containers))

    def names_in(self, name: str) -> Iterator[str]:
        """The names that `{name}` may have stood for when a name was made."""
        return filter(None, (pattern.name_in(name) for pattern in self._patterns))


def _written(made: Mapping[str, list[Made]]) -> dict[str, str]:
    return {name: found[0].written for name, found in made.items()}
