"""Requirements of engines on the machine, and their directory there."""

import os
import shutil
import sys
from pathlib import Path


class EngineError(Exception):
    """A fault that a person must put right. The message names it."""


def home() -> Path:
    """The directory of cached roots and of the engines' state."""
    return Path(os.environ.get("HOSTWATCH_ENGINES") or "/var/cache/hostwatch-engines").resolve()


def check() -> None:
    if sys.platform != "linux":
        raise EngineError("engines run on Linux only")
    if os.geteuid():
        raise EngineError("engines need root: run this with sudo")
    for program in ("apt-get", "dpkg", "tar", "unshare", "nsenter"):
        if not shutil.which(program):
            raise EngineError(f"{program} is not there: engines come from Debian's archive and need a Debian machine")
