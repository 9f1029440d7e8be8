"""The copy of the repository that is packed.

Packages are made of a copy, so that nothing of the checkout but its content gets into them: no path, no umask, no time
of a file, nothing that git ignores.
"""

import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from release import share
from release.build import Build, ReleaseError, run

_COMMIT_DIGITS = 12


@contextmanager
def build(checkout: Path, into: Path) -> Iterator[Build]:
    """A build of this checkout, with its changes that are not committed. Raises `ReleaseError`."""
    version = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["version"]
    commit, epoch = _commit(checkout)
    into.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="hostwatch-release.") as directory:
        scratch = Path(directory)
        made = Build(scratch / "source", scratch, into, version, commit, epoch)
        _copy(checkout, made.source)
        share.write(made)
        yield made


def _commit(checkout: Path) -> tuple[str, int]:
    """The commit of the checkout, and its time."""
    try:
        digits, epoch = _git(checkout, "log", "-1", f"--abbrev={_COMMIT_DIGITS}", "--format=%h %ct").split()
    except ReleaseError as error:
        raise ReleaseError(f"{checkout}: packages are made from a git checkout with a commit.\n{error}") from error
    changed = _git(checkout, "status", "--porcelain")
    return digits[:_COMMIT_DIGITS] + ("-dirty" if changed else ""), int(epoch)


def _copy(checkout: Path, source: Path) -> None:
    """Copy what git knows or would add. A link becomes the file that it leads to."""
    for name in _git(checkout, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        path = checkout / name
        if not name or not path.is_file():
            continue  # it is removed, and that is not committed yet
        copy = source / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        copy.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    for directory in source.rglob("*/"):
        directory.chmod(0o755)


def _git(checkout: Path, *arguments: str) -> str:
    # Git asks who owns the checkout; in a build of another user's files that is not who runs it.
    return run(["git", "-c", f"safe.directory={checkout.resolve()}", *arguments], checkout)
