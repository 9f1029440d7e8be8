"""Which hostwatch this is: its version, and the commit that it was made from."""

import subprocess
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

_DIGITS = 12
_PACKAGE = "hostwatch"
_SECONDS = 5


def described() -> str:
    """The version with the commit behind it, as far as that is known."""
    commit = _packed() or _checked_out()
    return f"{version(_PACKAGE)} ({commit})" if commit else version(_PACKAGE)


def _packed() -> str:
    """The commit that a package was made from, which is written into it."""
    try:
        return (files(_PACKAGE) / "share" / "commit").read_text().strip()
    except FileNotFoundError:
        return ""


def _checked_out() -> str:
    """The commit of the checkout that this runs from, if it is one."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "rev-parse", f"--short={_DIGITS}", "HEAD"]
    try:
        # Not every machine has git, and git refuses a checkout of another user.
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()[:_DIGITS]
