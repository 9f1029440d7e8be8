"""What is measured when somebody asks: how many files are right, how many lines are withheld, how many services are."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from hostwatch.control.standing import Standing
from hostwatch.control.turns import Turns
from hostwatch.core.model import Container
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


async def measured(lister: Lister, standings: Iterable[Standing], *, is_engine_up: bool) -> Gauges:
    """Count everything, in steps."""
    turns, in_sync, out_of_sync, withheld = Turns(), 0, 0, 0
    for standing in standings:
        files = [standing] if standing.resolv is None else [standing, standing.resolv]
        is_right = all(each.in_sync for each in files)
        in_sync += is_right
        out_of_sync += not is_right
        withheld += sum(len(each.block.withheld) for each in files)
        await turns.give()
    places: set[Hashable] = set()
    for container in [*lister.containers]:
        places.add(_place(lister, container))
        await turns.give()
    services = len(lister.rules.services) + len(places - {None})
    return Gauges(is_engine_up, in_sync, out_of_sync, withheld, services)


def _place(lister: Lister, container: Container) -> Hashable:
    """The service outside the configuration that a container belongs to; `None` if there is none."""
    roles = lister.roles(container.key)
    if not roles.enabled or roles.services:
        return None
    if container.project is not None and container.compose_service is not None:
        return container.project, container.compose_service
    return container.key
