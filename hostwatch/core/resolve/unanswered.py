"""What is asked for and stands for nothing, as far as an engine's containers show: slips, for the most part."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from hostwatch.core.likeness import neighbours
from hostwatch.core.model import Container, EngineId
from hostwatch.core.references import SELF
from hostwatch.core.store.lister import Lister

_MOST_SOUGHT = 20
"""For how many names that nothing has it is looked for what is near, some two milliseconds each."""
_MOST_ASKED = 10_000
"""How many names of labels are looked at, some microseconds each: a container may ask for any number of them."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A name that a container's labels ask for, that nothing has, and that is near to one that something has."""

    container: Container
    name: str
    near: str

    def __str__(self) -> str:
        return f"{self.container.name}: nothing has the name {self.name!r}; did you mean {self.near!r}?"


def idle_services(lister: Lister) -> list[str]:
    """The services of the configuration that no container is behind, by their keys."""
    return [rule.key for rule in lister.rules.services if not lister.behind_rule(rule)]


def idle_subscribers(lister: Lister) -> list[str]:
    """The subscribers of the configuration that no container is, by their keys."""
    in_use = {id(wanted) for key in lister.by_index("subscriber") for wanted in lister.roles(key).subscriptions}
    rules = (rule for rule in lister.rules.subscribers if not isinstance(rule.target, Path))
    return [rule.key for rule in rules if id(rule.subscription) not in in_use]


def is_answered(lister: Lister, engine: EngineId, name: str) -> bool:
    """Whether anything has this name, wherever it is and whether it runs or not."""
    return (
        name == SELF
        or bool(lister.rules.service(name))
        or bool(lister.named(engine, name))
        or bool(lister.called(engine, name))
        or bool(lister.labelled(engine, name))
        or bool(lister.qualified(engine, name))
    )


class Nearest:
    """Looks for names that something has and that differ by a letter from one that nothing has."""

    def __init__(self, lister: Lister, engine: EngineId) -> None:
        self._lister = lister
        self._engine = engine
        self._found: dict[str, str | None] = {}

    def of(self, name: str) -> str | None:
        """The name that is near, if there is one."""
        if name not in self._found and len(self._found) < _MOST_SOUGHT:
            near = (other for other in neighbours(name) if is_answered(self._lister, self._engine, other))
            self._found[name] = next(near, None)
        return self._found.get(name)


def unanswered(lister: Lister, engine: EngineId) -> Iterator[Unanswered]:
    """What labels ask for and can hardly mean. A name alone that is not there yet is nothing: it may come."""
    if lister.any_aliases_unread(engine):
        return
    nearest, known = Nearest(lister, engine), dict[str, bool]()
    for container, name in islice(_asked_by_labels(lister), _MOST_ASKED):
        if name not in known:
            known[name] = is_answered(lister, engine, name)
        if not known[name] and (near := nearest.of(name)) is not None:
            yield Unanswered(container, name, near)


def _asked_by_labels(lister: Lister) -> Iterator[tuple[Container, str]]:
    configured = {id(rule.subscription) for rule in lister.rules.subscribers}
    for key in sorted(lister.by_index("subscriber")):
        container = lister.container(key)
        own = [wanted for wanted in lister.roles(key).subscriptions if id(wanted) not in configured]
        names = dict.fromkeys(n for wanted in own for n in (*(line.service for line in wanted.lines), *wanted.services))
        if container is not None:
            yield from ((container, name) for name in names if name is not None)
