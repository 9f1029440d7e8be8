"""The desired block of a file: takes the store and the rules, and gives an outcome for each line.

An outcome has its line's records, or the reason why there are none. `hostwatch.core.resolve.linger` applies time to it:
a line that is gone may linger, an unknown one changes nothing, a refused one goes at once.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from hostwatch.core.block.records import Record
from hostwatch.core.model import AddressOrWords, ContainerKey, FileKind
from hostwatch.core.names import folded, name_fault, shown
from hostwatch.core.resolve.everything import everything_of
from hostwatch.core.resolve.linger import Desired, Others, Resolved, after_linger
from hostwatch.core.resolve.lookup import Resolver, resolver_of
from hostwatch.core.resolve.members import addressed, answer_for, service_line, unanswered
from hostwatch.core.resolve.outcome import (
    Memory,
    Origin,
    Outcome,
    Published,
    Refused,
    Unknown,
    by_line,
)
from hostwatch.core.resolve.parts import Part, part_of
from hostwatch.core.resolve.reach import in_reach
from hostwatch.core.resolve.remote_reach import Elsewhere, unheard
from hostwatch.core.resolve.resolv import resolv_outcomes
from hostwatch.core.resolve.services import Service
from hostwatch.core.resolve.templates import line_outcome
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.sharing import Query, Request


def outcomes(lister: Lister, requests: Sequence[Request]) -> tuple[Outcome, ...]:
    """The outcome of each line that is requested for a hosts file.

    The file's own container comes first, then those that share it; the configuration before labels. A name that an
    earlier source gave to another service stays with that service, and template lines win over `services:`.
    """
    return _answer(lister, requests).resolved.outcomes


def is_computed(lister: Lister, requests: Iterable[Request], most_steps: int) -> bool:
    """Take so many steps of some 20 µs towards the lines of a file with every name; returns whether none is left.

    `outcomes` and `desired_block` take all that are left.
    """
    queries = [request.query for request in requests]
    return all(everything_of(lister, q).is_complete(most_steps) for q in queries if q.subscription.everything)


def desired_block(
    lister: Lister, requests: Sequence[Request], memory: Memory, now: float, linger_seconds: float
) -> Desired:
    """The desired block of a hosts file at `now`; the memory holds what was published before."""
    answer = _answer(lister, requests)
    if answer.desired is not None:
        return answer.desired

    def holders(address: AddressOrWords, origin: Origin) -> frozenset[ContainerKey]:
        engine = requests[0].query.context.engine
        return lister.holders(engine, address, origin if origin.network_name else None)

    def called(keys: frozenset[ContainerKey]) -> str:
        return _called(lister, requests, keys)

    others = Others(holders, called, unheard_by(lister, requests))
    found = after_linger(answer.resolved, memory, now, linger_seconds, others)
    if answer.resolved.is_timeless:
        answer.desired = found
    return found


def unheard_by(lister: Lister, requests: Sequence[Request]) -> Elsewhere | None:
    """What a file's subscriber may have to expect of other hosts that have not been heard yet; `None`: nothing."""
    return unheard(lister, requests[0].query.context) if requests else None


def asks_for_all(requests: Iterable[Request]) -> bool:
    """Whether a request is for every name."""
    return any(request.query.subscription.everything for request in requests)


def _called(lister: Lister, requests: Sequence[Request], keys: frozenset[ContainerKey]) -> str:
    """The names of those containers that the file's subscriber can reach. It must not learn the names of others."""
    if not requests:
        return ""
    context = requests[0].query.context
    others = filter(None, map(lister.container, keys))
    met = (container.name for container in others if in_reach(lister, context, container, any_scope=False))
    return " and ".join(map(shown, sorted(met)))


