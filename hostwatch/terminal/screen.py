"""A live view on the whole terminal. It folds, and says how many lines have no room."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from hostwatch.terminal.lines import FAINT, folded, has_colours, line

Lines = Callable[[int], Iterable[Text]]
"""Makes the lines for a terminal of so many columns."""


class Screen:
    """The terminal of standard output, as long as it is entered."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._console = Console(file=sys.stdout, highlight=False)
        self._is_plain = not has_colours(sys.stdout)
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._lines: Lines = lambda _width: ()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, lines: Lines) -> None:
        """Show these lines from now on."""
        self._lines = lines
        self.draw()

    def draw(self) -> None:
        """Draw them anew, as the terminal may have another size now."""
        width, height = self._console.size
        pieces = [*self._pieces(width)]
        if len(pieces) > height:
            shown = pieces[: max(0, height - 1)]
            hint = f"{len(pieces) - len(shown)} more lines: make the terminal higher, or name a SUBSCRIBER"
            pieces = [*shown, Text(hint, no_wrap=True, overflow="crop")]
        if self._is_plain:
            pieces = [Text(piece.plain) for piece in pieces]
        self._live.update(Group(*pieces), refresh=True)

    def _pieces(self, width: int) -> Iterator[Text]:
        yield line((f"{self._title}  {datetime.now().astimezone():%H:%M:%S}", FAINT))
        for text in self._lines(width):
            for piece in folded(text, width):
                yield from piece.wrap(self._console, width)  # a word that is longer than a line


def is_screen() -> bool:
    """Whether standard output is a terminal on which the cursor can be moved."""
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
