"""The way that a path takes: through which directories and links it leads to a file."""

import errno
import os
from collections import deque
from pathlib import Path
from typing import NamedTuple

from hostwatch.core.names import shown

_MOST_LINKS = 40
"""As the kernel follows (path_resolution(7))."""


class Way(NamedTuple):
    """The way of a path. It leads to a file, or to where the file is missing."""

    steps: frozenset[Path]
    """Every name that was looked up. The directory of each is none that a link leads to."""
    end: Path
    """The file without any link on the way to it, or the first name that is not there."""
    fault: str | None = None
    """Why it leads to no file, in printable words; `None` if the end is there."""

    def failed(self, reason: str | None) -> "Way":
        """The way, if its end is of no use."""
        return self._replace(fault=f"{shown(str(self.end))}: {reason}")


def way_of(path: Path) -> Way:
    """The way that an absolute path takes now."""
    todo, here, steps, links = deque(path.parts[1:]), Path("/"), set[Path](), 0
    while todo:
        name = todo.popleft()
        if name == "..":
            here = here.parent
            continue
        here /= name
        steps.add(here)
        try:
            target = here.readlink()
        except OSError as error:
            if error.errno == errno.EINVAL:  # it is no link
                continue
            return Way(frozenset(steps), here).failed(error.strerror)
        links += 1
        if links > _MOST_LINKS:
            return Way(frozenset(steps), path).failed(os.strerror(errno.ELOOP))
        here = Path("/") if target.is_absolute() else here.parent
        todo.extendleft(reversed(target.parts[1:] if target.is_absolute() else target.parts))
    return Way(frozenset(steps), here)
