"""Cautions of the files that hold passwords and tokens, as they are on this machine."""

import stat
from collections.abc import Iterator
from pathlib import Path

from hostwatch.config.document import Loc, Problem, shown
from hostwatch.config.settings import Settings

_OF_OTHERS = stat.S_IROTH | stat.S_IWOTH


def unsafe(settings: Settings) -> Iterator[Problem]:
    """The files that are not there, or that everyone may read."""
    for loc, path in _named(settings):
        if (fault := _fault(path)) is not None:
            yield Problem(settings.origin.document.found(loc).node.index, shown(str(path)), fault)


def _fault(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "there is no such file on this machine; write the secret there, alone on one line, with mode 0600"
    except (OSError, ValueError):
        return None  # this user may not look there; the one of the daemon may
    return f"every user of this machine may read it; `chmod 600 {shown(str(path))}`" if mode & _OF_OTHERS else None


def _named(settings: Settings) -> Iterator[tuple[Loc, Path]]:
    cluster = settings.cluster
    if cluster is not None and cluster.password_file is not None:
        yield ("cluster", "password_file"), cluster.password_file
    for key, entry in settings.services.items():
        for field in ("password_file", "token_file") if entry.source is not None else ():
            if (path := getattr(entry.source, field)) is not None:
                yield ("services", key, "from", field), path
