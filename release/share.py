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


def _completion(name: str) -> Callable[[Build], str]:
    return lambda build: completions()[name]  # noqa: ARG005


FILES: dict[str, Callable[[Build], str]] = {
    "hostwatch.1": _man_page,
    **{f"completions/{name}": _completion(name) for name in completions()},
    "commit": lambda build: build.commit,
    "schema.json": lambda build: json.dumps(schema(), indent=2, ensure_ascii=False),  # noqa: ARG005
}
"""What makes the text of each, by its path below `hostwatch/share`."""


def write(build: Build) -> None:
    """Write all of them into the copy of the repository."""
    for name, text in FILES.items():
        path: Path = build.source / "hostwatch" / "share" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(build).rstrip("\n") + "\n")
        path.chmod(0o644)
