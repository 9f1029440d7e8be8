"""The explanation of each line of a file: what it says, who asked for it, and the steps of its decision.

What a line says is taken from the desired block itself, so the explanation cannot say anything else.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from hostwatch.core.block.records import Block, Directive, Record, Withheld
from hostwatch.core.mentions import given_by, looked_up
from hostwatch.core.model import ContainerKey, FileKind, State
from hostwatch.core.names import folded, told
from hostwatch.core.resolv_template import ResolvLine
from hostwatch.core.resolve.bearers import Bearers
from hostwatch.core.resolve.desired import outcomes
from hostwatch.core.resolve.everything import everything_of
from hostwatch.core.resolve.left_out import LeftOut
from hostwatch.core.resolve.linger import Desired
from hostwatch.core.resolve.lookup import resolver_of
from hostwatch.core.resolve.made_steps import look_up_of_all
from hostwatch.core.resolve.origins import Asked, RecordOrigin, RecordOrigins, Requests, stretches
from hostwatch.core.resolve.outcome import Gone, Last, Outcome, Published, Unknown
from hostwatch.core.resolve.remedies import Asking, of_shadow, remedy
from hostwatch.core.resolve.resolv import resolv_outcome
from hostwatch.core.resolve.steps import LookUp, Step, listed, of_host_file
from hostwatch.core.resolve.templates import is_addressed, line_outcome
from hostwatch.core.resolve.unanswered import Nearest
from hostwatch.core.store.lister import Lister

Originated = tuple[Record, RecordOrigin]
"""A record with its origin."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One line, explained."""

    line: str
    asked_by: str | None
    state: str
    """`published`, `lingers`, `unknown` (its last records stay), or `withheld`."""
    reason: str | None
    records: tuple[Originated, ...]
    steps: tuple[Step, ...]


