"""A progress bar on standard error, for work that takes long. A pipe and a dumb terminal get none."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hostwatch.terminal.width import width_of

if TYPE_CHECKING:
    from rich.progress import Progress

_PATIENCE_SECONDS = 1.0
"""Work that takes less time has no bar."""

Told = Callable[[str, int, int], None]
"""To be called after each piece of work: what is counted, how many are done, of how many."""


@contextmanager
def progress_bar() -> Iterator[Told]:
    """A bar that shows what it is told. It is gone at the end."""
    if width_of(sys.stderr) is None or os.environ.get("TERM") == "dumb":
        yield lambda _what, _done, _total: None
        return
    bars: list[Progress] = []
    tasks = {}
    began = time.monotonic()

    def tell(what: str, done: int, total: int) -> None:
        if time.monotonic() - began < _PATIENCE_SECONDS:
            return
        if not bars:
            bars.append(_started())
        if what not in tasks:
            tasks[what] = bars[0].add_task(what)
        bars[0].update(tasks[what], completed=done, total=total)

    try:
        yield tell
    finally:
        for bar in bars:
            bar.stop()


def _started() -> "Progress":
    from rich.console import Console  # noqa: PLC0415 (most work is done before a bar is needed)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    bar = Progress(*columns, console=Console(file=sys.stderr), transient=True, redirect_stdout=False)
    bar.start()
    return bar
