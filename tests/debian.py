"""Fresh Debian machines: a real dpkg database, apt with packages to install, and systemd as process 1.

A suite's root is made once, as debootstrap makes one, and cached beside the engines. Each machine has it as the lower
layer of its file system, so that what happens in one machine is seen in no other.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.booted import Machine, started
from tests.engine import Engine, apt, roots
from tests.image import REPOSITORY

SUITES = {"bookworm": 12, "trixie": 13, "forky": 14}
"""The releases of Debian that hostwatch has a package for, with their numbers."""

_BASE = ("?essential", "usr-is-merged", "apt", "mount", "systemd-sysv", "iproute2", "ca-certificates", "netbase")
_MIRROR = Path("srv/debian")
"""The packages that apt can install in a machine, which reaches no mirror."""
_OFFERED = ("python3",)
_SETTINGS = {
    "etc/apt/sources.list": f"deb [trusted=yes] file:/{_MIRROR} ./\n",
    "etc/dpkg/dpkg.cfg.d/fast": "force-unsafe-io\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/machine-id": "1" * 32 + "\n",
    "etc/fstab": "",
}
_CHANGING = (
    *("proc", "sys", "dev", "run", "tmp", "root"),
    *("var/cache", "var/lib/apt", "var/lib/dpkg", "var/lib/docker", "var/log"),
)
"""Directories of files that come and go by themselves, or by dpkg's and apt's own doing."""
_UNWANTED = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "console-getty.service"),
    *("systemd-sysctl.service", "systemd-modules-load.service", "sys-kernel-debug.mount", "sys-kernel-tracing.mount"),
)
"""Units that come when nobody expects them, or that set up the kernel, which is not the machine's own."""
_FIRST_INSTALL = Path(__file__).with_name("first_install.sh")


@dataclass(frozen=True)
class Debian(Machine):
    """A running Debian."""

    @property
    def log(self) -> str:
        """The log of hostwatch: what the unit has written to the journal."""
        return self.run("journalctl", "--unit=hostwatch", "--output=cat", "--no-pager")

    def shell(self, script: str, status: int | None = 0, seconds: float = 60) -> str:
        """The output, errors included, of a shell script that runs in the machine as root logs in."""
        login = ["env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "TERM=dumb"]
        return self.run(*login, "sh", "-c", f"exec 2>&1; cd; {script}", status=status, seconds=seconds)

    def put(self, file: Path) -> str:
        """Copy a file into root's home; returns its path there, as apt takes it for a package's."""
        shutil.copy(file, self.root / "root")
        return f"/root/{file.name}"

    def apt(self, *arguments: str | Path, status: int | None = 0) -> str:
        """The output of apt-get, which nobody is there to answer."""
        words = " ".join(map(str, arguments))
        return self.shell(f"DEBIAN_FRONTEND=noninteractive apt-get -qy {words} </dev/null", status)

    def files(self) -> set[str]:
        """The files of the machine, other than those that change by themselves."""
        skipped = " -o ".join(f"-path /{name}" for name in _CHANGING)
        find = f"find / /run/hostwatch -xdev \\( {skipped} \\) -prune -o -print 2>/dev/null"
        return set(self.shell(find, None).splitlines())


@contextmanager
def debian(
    suite: str, engine: Engine | None, directory: Path, packages: Sequence[str] = (), network: int | None = None
) -> Iterator[Debian]:
    """Boot a fresh Debian of this suite in which these packages are installed, beside an engine if there is one.

    The engine's socket is where Docker has it, and its data at both Docker's and the engine's own path. The machine has
    the network of the process `network`, else one of its own.
    """
    root = fresh(suite, packages)
    beside = engine.directory if engine else ""
    with started([REPOSITORY / "tests/debian.sh", directory, root, beside], directory, network) as pid:
        machine = Debian(pid, directory)
        machine.await_boot()
        yield machine


def package(built: Path, suite: str) -> Path:
    """The package of hostwatch for this release of Debian, among those that were made."""
    (found,) = built.glob(f"hostwatch_*~deb{SUITES[suite]}_*.deb")
    return found


def fresh(suite: str, packages: Sequence[str] = ()) -> Path:
    """The root file system of a Debian just installed, with these packages, to be used read-only."""
    recipe = [suite, sorted(packages), _BASE, _OFFERED, _SETTINGS, _UNWANTED, _FIRST_INSTALL.read_text()]
    digest = hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]
    return roots.made(f"debian-{suite}-{digest}", lambda scratch: _installed(suite, packages, scratch))


def _installed(suite: str, packages: Sequence[str], scratch: Path) -> Path:
    root = scratch / "root"
    chosen = apt.download(suite, [*_BASE, *packages], scratch)
    roots.unpack(chosen, root)
    for name, text in _SETTINGS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    _offer(apt.download(suite, [*_BASE, *packages, *_OFFERED], scratch), root / _MIRROR)
    _configure(root, [f"/{_MIRROR}/{package.name}" for package in chosen])
    return root


def _offer(packages: Sequence[Path], mirror: Path) -> None:
    """Make a mirror of these packages, as apt wants one."""
    mirror.mkdir(parents=True)
    index = list[str]()
    for package in packages:
        shutil.copy(package, mirror)
        control = subprocess.check_output(["dpkg-deb", "--field", package], text=True)
        digest = hashlib.sha256(package.read_bytes()).hexdigest()
        index.append(f"{control}Filename: ./{package.name}\nSize: {package.stat().st_size}\nSHA256: {digest}\n")
    (mirror / "Packages").write_text("\n".join(index))


def _configure(root: Path, packages: Sequence[str]) -> None:
    """Have dpkg, whose database is empty, install what is unpacked, so that all maintainer scripts run."""
    (root / "var/lib/dpkg/status").touch()
    script = ["unshare", "--mount", "--pid", "--fork", "sh", str(_FIRST_INSTALL), str(root), *packages]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for unit in _UNWANTED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
