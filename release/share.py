"""The generated files of `hostwatch/share`, which are made at a release and are not in git.

What a person writes in there, as the unit, is a link into `config/`.
"""

import json
from collections.abc import Callable
from pathlib import Path

from hostwatch.config.settings import schema
from release.build import Build

FILES: dict[str, Callable[[Build], str]] = {
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
