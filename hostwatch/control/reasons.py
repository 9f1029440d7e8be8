"""The reasons of each line of subscribers' files, as data: the answer of `why --json`.

They are worked out anew from the facts of this moment, in steps, by the daemon and by a command alike.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import anyio.lowlevel

from hostwatch.control.history import instant
from hostwatch.control.reconcile.plan import STEPS
from hostwatch.control.standing import Standing
from hostwatch.control.status import described
from hostwatch.control.subscribers import NoNameError
from hostwatch.control.turns import Turns
from hostwatch.control.view import Json
from hostwatch.core.block.records import Record
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


async def why(store: Lister, standings: Iterable[Standing], names: Collection[str], clock: Clock | None = None) -> Json:
    """The answer about these files, perhaps of some names alone. Raises `NoNameError`.

    Without a clock it is a command that asks, which does not know what lingers.
    """
    return {
        "subscribers": await _subscribers(store, standings, names, clock or Clock(0.0, 0.0, 0.0)),
        "worked_out_by": "command" if clock is None else "daemon",
        "notes": [_UNKNOWN_TO_COMMANDS] if clock is None else [],
    }


_UNKNOWN_TO_COMMANDS = (
    "no daemon was asked: this is what it would decide now;"
    " it is not known what lingers, and since when each record is so"
)


async def _subscribers(
    store: Lister, standings: Iterable[Standing], names: Collection[str], clock: Clock
) -> list[Json]:
    turns, bearers = Turns(), Bearers(store)
    for container in [*store.containers]:
        bearers.take_in(container)
        await turns.give()
    wanted, found = {folded(name): name for name in names}, list[Json]()
    known: set[str] = set()
    for standing in standings:
        lines: list[Json] = []
        explanation = await _explanation(store, standing, bearers, clock)
        for _ in explanation.prepare():
            await turns.give()
        for explained in explanation.lines(wanted, clock.end):
            await turns.give()
            if explained is None:
                continue
            known |= names_of(explained.line, explained.records)
            lines.append(_line(explained, explanation.requests, standing.sinces))
        found.append(_subscriber(standing, lines))
    for missing in wanted.keys() - known:
        raise NoNameError(f"{shown(wanted[missing])}: no line gives or looks up this name; without it all are shown")
    return found


async def _explanation(store: Lister, standing: Standing, bearers: Bearers, clock: Clock) -> Explanation:
    owner = standing.container.key
    requests = store.sharing(owner).requests
    while not is_computed(store, requests, STEPS):
        await anyio.lowlevel.checkpoint()
    desired = desired_block(store, requests, standing.memory, clock.now, clock.linger_seconds)
    return Explanation(store, owner, desired, standing.block, bearers)


def _subscriber(standing: Standing, lines: list[Json]) -> Json:
    container = standing.container
    return {
        "id": container.key.id,
        "name": container.name,
        "kind": "container" if container.host_file is None else "file",
        "path": str(standing.path),
        "in_sync": standing.in_sync,
        "error": standing.error,
        "lines": lines,
    }


def _line(explained: Explained, requests: Requests, sinces: Mapping[Record, float]) -> Json:
    return {
        "line": explained.line,
        "asked_by": explained.asked_by,
        "state": explained.state,
        "reason": explained.reason,
        "records": [described(record, found, requests, sinces.get(record)) for record, found in explained.records],
        "steps": [step._asdict() for step in explained.steps],
    }
