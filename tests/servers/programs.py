"""The servers' programs: Debian packages, unpacked and cached beside the engines as these are."""

from collections.abc import Sequence
from pathlib import Path

from tests.engine import roots


def root(name: str, suite: str, packages: Sequence[str]) -> Path:
    """The unpacked packages of a Debian suite and all they need, made first if they are not there."""
    return roots.made(name, lambda scratch: roots.unpacked(suite, packages, scratch))


def command(where: Path, program: str) -> list[str | Path]:
    """The command for a program of a root with its own C library, as the machine's may be older."""
    (loader,) = where.glob("usr/lib/*/ld-linux-*.so.*")
    return [loader, "--library-path", loader.parent, where / "usr/bin" / program]