class _Names:
    """The names that earlier requests have given, with their addresses."""

    def __init__(self) -> None:
        self._given: dict[str, set[AddressOrWords]] = {}
        self._undecided: set[str] = set()
        """Names of lines whose records are unknown."""

    @property
    def given(self) -> AbstractSet[str]:
        """The names that requests have given so far, folded."""
        return self._given.keys()

    def free(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names that no request has given yet."""
        return tuple(name for name in names if folded(name) not in self._given)

    def assign(self, found: Iterable[Outcome]) -> list[Outcome]:
        """Give the outcomes their names. Returns them without names that an earlier source gave to other addresses."""
        checked = [self._without_given(outcome) for outcome in found]
        for outcome in checked:
            if isinstance(outcome, Unknown):
                self._undecided.update(folded(name) for name in outcome.line.split()[1:])
            elif isinstance(outcome, Published):
                for record in outcome.records:
                    for name in record.names:
                        self._given.setdefault(folded(name), set()).add(record.address)
        return checked

    def _without_given(self, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Published):
            return outcome
        lower = {folded(name) for record in outcome.records for name in record.names}
        if lower.isdisjoint(self._undecided) and lower.isdisjoint(self._given):
            return outcome
        names = sorted({name for record in outcome.records for name in record.names})
        if undecided := [name for name in names if folded(name) in self._undecided]:
            return Unknown(outcome.line, f"{' '.join(undecided)}: not known yet whether an earlier line has it")
        kept = [
            (Record(record.address, free), origin)
            for record, origin in zip(outcome.records, outcome.origins, strict=True)
            if (free := tuple(name for name in record.names if self._is_free(name, record.address)))
        ]
        if not kept:
            return Refused(outcome.line, f"{' '.join(names)}: already given to another address")
        records, origins = zip(*kept, strict=True)
        return replace(outcome, records=records, origins=origins)

    def _is_free(self, name: str, address: AddressOrWords) -> bool:
        return address in self._given.get(folded(name), {address})


@dataclass(slots=True)
class _Answer:
    """The answer to a file's requests. Files with the same single query share one, unless it asks for every name."""

    resolved: Resolved
    desired: Desired | None = None
    """The desired block, if it depends neither on time nor on what was published before."""


def _answer(lister: Lister, requests: Iterable[Request]) -> _Answer:
    queries = [request.query for request in requests]
    if queries and queries[0].subscription.kind is FileKind.RESOLV:
        return _Answer(Resolved((part_of(resolv_outcomes(lister, queries)),)))
    if any(query.subscription.everything for query in queries):
        return _Answer(Resolved(_parts(lister, queries), asks_for_all=True))
    return lister.kept(_answer_to, queries[0]) if len(queries) == 1 else _Answer(Resolved(_parts(lister, queries)))


def _answer_to(lister: Lister, query: Query) -> _Answer:
    return _Answer(Resolved(_parts(lister, [query])))


def _parts(lister: Lister, queries: Sequence[Query]) -> tuple[Part, ...]:
    """The lines of a file. Of thousands with every name, only those are looked at whose names another line has."""
    star, taken = _last_star(queries), _Names()
    found = _outcomes(lister, queries, star, taken)
    parts: list[Part] = []
    if star is not None:
        lines, given = by_line(found), frozenset(taken.given)
        touched = given.union(folded(name) for line in lines for name in line.split()[1:])
        for stretch in everything_of(lister, star):
            if stretch.part is not None and stretch.names.isdisjoint(touched):
                parts.append(stretch.part)
                continue
            outcomes = taken.assign(stretch.without(given))
            parts.append(part_of(outcome for outcome in outcomes if outcome.line not in lines))
            found += [outcome for outcome in outcomes if outcome.line in lines]
    return (part_of(by_line(found).values()), *parts) if found else tuple(parts)


def _last_star(queries: Sequence[Query]) -> Query | None:
    """The query for every name, if there is one, and all other services are requested before it."""
    stars = [query for query in queries if query.subscription.everything]
    later = queries[queries.index(stars[0]) + 1 :] if len(stars) == 1 else queries
    return stars[0] if stars and not any(q.subscription.services or q in stars for q in later) else None


def _outcomes(lister: Lister, queries: Sequence[Query], star: Query | None, taken: _Names) -> list[Outcome]:
    """The outcomes of all lines and services but those of `star`; `taken` has the names that they give."""
    parts = [(query, resolver_of(lister, query.context, query.subscription.any_scope)) for query in queries]
    asked = [
        [line_outcome(resolver, query.own, query.subscription, line) for line in query.subscription.lines]
        for query, resolver in parts
    ]
    answers = by_line(outcome for outcomes in asked for outcome in outcomes)
    found: list[Outcome] = []
    for lines in asked:  # a line has the place of its first request, even if another request has the answer
        found += taken.assign([answers.pop(outcome.line) for outcome in lines if outcome.line in answers])
    for query, resolver in parts:
        if query.subscription.everything and query is not star:
            given = frozenset(taken.given)
            found += taken.assign(o for stretch in everything_of(lister, query) for o in stretch.without(given))
        found += taken.assign(_service_outcome(resolver, query, name, taken) for name in query.subscription.services)
    return found


def _service_outcome(resolver: Resolver, query: Query, name: str, taken: _Names) -> Outcome:
    """The outcome of a service that is requested by name."""
    service = answer_for(resolver, query.own, name)
    # The line identifies the service, so it must not change while containers and their labels come and go.
    own_names = service.names_as_asked(name) if isinstance(service, Service) else (name,)
    line = service_line(name, own_names)
    if not isinstance(service, Service):
        return unanswered(resolver, service, name, line)
    names = resolver.published_names(service, own_names)
    if not names:
        return Refused(line, f"{name}: {name_fault(name) or 'its names belong to several services'}")
    free = taken.free(names) or tuple(names)
    return addressed(resolver, query.subscription, service, {name: names[name] for name in free}, line)
