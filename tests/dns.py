"""Real DNS servers from Debian, and a program that looks names up, linked with glibc and with musl."""

import subprocess
from pathlib import Path

from tests.engine import roots

_PACKAGES = ("dnsmasq-base", "unbound", "tcc", "libc6-dev", "musl-dev")
_PROGRAM = Path(__file__).with_name("lookup.c")
LIBRARIES = ("glibc", "musl")


def mounts() -> list[str]:
    """The mounts with which a busybox container has the servers and the programs `lookup-glibc` and `lookup-musl`."""
    root = roots.made("dns", _root)
    return [f"/host{root}/usr:/usr:ro", f"/host{root}/usr/lib:/lib:ro", f"/host{root}/usr/lib64:/lib64:ro"]


def _root(scratch: Path) -> Path:
    root = roots.unpacked("bookworm", _PACKAGES, scratch)
    for library in LIBRARIES:
        _compile(root / "usr", library)
    return root


def _compile(usr: Path, library: str) -> None:
    """Make the program, with Debian's smallest compiler: Debian has none that is linked with musl."""
    (own,) = (usr / "lib").glob("*-linux-gnu")
    place, include = own, [usr / "include", usr / "include" / own.name]
    last = own / "libc.so.6"
    if library == "musl":
        (place,) = (usr / "lib").glob("*-linux-musl")
        include, last = [usr / "include" / place.name], place / "libc.a"
    command: list[str | Path] = [next((usr / "lib64").glob("ld-linux*")), "--library-path", own, usr / "bin/tcc"]
    command += [
        f"-B{own / 'tcc'}",
        "-nostdinc",
        "-nostdlib",
        *(f"-I{each}" for each in [*include, own / "tcc/include"]),
    ]
    command += ["-static"] if library == "musl" else []
    command += ["-o", usr / f"bin/lookup-{library}", place / "crt1.o", place / "crti.o", _PROGRAM, last]
    subprocess.run([*command, own / "tcc/libtcc1.a", place / "crtn.o"], check=True)
