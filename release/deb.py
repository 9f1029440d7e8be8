"""The Debian packages: one for each release of Debian, as an environment below /opt is bound to the release's Python.

`dpkg-deb` packs a tree that is laid out here. What a person writes for it is in `release/debian`: the control file, the
maintainer scripts and the configuration, with words such as @VERSION@ in the place of what is only known here.
"""

import email.utils
import gzip
import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from release import environment
from release.build import Build, ReleaseError
from tests.engine import EngineError, roots


@dataclass(frozen=True)
class Release:
    """A release of Debian."""

    suite: str
    number: int
    python: str


RELEASES = (Release("bookworm", 12, "3.11"), Release("trixie", 13, "3.13"), Release("forky", 14, "3.14"))
REVISION = 1
"""Of the package, for the same version of hostwatch."""

_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
_CONFIGURATION = Path("etc/hostwatch/hostwatch.yaml")
_DOCUMENTATION = Path("usr/share/doc/hostwatch")
_LINKS = {
    "usr/bin/hostwatch": environment.PREFIX / "bin/hostwatch",
    "usr/libexec/docker/cli-plugins/docker-hostwatch": environment.PREFIX / "bin/docker-hostwatch",
}
_SHARED = {
    "hostwatch.1": "usr/share/man/man1/hostwatch.1",
    "completions/hostwatch.bash": "usr/share/bash-completion/completions/hostwatch",
    "completions/_hostwatch": "usr/share/zsh/vendor-completions/_hostwatch",
    "completions/hostwatch.fish": "usr/share/fish/vendor_completions.d/hostwatch.fish",
}
"""Files of `hostwatch/share`, with their places."""
_UNIT = {
    "#   python3 -m venv /opt/hostwatch && /opt/hostwatch/bin/pip install .\n": "",
    "cp config/hostwatch.service /etc/systemd/system/ && systemctl daemon-reload && systemctl": "systemctl",
    "beside this file": f"in /{_DOCUMENTATION}/examples",
}
"""What is otherwise in the unit of a package."""
_COMPRESSION = ("-Zxz", "-z1", "--threads-max=1")
"""A higher level takes five times as long for a tenth; more threads may give other bytes."""
_WORD = re.compile("@([A-Z]+)@")


def build(build: Build) -> list[Path]:
    """Make the packages. Raises `ReleaseError`."""
    return [_package(build, release) for release in RELEASES]


def _package(build: Build, release: Release) -> Path:
    version = f"{build.version}-{REVISION}~deb{release.number}"
    tree = build.scratch / f"debian-{release.number}"
    tree.mkdir(mode=0o755)
    _install_program(build, release, tree)
    _install_files(build, release, tree, version)
    _write_control(build, tree, {"VERSION": version, "PYTHON": release.python})
    _equalize(tree, build.epoch)
    package = build.into / f"hostwatch_{version}_amd64.deb"
    build.run("dpkg-deb", "--root-owner-group", *_COMPRESSION, "--build", tree, package)
    return package


def _install_program(build: Build, release: Release, tree: Path) -> None:
    """Make the environment with the Python of this release, then take it out of there."""
    root = build.scratch / f"python-{release.suite}"
    build.run("cp", "-a", _python(release), root)
    environment.make(build, root, release.python)
    own = tree / environment.PREFIX.relative_to("/")
    own.parent.mkdir()
    (root / environment.PREFIX.relative_to("/")).rename(own)
    shutil.rmtree(root)
    for name, target in _LINKS.items():
        (tree / name).parent.mkdir(parents=True)
        (tree / name).symlink_to(target)


def _python(release: Release) -> Path:
    """A root with the Python of this release, which is kept for the next time."""
    python = f"python{release.python}"
    try:
        return roots.made(f"{python}-{release.suite}", lambda scratch: roots.unpacked(release.suite, [python], scratch))
    except EngineError as error:
        raise ReleaseError(str(error)) from error


def _install_files(build: Build, release: Release, tree: Path, version: str) -> None:
    share, given = build.source / "hostwatch/share", build.source / "release/debian"
    documentation = tree / _DOCUMENTATION
    (documentation / "examples").mkdir(parents=True)
    for name, place in _SHARED.items():
        _write(tree / place, (share / name).read_text())
    _write(
        tree / "usr/lib/systemd/system/hostwatch.service", _replaced((share / "hostwatch.service").read_text(), _UNIT)
    )
    _write(tree / _CONFIGURATION, (given / "hostwatch.yaml").read_text())
    _write(tree / "usr/share/lintian/overrides/hostwatch", (given / "lintian-overrides").read_text())
    for drop_in in (build.source / "config/hostwatch.service.d").iterdir():
        own = {"cp config/": f"cp /{_DOCUMENTATION}/examples/"}
        _write(documentation / "examples" / drop_in.parent.name / drop_in.name, _replaced(drop_in.read_text(), own))
    shutil.copy(share / "hostwatch.yaml", documentation / "examples")
    shutil.copy(given / "copyright", documentation)
    _write(documentation / "changelog", (build.source / "CHANGELOG.md").read_text())
    _write(documentation / "changelog.Debian", _changes(build, release, version))
    for path in [*tree.glob("usr/share/man/*/*"), *documentation.glob("changelog*")]:
        _compress(path)


def _changes(build: Build, release: Release, version: str) -> str:
    """The changes of the package, which are those of hostwatch."""
    return (
        f"hostwatch ({version}) {release.suite}; urgency=medium\n\n"
        f"  * hostwatch {build.version}, of the commit {build.commit}.\n    Its changes are in changelog.gz.\n\n"
        f" -- hostwatch <hostwatch@localhost>  {email.utils.formatdate(build.epoch)}\n"
    )


def _write_control(build: Build, tree: Path, words: Mapping[str, str]) -> None:
    """Write what dpkg reads: the control file, sums, the maintainer scripts and the list of configurations."""
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    kilobytes = sum(-(-path.lstat().st_size // 1024) if path.is_file() else 1 for path in tree.rglob("*"))
    known = {**words, "SIZE": str(kilobytes), "MEGABYTES": str(-(-kilobytes // 1024))}
    given, control = build.source / "release/debian", tree / "DEBIAN"
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n" for path in files]  # noqa: S324
    control.mkdir()
    _write(control / "control", _filled((given / "control").read_text(), known))
    _write(control / "conffiles", f"/{_CONFIGURATION}\n")
    _write(control / "md5sums", "".join(line for line in sums if not line.endswith(f"  {_CONFIGURATION}\n")))
    for name in _SCRIPTS:
        _write(control / name, _filled((given / name).read_text(), known))
        (control / name).chmod(0o755)


def _filled(text: str, words: Mapping[str, str]) -> str:
    """A text with these words in it."""
    return _WORD.sub(lambda found: words[found[1]], text)


def _replaced(text: str, parts: Mapping[str, str]) -> str:
    """A text with these parts replaced, each of which it must have."""
    for part, other in parts.items():
        if part not in text:
            raise ReleaseError(f"a file of the Debian package lacks {part!r}, which release/deb.py replaces")
        text = text.replace(part, other)
    return text


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)


def _compress(path: Path) -> None:
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    path.unlink()


def _equalize(tree: Path, epoch: int) -> None:
    """Give all files one time, and directories one mode, as those of the building machine say nothing."""
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
