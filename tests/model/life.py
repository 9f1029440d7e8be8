"""One history, run in simulated time."""

import anyio
import trio
from trio.testing import MockClock

from tests.model.judge import Judge
from tests.model.steps import Step
from tests.model.troubles import Rest
from tests.model.world import World


def lived(history: list[Step]) -> Judge:
    """Run a history and the quiet time after it, up to the first complaint; returns the judge."""
    return trio.run(_live, history, clock=MockClock(autojump_threshold=0))


async def _live(history: list[Step]) -> Judge:
    async with anyio.create_task_group() as tasks:
        world = World(tasks)
        world.run_again()
        await anyio.sleep(1.0)
        for step in history:
            world.judge.tell(f"* {step}")
            step.happen(world)
            await anyio.sleep(step.pause)
            if isinstance(step, Rest):
                world.circumstances.calm = world.circumstances.informed = True
            if world.check():
                break
        else:
            await world.settle()
        tasks.cancel_scope.cancel()
    return world.judge
