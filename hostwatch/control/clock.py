"""The event loop's time, as all parts of the control loop read it: several times for each change."""

from asyncio import get_running_loop

import anyio


def loop_time() -> float:
    """The event loop's seconds. With asyncio, anyio would take ten function calls to find the loop."""
    try:
        return get_running_loop().time()
    except RuntimeError:  # another event loop, as in tests with simulated time
        return anyio.current_time()