class Explanation:
    """The explanation of one file at one moment."""

    def __init__(
        self,
        lister: Lister,
        file: tuple[ContainerKey, FileKind],
        desired: Desired,
        standing: Block,
        bearers: Bearers,
    ) -> None:
        """`standing` is the block in the file, in which may be missing what the file itself decides."""
        self._lister = lister
        self._owner = file[0]
        self._desired = desired
        self._bearers = bearers
        self._nearest = Nearest(lister, file[0].engine)
        self._requested = lister.sharing(*file).requests
        self.requests = Requests(self._requested)
        self._reasons = {withheld.line: withheld.reason for withheld in desired.block.withheld}
        self._left_out = LeftOut(standing.withheld, self._reasons)
        self._records: dict[str, list[Originated]] = {}
        self._shadows: dict[str, list[Withheld]] = {}
        """For each line, what the file does not have of it."""
        self._given: dict[str, str] = {}
        """The names that were given so far, folded, with their lines."""

    def prepare(self) -> Iterator[None]:
        """Assign the block's records to their lines, without the names that are left out of the file.

        It is to be run to its end first. Each step is short.
        """
        origins = RecordOrigins()
        for part in stretches(self._desired.memory):
            origins.take_in(part)
            yield
        for record in self._desired.block.records:
            yield
            if (found := origins.of(record)) is None:
                continue
            own, shadows = self._left_out.apart(record)
            known = self._records.setdefault(found.line, [])
            is_twice = isinstance(own, Directive) and (own, found) in known  # two lines may have the same nameserver
            if own is not None and not is_twice:
                known.append((own, found))
            self._shadows.setdefault(found.line, []).extend(shadows)

    def lines(self, names: Collection[str], when: Callable[[Last], str | None]) -> Iterator[Explained | None]:
        """The lines in the order of the file; with names, `None` in the place of those that concern none of them.

        `when` tells when a lingering line ends, for people; `None` if that is not known.
        """
        found: dict[str, Outcome] = {outcome.line: outcome for outcome in outcomes(self._lister, self._requested)}
        for stretch in stretches(self._desired.memory):
            for line, last in stretch.items():
                if isinstance(last, Last) and last.records:
                    found.setdefault(line, _vanished(line, last))
        for line, outcome in found.items():
            records = tuple(self._records.get(line, ()))
            is_meant = not names or not names_of(line, records).isdisjoint(names)
            yield self._explained(outcome, records, when) if is_meant else None
            for record, _ in records:
                for name in record.claims:
                    self._given.setdefault(folded(name), line)

    def _explained(
        self,
        outcome: Outcome,
        records: tuple[Originated, ...],
        when: Callable[[Last], str | None],
    ) -> Explained:
        line = outcome.line
        asked = self.requests.of(line)
        place, line_asked = (asked[0].place, asked[0].line) if asked else (None, None)
        steps = [Step(0, "asked", f"{told(each.place)} asks for {told(line)}") for each in asked]
        last = self._desired.memory.get(line)
        look_up = self._look_up(outcome, asked, last)
        if look_up is not None:
            steps += look_up.steps(self._bearers)
        elif asked:
            steps.append(Step(0, "name", self._without_look_up(asked[0])))
        end = when(last) if isinstance(last, Last) and isinstance(outcome, Gone) and records else None
        state, reason = self._state(outcome, records, last)
        steps += self._conclusion(outcome, state, [record for record, _ in records], end)
        steps += self._lost(last)
        if state != "published":
            asking = Asking(line_asked, place, self._nearest)
            steps += [Step(0, "would_change", text) for text in remedy(outcome, look_up, asking)]
        return Explained(line, place, state, reason, records, tuple(steps))

    def _without_look_up(self, asked: Asked) -> str:
        """Why no name is looked up for a line."""
        if isinstance(asked.line, ResolvLine) and asked.line.is_of_host:
            return of_host_file(self._lister.host_resolver, asked.line.keyword)
        what = "its words are" if isinstance(asked.line, ResolvLine) and asked.line.words else "its address is"
        return f"{what} literal, so nothing is looked up"

    def _look_up(self, outcome: Outcome, asked: list[Asked], last: Published | Last | None) -> LookUp | None:
        """The look-up of the request that decided; `None` for a literal line, or if nobody asks any more."""
        decisive = next((each for each in asked if self._is_decisive(each, outcome)), asked[0] if asked else None)
        if decisive is None or (decisive.line is not None and decisive.line.service is None):
            return None
        query = decisive.request.query
        resolver = resolver_of(self._lister, query.context, query.subscription.any_scope)
        name = decisive.line.service if decisive.line is not None else looked_up(outcome.line)
        addressed = decisive.line is None or is_addressed(decisive.line)
        origins = frozenset(last.origins) if last is not None else frozenset()
        of_host = decisive.line.of_host if decisive.line is not None else None
        look_up = LookUp(resolver, query.own, name or "", addressed, origins, of_host)
        is_of_all = decisive.line is None and query.subscription.everything
        return look_up_of_all(self._lister, decisive, look_up, outcome.line) if is_of_all else look_up

    def _is_decisive(self, asked: Asked, outcome: Outcome) -> bool:
        """Whether a request has this kind of outcome. Of several for the same line, another one may have decided."""
        query = asked.request.query
        if asked.line is None and query.subscription.everything:
            return everything_of(self._lister, query).found(folded(looked_up(outcome.line) or "")) is not None
        if asked.line is None:
            return True
        if isinstance(asked.line, ResolvLine):
            return type(resolv_outcome(self._lister, query, asked.line)) is type(outcome)
        resolver = resolver_of(self._lister, query.context, query.subscription.any_scope)
        return type(line_outcome(resolver, query.own, query.subscription, asked.line)) is type(outcome)

    def _state(
        self, outcome: Outcome, records: Collection[Originated], last: Published | Last | None
    ) -> tuple[str, str | None]:
        shadows = self._shadows.get(outcome.line, ())
        # Another line may give all its names the same addresses, so that it has no record of its own.
        stays = bool(records) or (isinstance(last, Last) and bool(last.records) and not shadows)
        match outcome:
            case Published() if records or not shadows:
                return "published", None
            case Published():
                return "withheld", "; ".join(dict.fromkeys(shadow.reason for shadow in shadows))
            case Gone() if stays:
                return "lingers", outcome.reason
            case Unknown() if stays:
                return "unknown", outcome.reason
            case _:
                return "withheld", self._reasons.get(outcome.line, outcome.reason)

    def _conclusion(self, outcome: Outcome, state: str, records: list[Record], end: str | None) -> Iterator[Step]:
        said = told("; ".join(map(_text, records)))
        match outcome:
            case Published() if records:
                yield Step(0, "published", f"it gives {said}")
            case _ if state != "withheld" and not records:
                is_host = given_by(outcome.line)[:1] != outcome.line.split()[:1]
                same = "the same names the same addresses" if is_host else "the same"
                yield Step(0, state, f"an earlier line gives {same}")
            case Published():
                pass
            case Gone() if records:
                until = f"until {end}" if end is not None else "for a moment"
                yield Step(0, "lingers", f"{outcome.reason}: {said} lingers {until}, in case it comes back")
            case Unknown() if records:
                yield Step(0, "unknown", f"{outcome.reason}: {said} stays until that is known")
            case _:
                yield Step(0, "withheld", f"withheld: {self._reasons.get(outcome.line, outcome.reason)}")
                for name in given_by(outcome.line):
                    if (given := self._given.get(folded(name))) is not None:
                        yield Step(1, "shadowed", f"{name} is given by an earlier line: {told(given)}")
        for shadow in dict.fromkeys(self._shadows.get(outcome.line, ())):
            yield Step(0, "shadowed", f"withheld: {told(shadow.line)} ({shadow.reason})")
            if (change := of_shadow(shadow)) is not None:
                yield Step(0, "would_change", change)

    def _lost(self, last: Published | Last | None) -> Iterator[Step]:
        """The addresses that the line had, and who has them now."""
        for address, origin in last.lost if isinstance(last, Last) else ():
            place = origin if origin.network_name else None
            keys = self._lister.holders(self._owner.engine, address, place) - {origin.container}
            holders = [c for key in keys if (c := self._lister.container(key)) is not None]
            if holders:
                state = "" if any(c.state is State.RUNNING for c in holders) else ", as far as is known"
                yield Step(0, "lost", f"its last address {address} belongs to {listed(holders)} now{state}")


def _vanished(line: str, last: Last) -> Outcome:
    """The outcome of a line that nothing gives any more."""
    if last.gone_since is None:
        return Unknown(line, "what other hosts have is not known yet")
    return Gone(line, "nothing in reach has the name any more")


def _text(record: Record) -> str:
    return record.line if isinstance(record, Directive) else f"{record.address} {' '.join(record.names)}"


def names_of(line: str, records: tuple[Originated, ...]) -> set[str]:
    """The names, folded, by which a line is meant: those that it gives, and the one that it looks up."""
    found = {folded(name) for name in (*given_by(line), looked_up(line) or "")}
    return found.union(folded(name) for record, _ in records for name in record.names)
