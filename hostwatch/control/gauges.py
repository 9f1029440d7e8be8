"""What is measured when somebody asks: how many files are right, how many lines are withheld, how many services are."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import anyio.lowlevel

from hostwatch.control.reconcile.state import FileState
from hostwatch.core.model import Container, ContainerKey, State
from hostwatch.core.store.lister import Lister

_STEP = 500
"""Files or containers that are counted between two steps of the event loop: a millisecond."""

StateOf = Callable[[ContainerKey], FileState]
"""The state of a file."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """The daemon at one moment."""

    is_engine_up: bool
    in_sync: int
    """Subscribers whose file is right, as far as is known. One that is stopped has no file: it is not counted."""
    out_of_sync: int
    withheld: int
    """Lines that are withheld, in the files of all subscribers."""
    services: int
    """As many as `status` lists."""


async def measured(lister: Lister, state_of: StateOf, *, is_engine_up: bool) -> Gauges:
    """Count everything, some at a time."""
    return Gauges(is_engine_up, *await _of_files(lister, state_of), await _services(lister))


async def _of_files(lister: Lister, state_of: StateOf) -> tuple[int, int, int]:
    in_sync = out_of_sync = withheld = 0
    for number, key in enumerate(lister.subscriber_files):
        if number % _STEP == 0:
            await anyio.lowlevel.checkpoint()
        container = lister.container(key)
        if container is None or container.state is State.STOPPED:
            continue
        state = state_of(key)
        is_right = state.in_sync and not lister.joins.has_lost_network(container)
        in_sync += is_right
        out_of_sync += not is_right
        withheld += len(state.block.withheld)
    return in_sync, out_of_sync, withheld


async def _services(lister: Lister) -> int:
    places: set[Hashable] = set()
    for number, container in enumerate([*lister.containers]):
        if number % _STEP == 0:
            await anyio.lowlevel.checkpoint()
        places.add(_place(lister, container))
    return len(lister.rules.services) + len(places - {None})


def _place(lister: Lister, container: Container) -> Hashable:
    """The service outside the configuration that a container belongs to; `None` if there is none."""
    roles = lister.roles(container.key)
    if not roles.enabled or roles.services:
        return None
    if container.project is not None and container.compose_service is not None:
        return container.project, container.compose_service
    return container.key
