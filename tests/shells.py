"""bash, zsh and fish from Debian, each on a terminal with a user who types, beside this machine's own files."""

import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.engine import roots
from tests.terminal import Terminal, terminal

_PACKAGES = ("bash", "coreutils", "fish", "ncurses-base", "zsh")
_ENTER = """\
set -e
mount --rbind / "$0/host"
for place in dev proc tmp; do mkdir -p "$0/$place"; mount --rbind "/$place" "$0/$place"; done
exec chroot "$0" "$@"
"""
"""Run in a mount namespace of its own: the shells see the machine at /host, and its /tmp at the same place."""
_HOSTWATCH = """\
#!/bin/sh
exec chroot /host {environ} {python} -c '
import sys
from hostwatch.cli import main
sys.argv[0] = "hostwatch"
main()' "$@"
"""

SHELLS = {
    "bash": ("bash", "-i"),
    "zsh": ("zsh", "-i"),
    "fish": ("fish", "--interactive"),
}


@contextmanager
def shell(name: str, home: Path, environ: Mapping[str, str], within: Sequence[str] = ()) -> Iterator[Terminal]:
    """A shell in which the command `hostwatch` is found, with this environment; `within`: a command in front of it."""
    programs = home / "bin"
    programs.mkdir(exist_ok=True)
    command = programs / "hostwatch"
    repository = Path(__file__).resolve().parent.parent
    own = shlex.join(["env", "-C", str(repository)])
    command.write_text(_HOSTWATCH.format(environ=own, python=shlex.quote(sys.executable)))
    command.chmod(0o755)
    root = roots.made("shells", _root)
    enter = [*within, "unshare", "--mount", "sh", "-c", _ENTER, str(root), *SHELLS[name]]
    here = {"HOME": str(home), "PATH": f"{programs}:/usr/bin:/usr/sbin", "TERM": "xterm", "LANG": "C.UTF-8"}
    with terminal(enter, 500, {**environ, **here}) as made:
        yield made


def _root(scratch: Path) -> Path:
    root = roots.unpacked("bookworm", _PACKAGES, scratch)
    (root / "host").mkdir()
    (root / "bin/sh").symlink_to("dash" if (root / "bin/dash").exists() else "bash")
    subprocess.run(["ldconfig", "-r", str(root)], check=True)
    return root
