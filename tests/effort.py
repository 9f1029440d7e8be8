"""The number of examples of property tests: all in `make test`, a tenth in `make test-fast`."""

import os

IS_FAST = "HOSTWATCH_TEST_FAST" in os.environ


def examples(many: int) -> int:
    """`many`, or a tenth of it in a fast run."""
    return max(many // 10, 1) if IS_FAST else many
