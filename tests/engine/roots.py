"""The cached root file systems, one per version: Debian packages unpacked, without their maintainer scripts.

A root holds a complete `usr` and `etc`; the rest of an engine's file system is made at its start (`holder.sh`).
Beside them lies `busybox.tar`, the image that every engine has.
"""

import fcntl
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.engine import apt, machine
from tests.engine.machine import EngineError
from tests.engine.releases import release

IMAGE = "busybox.tar"

_PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
_GROUP = "root:x:0:\nnogroup:x:65534:\n"
_HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
_MERGED = ("bin", "sbin", "lib", "lib64")
_UNUSED = ("doc", "man", "locale", "info", "perl", "bash-completion")  # below /usr/share: two thirds of the files


def cached(version: str) -> Path | None:
    release(version)  # an unknown version is an error, not one that is not cached
    root = machine.home() / "roots" / version
    return root if root.is_dir() else None


def fetch(version: str) -> Path:
    """The root of this version, made first if it is not there."""
    return cached(version) or made(version, lambda scratch: _engine_root(version, scratch))


def made(name: str, make: Callable[[Path], Path]) -> Path:
    """The cached directory of this name, made first if it is not there: once, for any number of callers at a time.

    `make` gets a directory of its own and returns what it made in there.
    """
    place = machine.home() / "roots" / name
    if place.exists():
        return place
    machine.check()
    place.parent.mkdir(parents=True, exist_ok=True)
    with _locked(place.with_name(f"{name}.lock")):
        return place if place.exists() else _make(place, make)


def _make(place: Path, make: Callable[[Path], Path]) -> Path:
    """Make it elsewhere, and rename it when it is whole. The lock is ours: what lies here is of a fetch that died."""
    for left in place.parent.glob(f"{place.name}.*/"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f"{place.name}.") as scratch:
        return make(Path(scratch)).rename(place)


def packaged(name: str, suite: str, packages: Sequence[str]) -> Path:
    """The root of this name, of these packages of a Debian suite and all they need, made first if it is not there."""
    return made(name, lambda scratch: unpacked(suite, packages, scratch))


def command(root: Path, program: str) -> list[str | Path]:
    """The command for a program of a root with its own C library, as the machine's may be older."""
    (loader,) = root.glob("usr/lib/*/ld-linux-*.so.*")
    return [loader, "--library-path", loader.parent, root / "usr/bin" / program]


def unpacked(suite: str, packages: Sequence[str], scratch: Path) -> Path:
    """A root of these packages of a Debian suite and all they need, made below `scratch`."""
    root = scratch / "root"
    unpack(apt.download(suite, packages, scratch), root)
    return root


def _engine_root(version: str, scratch: Path) -> Path:
    root = unpacked(release(version).suite, release(version).packages, scratch)
    _finish(root)
    _check_version(root, version)
    return root


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def unpack(packages: list[Path], root: Path) -> None:
    """Make a root of these packages alone."""
    root.mkdir(mode=0o755)
    _merge_usr(root)
    for package in packages:
        _unpack(package, root)


def _finish(root: Path) -> None:
    _link_programs(root)
    for name, text in {"passwd": _PASSWD, "group": _GROUP, "hosts": _HOSTS, "resolv.conf": ""}.items():
        (root / "etc" / name).write_text(text)
    if (settings := root / "etc/containers").is_dir():
        shutil.copy(Path(__file__).with_name("containers.conf"), settings)
    _write_image(root)


def _merge_usr(root: Path) -> None:
    """Packages of older suites still ship `/bin` and the like, which must land below `/usr`."""
    for name in _MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")


def _unpack(package: Path, root: Path) -> None:
    excluded = [f"--exclude=./usr/share/{name}" for name in _UNUSED]
    into: list[str | Path] = ["tar", "-x", "-C", root, "--keep-directory-symlink", *excluded]
    with subprocess.Popen(["dpkg", "--fsys-tarfile", package], stdout=subprocess.PIPE) as archive:
        unpacked = subprocess.run(into, stdin=archive.stdout, check=False)
    if archive.returncode or unpacked.returncode:
        raise EngineError(f"{package.name} cannot be unpacked; is the disk full?")


def _link_programs(root: Path) -> None:
    """The links that maintainer scripts and update-alternatives would have made."""
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            link = root / "usr/sbin" / (name + suffix)
            link.unlink(missing_ok=True)
            link.symlink_to("xtables-nft-multi")
    for applet in _applets(root):  # sh, env, ps and the like, where no package has brought a better one
        if not (root / "usr/sbin" / applet).exists() and not os.path.lexists(root / "usr/bin" / applet):
            (root / "usr/bin" / applet).symlink_to("busybox")


def _applets(root: Path) -> list[str]:
    listed = subprocess.run([root / "usr/bin/busybox", "--list"], capture_output=True, text=True, check=True)
    return sorted({*listed.stdout.split()} - {"busybox"})


def _check_version(root: Path, version: str) -> None:
    """A suite that is not released yet moves on: never hand out another engine under this name."""
    daemon = "/usr/bin/podman" if release(version).podman else "/usr/sbin/dockerd"
    ask = ["unshare", f"--root={root}", "--pid", "--fork", "--mount-proc", daemon, "--version"]
    said = subprocess.run(ask, capture_output=True, text=True, check=False)
    if f"version {version.removeprefix('podman-').removesuffix('-rootless')}." not in said.stdout:
        suite = release(version).suite
        raise EngineError(f"Debian {suite} should have engine {version}, but has: {said.stdout or said.stderr}")


def _write_image(root: Path) -> None:
    """One static busybox with a link per applet; none is called busybox, for it would replace the program."""
    with tarfile.open(root / IMAGE, "w") as image:
        for name, mode in {"bin": 0o755, "etc": 0o755, "root": 0o700, "tmp": 0o1777}.items():
            _add(image, name, tarfile.DIRTYPE, mode=mode)
        _add(image, "bin/busybox", mode=0o755, text=(root / "usr/bin/busybox").read_bytes())
        _add(image, "etc/passwd", text=_PASSWD.encode())
        _add(image, "etc/group", text=_GROUP.encode())
        for applet in _applets(root):
            _add(image, f"bin/{applet}", tarfile.SYMTYPE, link="busybox")


def _add(
    image: tarfile.TarFile,
    name: str,
    kind: bytes = tarfile.REGTYPE,
    *,
    mode: int = 0o644,
    text: bytes = b"",
    link: str = "",
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(text), link
    image.addfile(entry, io.BytesIO(text))
