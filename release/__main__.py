"""`python -m release STEP… [--into DIR]`: makes packages of this checkout."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from release import deb, image, sbom, sums, wheel
from release.build import Build, ReleaseError
from release.source import build

CHECKOUT = Path(__file__).parent.parent
ALL = "all"

STEPS: dict[str, Callable[[Build], list[Path]]] = {
    "wheel": wheel.build,
    "deb": deb.build,
    "image": image.build,
    "sbom": sbom.build,
}
"""What makes each kind of package, and returns the files that it made. The first is always made, for the others."""
BY_ROOT = ("deb", "image")
"""Steps that start programs of another Debian, in a root of its own."""


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="python -m release", description="Makes the packages of hostwatch.")
    parser.add_argument("steps", nargs="+", metavar="STEP", choices=[*STEPS, ALL], help=", ".join([*STEPS, ALL]))
    parser.add_argument("--into", type=Path, default=CHECKOUT / "dist", metavar="DIR", help="default: dist/")
    arguments = parser.parse_args()
    try:
        make(arguments.steps, arguments.into.absolute())
    except (ReleaseError, OSError) as error:
        sys.exit(f"release: {error}")
    except KeyboardInterrupt:
        sys.exit("release: interrupted; what is in the directory is not complete")


def make(steps: Sequence[str], into: Path, checkout: Path = CHECKOUT) -> None:
    """Make these packages; with all of them their sums, too. Raises `ReleaseError`."""
    os.umask(0o022)  # so that modes do not depend on who makes the packages
    chosen = list(STEPS) if ALL in steps else steps
    for step in chosen:
        if step in BY_ROOT and os.geteuid() != 0:
            raise ReleaseError(
                f"only root can make `{step}`, as it starts programs of another Debian; `python -m release wheel sbom`"
                " needs no rights"
            )
    (into / sums.NAME).unlink(missing_ok=True)  # of packages that are replaced now
    with build(checkout, into) as made:
        packages = list(_made(made, chosen))
    if ALL in steps:
        print(sums.write(packages, into))


def _made(build: Build, steps: Sequence[str]) -> Iterator[Path]:
    first, *others = STEPS
    for step in [first, *(step for step in others if step in steps)]:
        for path in STEPS[step](build):
            print(path, flush=True)
            yield path


if __name__ == "__main__":
    main()
