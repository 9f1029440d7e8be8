"""The examples of property tests: all in `make test`, a tenth in `make test-fast`. And the size of a step."""

import os
import sys
from collections.abc import Callable
from types import FrameType

from hypothesis import settings

IS_FAST = "HOSTWATCH_TEST_FAST" in os.environ


def examples(many: int) -> int:
    """`many`, or a tenth of it in a fast run."""
    return max(many // 10, 1) if IS_FAST else many


def choose_examples() -> None:
    """Take the same examples in each run, so that what failed fails again.

    With `HOSTWATCH_RANDOM`, or with a number of histories (`tests/model`), they are others each time.
    """
    is_search = not os.environ.keys().isdisjoint({"HOSTWATCH_RANDOM", "HOSTWATCH_HISTORIES"})
    settings.register_profile("hostwatch", derandomize=not is_search)
    settings.load_profile("hostwatch")


def calls(work: Callable[[], object]) -> int:
    """The number of functions that are called, those of C included: it is the same on any machine, as times are not.

    A thousand take a fifth of a millisecond or two.
    """
    count = 0

    def counted(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count
