"""SHA256SUMS, by which a downloaded package is checked: `sha256sum --check SHA256SUMS`."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

NAME = "SHA256SUMS"


def write(packages: Iterable[Path], into: Path) -> Path:
    """Write the sums of these files of the directory."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(packages)]
    (into / NAME).write_text("".join(lines))
    return into / NAME
