"""What is measured when somebody asks: how many files are right, how many lines are withheld, how many services are."""

from collections.abc import Iterable
from dataclasses import dataclass

from hostwatch.control.remotes import SourceState
from hostwatch.control.service_list import Place, place_of
from hostwatch.control.standing import Standing
from hostwatch.control.turns import Turns
from hostwatch.core.store.lister import Lister


@dataclass(frozen=True, slots=True)
class Gauges:
    """The daemon at one moment. All numbers are those of `status`."""

    is_engine_up: bool
    in_sync: int
    """Subscribers whose files are right."""
    out_of_sync: int
    """Subscribers of which a file is not. One that is stopped has no file, and is in neither number."""
    withheld: int
    """Lines that are withheld, in the files of all subscribers."""
    services: int
    sources: tuple[tuple[str, SourceState], ...] = ()
    """The sources of names on other hosts, each with its state."""


async def measured(
    lister: Lister,
    standings: Iterable[Standing],
    sources: tuple[tuple[str, SourceState], ...] = (),
    *,
    is_engine_up: bool,
) -> Gauges:
    """Count everything, in steps."""
    turns, in_sync, out_of_sync, withheld = Turns(), 0, 0, 0
    for standing in standings:
        files = [standing] if standing.resolv is None else [standing, standing.resolv]
        is_right = all(each.in_sync for each in files)
        in_sync += is_right
        out_of_sync += not is_right
        withheld += sum(len(each.block.withheld) for each in files)
        await turns.give()
    places: set[Place | None] = set()
    for container in [*lister.everywhere]:
        places.add(place_of(lister, container))
        await turns.give()
    services = len(lister.rules.services) + len(places - {None})
    return Gauges(is_engine_up, in_sync, out_of_sync, withheld, services, sources)
