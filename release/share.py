"""The generated files of `hostwatch/share`, which are made at a release and are not in git.

What a person writes in there, as the unit, is a link into `config/`.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

from hostwatch.config.settings import schema
from manual import man
from manual.completions import completions
from release.build import Build


def _man_page(build: Build) -> str:
    return man.page(build.version, time.strftime("%Y-%m-%d", time.gmtime(build.epoch)))


def _same(text: str) -> Callable[[Build], str]:
    """A text that is the same in each build of this code."""
    return lambda _: text


FILES: dict[str, Callable[[Build], str]] = {
    "hostwatch.1": _man_page,
    **{f"completions/{name}": _same(text) for name, text in completions().items()},
    "commit": lambda build: build.commit,
    "schema.json": _same(json.dumps(schema(), indent=2, ensure_ascii=False)),
}
"""What makes the text of each, by its path below `hostwatch/share`."""


def write(build: Build) -> None:
    """Write all of them into the copy of the repository."""
    for name, text in FILES.items():
        path: Path = build.source / "hostwatch" / "share" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(build).rstrip("\n") + "\n")
        path.chmod(0o644)
