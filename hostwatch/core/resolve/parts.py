"""The lines of a hosts file in parts: what follows from a part alone is made once, and kept with it."""

from collections.abc import Iterable
from dataclasses import dataclass

from hostwatch.core.block.records import Portion, Withheld, portion_of
from hostwatch.core.resolve.outcome import Last, Outcome, Published, Refused


@dataclass(frozen=True, slots=True)
class Settled:
    """What a part has in the block, if that depends neither on time nor on what was published before."""

    portion: Portion
    withheld: tuple[Withheld, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The outcomes of some lines, one after the other. No name is published by two parts of a file."""

    outcomes: tuple[Outcome, ...]
    published: dict[str, Published | Last]
    """The published lines by their texts, as they are remembered."""
    names: frozenset[str]
    """The names that they give, folded."""
    settled: Settled | None


def part_of(outcomes: Iterable[Outcome]) -> Part:
    """The part with these lines."""
    everyone = tuple(outcomes)
    published = [outcome for outcome in everyone if isinstance(outcome, Published)]
    withheld = [Withheld(outcome.line, outcome.reason) for outcome in everyone if isinstance(outcome, Refused)]
    names = frozenset[str]().union(*[outcome.names for outcome in published])
    settled = None
    is_whole = not any(outcome.is_partial for outcome in published)
    if is_whole and len(published) + len(withheld) == len(everyone) and _are_distinct(published, names):
        records = [record for outcome in published for record in outcome.records]
        settled = Settled(portion_of(records), tuple(withheld))
    return Part(everyone, {outcome.line: outcome for outcome in published}, names, settled)


def _are_distinct(lines: Iterable[Published], names: frozenset[str]) -> bool:
    """Whether no name is in two of the lines, or has one address twice."""
    return all(line.is_distinct for line in lines) and sum([len(line.names) for line in lines]) == len(names)
