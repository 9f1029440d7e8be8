"""The wheel and the source distribution."""

import sys
from pathlib import Path

from release.build import Build


def build(build: Build) -> list[Path]:
    """Make both. hatchling sorts, takes `SOURCE_DATE_EPOCH` for all times, and makes modes alike."""
    for target in ("wheel", "sdist"):
        build.run(sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", build.into)
    return [build.wheel, build.into / f"hostwatch-{build.version}.tar.gz"]
