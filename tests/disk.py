"""A file system in memory, for tests of full, read-only and failing disks."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def disk(directory: Path, options: str) -> Iterator[Path]:
    """A disk of its own at this place, which is made; `options` are those of the mount."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)
