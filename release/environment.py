"""A virtual environment of hostwatch inside an unpacked root: what the image and the Debian packages have in common.

It is for the root's own Python, which is seldom the one that runs this. Nothing is in it but what runs: no pip, no
scripts that activate it, no tests of the libraries, no symbols for debuggers.
"""

import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile

from release.build import Build

PREFIX = Path("/opt/hostwatch")
_UNUSED = ("*.pyx", "*.pxd", "*.pxi", "*.c", "*.h", "*.pyi", "test", "tests", ".agents")
"""Sources of compiled modules, types for checkers and tests, below each library."""
_LISTS = "*.dist-info/RECORD"
"""What pip would remove of each library. No pip keeps this, and the lists name what is removed here."""


def make(build: Build, root: Path, python: str) -> None:
    """Make it below `root`, for the Python of this minor version there, as in `3.13`. Raises `ReleaseError`."""
    prefix = root / PREFIX.relative_to("/")
    libraries = prefix / "lib" / f"python{python}" / "site-packages"
    libraries.mkdir(parents=True)
    _link_python(prefix, python)
    _install_libraries(build, libraries, python)
    _install_hostwatch(build, prefix, libraries)
    for path in _unused(libraries):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    modules: list[Path] = sorted(libraries.rglob("*.so"))
    build.run("strip", "--strip-unneeded", *modules)  # they are four times as large with all symbols
    compile_all(build, root, PREFIX / "lib", python)


def compile_all(build: Build, root: Path, directory: Path, python: str) -> None:
    """Compile the modules below a directory of the root by the root's own Python.

    The byte code counts whatever the time of its source is, as nothing may write another one where hostwatch runs.
    """
    options = ["-q", "--invalidation-mode=unchecked-hash"]
    build.run("chroot", root, f"/usr/bin/python{python}", "-m", "compileall", *options, directory)


def _link_python(prefix: Path, python: str) -> None:
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python3").symlink_to(f"/usr/bin/python{python}")
    (prefix / "bin" / "python").symlink_to("python3")
    (prefix / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n")


def _install_libraries(build: Build, libraries: Path, python: str) -> None:
    """Install those that are pinned. Copies of uv's cache, as these files are changed."""
    which = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--link-mode=copy", "--quiet"]
    where = [f"--python-version={python}", f"--python-platform={platform.machine()}-unknown-linux-gnu"]
    build.run(
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        *which,
        *where,
        "--target",
        libraries,
        "--requirement",
        build.requirements,
    )
    shutil.rmtree(libraries / "bin")  # commands of the libraries
    (libraries / ".lock").unlink(missing_ok=True)


def _install_hostwatch(build: Build, prefix: Path, libraries: Path) -> None:
    scheme = {"purelib": libraries, "platlib": libraries, "scripts": prefix / "bin", "data": prefix, "headers": prefix}
    destination = SchemeDictionaryDestination(
        {name: str(path) for name, path in scheme.items()},
        interpreter=str(PREFIX / "bin" / "python3"),
        script_kind="posix",
    )
    with WheelFile.open(build.wheel) as source:
        install(source, destination, additional_metadata={})


def _unused(libraries: Path) -> Iterator[Path]:
    """What no run of hostwatch opens."""
    for library in libraries.glob("*/"):
        if library.name != "hostwatch":
            for pattern in _UNUSED:
                yield from list(library.rglob(pattern))
    yield from libraries.glob(_LISTS)
