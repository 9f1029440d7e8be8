"""The reasons of each line of subscribers' files, as data: the answer of `why --json`.

They are worked out anew from the facts of this moment, in steps, by the daemon and by a command alike.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import anyio.lowlevel

from hostwatch.control.history import instant
from hostwatch.control.reconcile.plan import STEPS
from hostwatch.control.remotes import SourceState
from hostwatch.control.source_list import notes, unasked_note
from hostwatch.control.standing import Standing
from hostwatch.control.status import described
from hostwatch.control.subscribers import NoNameError
from hostwatch.control.turns import Turns
from hostwatch.control.view import Json
from hostwatch.core.block.records import Record, Withheld
from hostwatch.core.model import FileKind
from hostwatch.core.names import folded, shown
from hostwatch.core.resolve.bearers import Bearers
from hostwatch.core.resolve.desired import desired_block, is_computed
from hostwatch.core.resolve.explained import Explained, Explanation, names_of
from hostwatch.core.resolve.origins import Requests
from hostwatch.core.resolve.outcome import Last
from hostwatch.core.store.lister import Lister


@dataclass(frozen=True, slots=True)
class Clock:
    """The time by which lines linger."""

    now: float
    """The event loop's seconds."""
    wall: float
    """The same moment in seconds since the epoch."""
    linger_seconds: float

    def end(self, last: Last) -> str | None:
        """When a line ends that is gone, for people."""
        if last.gone_since is None:
            return None
        return instant(self.wall + last.gone_since + self.linger_seconds - self.now)


async def why(
    store: Lister,
    standings: Iterable[Standing],
    names: Collection[str],
    clock: Clock | None = None,
    sources: Mapping[str, SourceState] | None = None,
) -> Json:
    """The answer about these files, perhaps of some names alone. Raises `NoNameError`.

    Without a clock it is a command that asks, which does not know what lingers.
    """
    asked = sources or {}
    of_command = (_UNKNOWN_TO_COMMANDS, *unasked_note(store.remotes.sources - asked.keys()))
    return {
        "subscribers": await _subscribers(store, standings, names, clock or Clock(0.0, 0.0, 0.0)),
        "worked_out_by": "command" if clock is None else "daemon",
        "notes": [*(of_command if clock is None else ()), *notes(asked)],
    }


_UNKNOWN_TO_COMMANDS = (
    "no daemon was asked: this is what it would decide now;"
    " it is not known what lingers, and since when each record is so"
)


async def _subscribers(
    store: Lister, standings: Iterable[Standing], names: Collection[str], clock: Clock
) -> list[Json]:
    turns, bearers = Turns(), Bearers(store)
    for container in [*store.everywhere]:
        bearers.take_in(container)
        await turns.give()
    asking = _Asking(store, bearers, clock, {folded(name): name for name in names}, turns)
    found = [await _subscriber(asking, standing) for standing in standings]
    for missing in asking.wanted.keys() - asking.known:
        name = shown(asking.wanted[missing])
        raise NoNameError(f"{name}: no line gives or looks up this name; without it all are shown")
    return found


@dataclass(frozen=True, slots=True)
class _Asking:
    """What is asked, and by what it is answered."""

    store: Lister
    bearers: Bearers
    clock: Clock
    wanted: Mapping[str, str]
    """The names that are asked for, by their folded form; empty: all lines are."""
    turns: Turns
    known: set[str] = field(default_factory=set)
    """The names that were found."""


async def _subscriber(asking: _Asking, standing: Standing) -> Json:
    container = standing.container
    return {
        "id": container.key.id,
        "name": container.name,
        "kind": "container" if container.host_file is None else "file",
        **await _file(asking, standing, FileKind.HOSTS),
        "resolv": await _file(asking, standing.resolv, FileKind.RESOLV) if standing.resolv is not None else None,
    }


async def _file(asking: _Asking, standing: Standing, kind: FileKind) -> Json:
    """One file of a subscriber."""
    explanation, lines = await _explanation(asking, standing, kind), list[Json]()
    for _ in explanation.prepare():
        await asking.turns.give()
    for explained in explanation.lines(asking.wanted, asking.clock.end):
        await asking.turns.give()
        if explained is not None:
            asking.known.update(names_of(explained.line, explained.records))
            lines.append(_line(explained, explanation.requests, standing.sinces))
    return {"path": str(standing.path), "in_sync": standing.in_sync, "error": standing.error, "lines": lines}


async def _explanation(asking: _Asking, standing: Standing, kind: FileKind) -> Explanation:
    owner, store, clock = standing.container.key, asking.store, asking.clock
    requests = store.sharing(owner, kind).requests
    while not is_computed(store, requests, STEPS):
        await anyio.lowlevel.checkpoint()
    desired = desired_block(store, requests, standing.memory, clock.now, clock.linger_seconds)
    return Explanation(store, (owner, kind), desired, standing.block, asking.bearers)


def _line(explained: Explained, requests: Requests, sinces: Mapping[Record | Withheld, float]) -> Json:
    since = sinces.get(Withheld(explained.line, explained.reason)) if explained.reason is not None else None
    return {
        "line": explained.line,
        "asked_by": explained.asked_by,
        "state": explained.state,
        "reason": explained.reason,
        "since": instant(since) if since is not None else None,
        "records": [described(record, found, requests, sinces.get(record)) for record, found in explained.records],
        "steps": [step._asdict() for step in explained.steps],
    }
