"""The base of the image: Python of Debian's packages, unpacked as they are.

No maintainer script runs, as these would need a whole Debian around them. The few files that they would make are made
here. The list of packages is where Debian has it, so that scanners for vulnerabilities find it.
"""

import shutil
from pathlib import Path

from release import environment
from release.build import Build, ReleaseError
from tests.engine import EngineError, apt

SUITE = "trixie"
PYTHON = "3.13"
"""The Python of that suite."""

_PACKAGES = ("python3", "base-files", "ca-certificates", "dash")
_UNUSED = ("bug", "doc-base", "gcc", "info", "lintian", "locale", "man", "menu", "perl5", "pixmaps")
"""Below /usr/share."""
_DIRECTORIES = {"dev": 0o755, "proc": 0o755, "run": 0o755, "sys": 0o755, "root": 0o700, "tmp": 0o1777, "opt": 0o755}
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
}
_CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
_LIST = Path("var/lib/dpkg/status")


def make(build: Build, root: Path) -> None:
    """Make it. Raises `ReleaseError`."""
    root.mkdir()
    downloads = build.scratch / "packages"
    try:
        packages = apt.download(SUITE, _PACKAGES, downloads)
    except EngineError as error:
        raise ReleaseError(str(error)) from error
    for package in packages:
        build.run("dpkg-deb", "--extract", package, root)
    _finish(root)
    (root / _LIST).parent.mkdir(parents=True, exist_ok=True)
    (root / _LIST).write_text("\n".join(_entry(build, package) for package in packages))
    environment.compile_all(build, root, Path("/usr/lib"), PYTHON)


def _finish(root: Path) -> None:
    """Remove what nothing reads, and make what maintainer scripts would."""
    for name in _UNUSED:
        shutil.rmtree(root / "usr/share" / name, ignore_errors=True)
    for path in (root / "usr/share/doc").rglob("*"):
        if path.name != "copyright" and not path.is_dir():
            path.unlink()
    for name, mode in _DIRECTORIES.items():
        (root / name).mkdir(exist_ok=True)
        (root / name).chmod(mode)
    for name, text in _FILES.items():
        (root / name).write_text(text)
    authorities = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    (root / _CERTIFICATES).write_text("".join(path.read_text() for path in authorities))


def _entry(build: Build, package: Path) -> str:
    """The package in dpkg's list of what is installed."""
    first, *others = build.run("dpkg-deb", "--field", package).splitlines(keepends=True)
    return "".join([first, "Status: install ok installed\n", *others])
