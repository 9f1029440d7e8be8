"""Random histories: whatever happens, the files become right, and never say what they must not.

The real loop runs against a simulated engine, in simulated time. A failure shows the shortest history that has it,
and its story. `HOSTWATCH_HISTORIES` is how many are tried, for a longer search.
"""

import os

import anyio
import hypothesis
import pytest
import trio
from hypothesis import HealthCheck, given, note, settings
from trio._core import _run as trio_run
from trio.testing import MockClock

from tests.model.history import Step, histories
from tests.model.world import World

hypothesis.register_random(trio_run._r)  # noqa: SLF001  # it decides which task is next
_TRIED = int(os.environ.get("HOSTWATCH_HISTORIES", "150"))


async def live(history: list[Step]) -> list[str]:
    """Live through a history and what follows it, up to the first complaint."""
    async with anyio.create_task_group() as tasks:
        world = World(tasks)
        world.run_again()
        await anyio.sleep(1.0)
        for step in history:
            world.judge.tell(f"* {step}")
            step.happen(world)
            await anyio.sleep(step.pause)
            if world.check():
                break
        else:
            await world.settle()
        tasks.cancel_scope.cancel()
    note("\n".join(world.judge.story))
    return world.judge.complaints


@pytest.mark.timeout(900)  # to find the shortest history takes a while
@settings(
    max_examples=_TRIED,
    derandomize="HOSTWATCH_HISTORIES" not in os.environ,
    deadline=None,
    database=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)
@given(histories(30))
def test_every_file_becomes_right_after_any_history(history: list[Step]) -> None:
    """After each step nothing is written that was never true; after a resync all is as the contract says."""
    assert trio.run(live, history, clock=MockClock(autojump_threshold=0)) == []
