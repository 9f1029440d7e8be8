"""How many examples the property tests try: all of them before a stop, a tenth in `make test-fast`."""

import os

IS_FAST = "HOSTWATCH_TEST_FAST" in os.environ


def examples(many: int) -> int:
    """`many`, or a tenth of it where the run is to be fast."""
    return max(many // 10, 1) if IS_FAST else many
