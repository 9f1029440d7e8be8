"""Programs from Debian for the tests, which reach no registry: Python for an image, nginx, Chromium and others.

All are made once and cached beside the engines. The base image is a Debian with Python and pip, in which pip finds the
wheels that it would fetch from its index elsewhere: `config/Dockerfile` needs to know nothing about that.
"""

import hashlib
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import docker

from tests.engine import roots

BASE = "python:offline"
REPOSITORY = Path(__file__).resolve().parent.parent
_LOCK = REPOSITORY / "requirements-dev.txt"

_PYTHON = "3.11"
_SUITE = "bookworm"  # has that Python
_PACKAGES = ("python3", "python3-pip", "dash", "base-files")
_ENVIRONMENT = ["ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels"]
_CHROMIUM = ("chromium", "chromium-driver", "fonts-inter", "fonts-dejavu-core", "dash", "base-files")
_FONTS = """\
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <cachedir>/tmp/fonts</cachedir>
  <alias><family>system-ui</family><prefer><family>Inter</family></prefer></alias>
  <alias><family>sans-serif</family><prefer><family>Inter</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""
COMPOSES = {"2.26": "trixie", "2.40": "forky"}
"""The versions of Docker Compose, oldest first, with the Debian that has each."""
OLDEST_COMPOSE = next(iter(COMPOSES))
_COMPOSE = "usr/libexec/docker/cli-plugins/docker-compose"


def import_base(client: docker.DockerClient) -> None:
    """Give the engine the image `BASE`."""
    pins = _pins()
    recipe = Path(__file__).read_text()
    digest = hashlib.sha256("\n".join([recipe, *pins, *_needed()]).encode()).hexdigest()[:12]
    archive = roots.made(f"python-{digest}.tar", _base)
    repository, _, tag = BASE.partition(":")
    client.api.import_image_from_file(str(archive), repository=repository, tag=tag, changes=_ENVIRONMENT)


def compose(version: str = OLDEST_COMPOSE) -> Path:
    """The program of Docker Compose in one of the versions of `COMPOSES`."""
    return roots.packaged(f"compose-{version}", COMPOSES[version], ["docker-compose"]) / _COMPOSE


def strace() -> list[str | Path]:
    """The command for strace."""
    return roots.command(roots.packaged("strace", _SUITE, ["strace"]), "strace")


def prometheus(program: str) -> list[str | Path]:
    """The command for a program of Prometheus: `prometheus`, `promtool`."""
    return roots.command(roots.packaged("prometheus", _SUITE, ["prometheus"]), program)


def nginx() -> Path:
    """A root with nginx and all that it needs."""
    return roots.packaged("nginx", _SUITE, ["nginx"])


def chromium() -> Path:
    """A root with Chromium, its driver and fonts, in which `chromium.sh` runs them."""
    return roots.made("chromium", _chromium_root)


def systemd() -> Path:
    """The /usr of a root with systemd and all that it needs."""
    return roots.packaged("systemd", _SUITE, ["systemd", "iproute2"]) / "usr"


def _chromium_root(scratch: Path) -> Path:
    root = roots.unpacked(_SUITE, _CHROMIUM, scratch)
    for name in ("dev", "proc", "sys", "tmp", "root"):
        (root / name).mkdir(exist_ok=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")  # the driver speaks to the browser by that name
    (root / "etc/fonts").mkdir(exist_ok=True)
    (root / "etc/fonts/fonts.conf").write_text(_FONTS)
    return root


def _base(scratch: Path) -> Path:
    root = roots.unpacked(_SUITE, _PACKAGES, scratch)
    if not (root / "bin/sh").exists():
        (root / "bin/sh").symlink_to("dash")
    (root / "tmp").mkdir(mode=0o1777, exist_ok=True)
    # As the packages' maintainer scripts would; else each start of Python compiles anew what it imports.
    subprocess.run(["unshare", f"--root={root}", "python3", "-m", "compileall", "-q", "/usr/lib"], check=True)
    _download_wheels(_PYTHON, _needed(), root / "wheels", scratch)
    archive = scratch / "base.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root, ".")
    return archive


def wheels(python: str) -> Path:
    """The directory of what pip installs beside hostwatch's own wheel with this Python, and of pip itself."""
    names = [*_needed(), "pip"]
    digest = hashlib.sha256("\n".join([*_pins(), *names]).encode()).hexdigest()[:12]

    def make(scratch: Path) -> Path:
        _download_wheels(python, names, scratch / "wheels", scratch)
        return scratch / "wheels"

    return roots.made(f"wheels-{python}-{digest}", make)


def _download_wheels(python: str, names: list[str], into: Path, scratch: Path) -> None:
    """These packages and what they need, as they are pinned."""
    constraints = scratch / "constraints.txt"
    constraints.write_text("\n".join(_pins()))
    target = ["--only-binary=:all:", f"--python-version={python}", f"--constraint={constraints}", f"--dest={into}"]
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--quiet", "download", *target, *names], check=True)


def _needed() -> list[str]:
    """What hostwatch names for its build and its run."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    return [*project["project"]["dependencies"], *project["build-system"]["requires"]]


def _pins() -> list[str]:
    """The versions of all packages, as `make lock` pins them."""
    return re.findall(r"^[\w.-]+==[\w.+!]+", _LOCK.read_text(), re.MULTILINE)
