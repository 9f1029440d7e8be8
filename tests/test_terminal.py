"""The terminal that tests read from."""

import os
import sys

from tests.conftest import eventually
from tests.terminal import terminal

PICTURES = """\
import sys
for piece in ("\\x1b[Hold 1\\nold 2\\nold 3", "\\x1b[Hnew 1\\n\\x1b[1mne", "w 2\\nnew 3"):
    sys.stdout.write(piece)
    sys.stdout.flush()
    sys.stdin.readline()
"""


def test_a_picture_is_drawn_over_the_one_before() -> None:
    """A reader that comes in between sees no empty rows, as a user does not."""
    with terminal(
        ["sh", "-c", 'stty -echo; exec "$0" "$@"', sys.executable, "-c", PICTURES], 40, os.environ, 3
    ) as made:
        for shown in ("old 1\nold 2\nold 3", "new 1\nned 2\nold 3", "new 1\nnew 2\nnew 3"):
            eventually(lambda shown=shown: made.screen == shown)  # type: ignore[misc]
            made.type("\n")
        assert made.end() == 0
