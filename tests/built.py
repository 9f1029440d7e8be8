"""The packages of this tree, made in clones of it by `python -m release all`.

A clone has what packages are made of, as it is in the working tree, in one commit whose id depends on nothing else. So
packages are made once for each content and kept beside the engines, for all tests that install them.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.engine import machine, roots

REPOSITORY = Path(__file__).resolve().parent.parent
INPUTS = (
    *("hostwatch", "config", "release", "manual", "tests/__init__.py", "tests/engine", ".gitignore", "pyproject.toml"),
    *("requirements.txt", "requirements-dev.txt", "LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md"),
)
"""What packages are made of. The documentation, which the source distribution has too, changes too often for this."""
_KEPT = 6
"""Packages of earlier trees. Those of one tree are 200 MB."""
_AUTHOR = {f"GIT_{who}_{what}": "hostwatch" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
_DATE = {f"GIT_{who}_DATE": "1767225600 +0000" for who in ("AUTHOR", "COMMITTER")}


def packages() -> Path:
    """The directory with the packages of this tree, made first if it is not there, which takes a minute.

    They are made anew each day, as Debian's packages change, of which the image is made.
    """
    commit = snapshot()
    today = time.strftime("%Y%m%d", time.gmtime())
    place = roots.made(
        f"built-{today}-{commit[:12]}", lambda scratch: make(commit, scratch / "clone", scratch / "dist")
    )
    os.utime(place)
    others = [path for path in place.parent.glob("built-*/") if "." not in path.name]  # else it is being made
    others.sort(key=lambda path: path.stat().st_mtime)
    for path in others[:-_KEPT]:
        shutil.rmtree(path, ignore_errors=True)
    return place


def snapshot() -> str:
    """The id of a commit that has what packages are made of. No branch has it, so that it goes in time."""
    index = machine.home() / f"index.{os.getpid()}"
    index.parent.mkdir(parents=True, exist_ok=True)
    environ = {"GIT_INDEX_FILE": str(index), **_AUTHOR, **_DATE}
    try:
        git(REPOSITORY, "add", "--", *INPUTS, **environ)
        tree = git(REPOSITORY, "write-tree", **environ)
        return git(REPOSITORY, "commit-tree", tree, "-m", "What packages are made of", **environ)
    finally:
        index.unlink(missing_ok=True)


def make(commit: str, clone: Path, into: Path, umask: int = 0o022, **environ: str) -> Path:
    """Clone this commit and make all packages there; returns `into`."""
    git(REPOSITORY, "clone", "--quiet", "--shared", "--no-checkout", str(REPOSITORY), str(clone))
    subprocess.run(["git", "checkout", "--quiet", commit], cwd=clone, umask=umask, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "release", "all", "--into", into],
        cwd=clone, env=os.environ | environ, umask=umask, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return into


def git(directory: Path, *arguments: str, **environ: str) -> str:
    """What git says in this directory."""
    command = ["git", "-C", str(directory), *arguments]
    return subprocess.run(
        command, env=os.environ | environ, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
