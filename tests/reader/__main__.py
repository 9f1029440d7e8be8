"""`python -m tests.reader PAGE [--write]`: read a page on a machine of its own, for those who write it."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.engine import EngineError
from tests.reader.machines import Machines
from tests.reader.page import PageError, read
from tests.reader.reading import read_on
from tests.reader.rewriting import rewritten


def main() -> int:
    """Read the page, and say what is not as it says."""
    parser = argparse.ArgumentParser(prog="python -m tests.reader", description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--write", action="store_true", help="put the real output into the page")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended, as at Ctrl-C
    try:
        page = read(options.page)
        with (
            tempfile.TemporaryDirectory() as directory,
            Machines(Path(directory)) as machines,
            machines.seats(page) as seats,
        ):
            reading = read_on(page, seats, lambda text: print(text, flush=True))
    except (PageError, EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("", *(reading.faults or [f"{page.path}: all is as it says"]), sep="\n")
    if options.write and reading.faults:
        options.page.write_text(rewritten(options.page.read_text(), reading))
        print(f"{page.path}: written; run it once more")
    return 1 if reading.faults else 0


if __name__ == "__main__":
    sys.exit(main())
