"""The explanation of a name that a pattern of `publish_as` makes: what it is made of, and then the look-up of that."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from hostwatch.core.names import folded, told
from hostwatch.core.patterns import Part
from hostwatch.core.resolve.bearers import Bearers
from hostwatch.core.resolve.everything import everything_of
from hostwatch.core.resolve.lookup import Excluded
from hostwatch.core.resolve.members import member_of
from hostwatch.core.resolve.origins import Asked
from hostwatch.core.resolve.publishing import Making, Publisher
from hostwatch.core.resolve.services import Ambiguous, Answer, Service
from hostwatch.core.resolve.steps import LookUp, Step, listed
from hostwatch.core.store.lister import Lister

_MOST_TOLD = 50
"""Of a line with more names, the makings of so many are told."""


@dataclass(frozen=True, slots=True)
class MadeLookUp(LookUp):
    """A name that patterns make."""

    decided: Answer | Excluded = None
    before: str = ""
    """The name that `{name}` stands for; empty if it is made of other parts."""
    sentences: tuple[str, ...] = ()
    """What each name of the line is made of."""

    @property
    def answer(self) -> Answer | Excluded:
        """What the name means."""
        return self.decided

    def steps(self, bearers: Bearers) -> Iterator[Step]:
        """All steps of the look-up."""
        yield from (Step(0, "pattern", sentence) for sentence in self.sentences)
        known = frozenset[str]()
        answer: Answer | Excluded = None
        if self.before:
            before = LookUp(self.resolver, self.own, self.before, self.is_addressed, self.origins)
            yield from before.steps(bearers)
            answer = before.answer
            known = answer.ids if isinstance(answer, Service) else known
        if isinstance(self.decided, Ambiguous) and not isinstance(answer, Ambiguous):
            yield Step(1, "tier", f"{self.decided.reason}, which are several services, so that it means none of them")
        if isinstance(self.decided, Service):
            for container in self.decided.containers:
                if container.key.id not in known:
                    member = member_of(self.resolver, self.decided, container, self.is_addressed)
                    yield from self.candidate(self.decided, member)


def look_up_of_all(lister: Lister, asked: Asked, look_up: LookUp, line: str) -> LookUp:
    """The look-up of a line of `services: "*"`, whose names may be made by patterns; `look_up` is that without them."""
    everything = everything_of(lister, asked.request.query)
    publisher, name = everything.publisher, folded(look_up.name)
    if publisher is None or lister.rules.service(name):
        return look_up
    makings, found = [*publisher.makings(name)], everything.found(name)
    if not makings and (before := min(publisher.names_in(name), key=len, default="")):
        return replace(look_up, name=before)
    gone = Excluded(f"{name}: no container in reach has these parts any more")
    return MadeLookUp(
        look_up.resolver,
        look_up.own,
        look_up.name,
        look_up.is_addressed,
        look_up.origins,
        decided=found.answer if found is not None else gone,
        before=next((making.source.name for making in makings if making.source.name), ""),
        sentences=tuple(islice(_sentences(publisher, asked, line.split()[1:]), _MOST_TOLD)),
    )


def _sentences(publisher: Publisher, asked: Asked, names: list[str]) -> Iterator[str]:
    for name in names:
        for making in publisher.makings(folded(name)):
            if making.pattern.text != f"{{{Part.NAME.value}}}":
                yield _sentence(name, making, asked.place_of(making.source.rank))


def _sentence(name: str, making: Making, place: str) -> str:
    pattern = making.pattern
    parts = [part for part in Part if part in pattern.parts]
    values = ", ".join(f"{{{part.value}}} is {making.values[part]}" for part in parts)
    return f"{told(name)} is {pattern.text} ({told(place)}) of {listed(making.containers)}, where {told(values)}"
