"""The bill of materials: the packages that hostwatch runs with, with versions, licenses and what needs what.

It tells of `requirements.txt`, from which the container image and the Debian packages are made. Whoever installs the
wheel gets what is newest by then.
"""

import sys
from pathlib import Path

from release.build import Build


def build(build: Build) -> list[Path]:
    """Install the pinned packages, and have CycloneDX's own tool describe what is installed."""
    environment = build.scratch / "materials"
    python = environment / "bin" / "python"
    build.run(sys.executable, "-m", "venv", "--without-pip", environment)
    install = (sys.executable, "-m", "uv", "pip", "install", "--python", python)
    build.run(*install, "--require-hashes", "--requirement", build.requirements)
    bill = build.into / f"hostwatch-{build.version}.cdx.json"
    build.run(
        *(sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--no-validate"),
        *("--pyproject", build.source / "pyproject.toml", "--output-file", bill, python),
    )
    return [bill]
