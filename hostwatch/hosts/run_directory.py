"""The directory of the control sockets, and of the lock files of files of the host."""

import os
from collections.abc import Mapping
from pathlib import Path

_ROOT = 0
_NAME = "hostwatch"


def run_directory(user: int, environ: Mapping[str, str]) -> Path:
    """The directory of this user's daemons: root's is below `/run`, another's below `$XDG_RUNTIME_DIR`.

    A user without such a directory, as in a container, has root's. A relative path is none, by the XDG specification.
    """
    own = Path(environ.get("XDG_RUNTIME_DIR", ""))
    return (own if user != _ROOT and own.is_absolute() else Path("/run")) / _NAME


RUN = run_directory(os.geteuid(), os.environ)
"""That of this process, daemon and command alike."""
