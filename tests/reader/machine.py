"""A reader's machine: Debian with systemd as process 1, Docker's commands and hostwatch, as the page finds it."""

import hashlib
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.booted import Machine, started
from tests.debian import debian
from tests.engine import roots
from tests.image import REPOSITORY, wheels
from tests.reader.beside import PageEngine

_SUITE, _PYTHON = "forky", "3.14"
_PACKAGES = (
    *("base-files", "bash", "dash", "coreutils", "diffutils", "findutils", "gawk", "grep", "gzip", "sed", "tar"),
    *("util-linux", "mount", "systemd", "libnss-systemd", "libc-bin", "procps", "hostname"),
    *("iproute2", "iptables", "iputils-ping", "curl", "ca-certificates", "jq"),
    *("docker-cli", "docker-compose", "etcd-server", "etcd-client", "openssl", "openssh-server", "openssh-client"),
    *("libssl3t64", "libsqlite3-0", "libffi8", "libreadline8t64", "libbz2-1.0", "libexpat1"),  # for Python
)
_COMMANDS = ("docker-cli", "docker-compose", "curl")
_PIPX = "pipx"
_PIP = "[global]\nno-index = true\nfind-links = /srv/wheels\n"
"""The index of pip in a machine, which reaches none."""
_HOME = "root-home"
_PROGRAM = """\
#!/bin/sh
LD_LIBRARY_PATH=/opt/python/lib exec /opt/python/bin/python3 -c '
import sys
sys.path[1:1] = ["/opt/source", "/opt/packages"]
sys.argv[0] = "/opt/hostwatch/bin/{name}"
from hostwatch.{module} import main
main()' "$@"
"""
_PROGRAMS = {"hostwatch": "cli", "docker-hostwatch": "docker_plugin"}
_LINKS = {
    "bin/hostwatch": "/opt/hostwatch/bin/hostwatch",
    "libexec/docker/cli-plugins/docker-hostwatch": "/opt/hostwatch/bin/docker-hostwatch",
    "sbin/iptables": "xtables-nft-multi",
    "sbin/iptables-save": "xtables-nft-multi",
}
"""The last ones as Debian's alternatives have them."""
_HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
_PASSWD = """\
root:x:0:0:root:/root:/bin/bash
etcd:x:500:500::/var/lib/etcd:/bin/sh
sshd:x:501:65534::/run/sshd:/bin/false
mia:x:1000:1000:Mia:/home/mia:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
"""
_GROUP = "root:x:0:\netcd:x:500:\nmia:x:1000:\nnogroup:x:65534:\n"
_TARGET = "[Unit]\nDescription=All that this machine is for\nRequires=basic.target\nAfter=basic.target\n"
_OF_USERS = {
    "user-runtime-dir@.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    "user@.service.d/machine.conf": "[Service]\nPAMName=\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n",
}
"""Units for a user's own systemd: their directory is the engine's, and nobody logs in."""
_MASKED = ("systemd-udevd", "systemd-udev-trigger", "systemd-resolved", "systemd-networkd", "systemd-timesyncd")
_PODMAN = """\
#!/bin/sh
exec /usr/bin/podman --url unix:///run/podman/podman.sock "$@"
"""
"""The engine's processes are elsewhere, so it is spoken to by its socket."""


@contextmanager
def booted(engine: PageEngine, directory: Path) -> Iterator[Machine]:
    """Boot a machine in the network of an engine. The directory is its disk."""
    _furnish(directory, engine.host)
    (engine.directory / "data").mkdir(exist_ok=True)  # a rootless one has it elsewhere
    for shared in engine.shared:
        _empty(engine.directory / shared)
    python = [sys.base_prefix, str(sysconfig.get_path("purelib"))]
    lower = [directory, _root(), *([roots.fetch(engine.version)] if engine.is_podman else [])]
    usr = ":".join(str(root / "usr") for root in lower)
    script: list[str | Path] = [REPOSITORY / "tests/boot.sh", directory, *python, REPOSITORY, engine.directory, usr]
    with started(script, directory, _network(engine)) as pid:
        machine = Machine(pid, directory)
        machine.await_boot()
        _place(engine, machine)
        yield machine


@contextmanager
def installed(engine: PageEngine, directory: Path, *packages: str) -> Iterator[Machine]:
    """Boot a fresh Debian with Docker's commands and these packages beside an engine, without hostwatch."""
    _empty(engine.directory / _HOME)
    with debian(_SUITE, engine, directory, (*_COMMANDS, *packages), _network(engine)) as machine:
        machine.run("mount", "--bind", str(engine.directory / _HOME), engine.shared[_HOME])
        yield machine


@contextmanager
def with_pipx(engine: PageEngine, directory: Path) -> Iterator[Machine]:
    """Boot the same with pipx, which installs from wheels where it would ask an index elsewhere."""
    with installed(engine, directory, _PIPX) as machine:
        shutil.copytree(wheels(_PYTHON), machine.root / "srv/wheels")
        (machine.root / "etc/pip.conf").write_text(_PIP)
        yield machine


def _network(engine: PageEngine) -> int:
    """The process whose network is the engine's, as a reader's machine is the one that the engine runs on."""
    assert engine.holder is not None
    return engine.holder.pid


def _place(engine: PageEngine, machine: Machine) -> None:
    """Mount what the engine has, too, where it has it."""
    commands = ["umount /var/lib/docker"]
    if not engine.has_dockers_places:
        commands += ["rm /run/docker.sock"]
    if engine.is_podman:
        commands += ["mkdir -p /run/podman"]
        commands += ["ln -s ../engine/docker.sock /run/podman/podman.sock"]
    for name, place in engine.mounts.items():
        commands += [f"mkdir -p {place}", f"mount --bind /run/engine/{name} {place}"]
    machine.run("sh", "-c", " && ".join(commands))


def _root() -> Path:
    """A root with all programs of a machine."""
    digest = hashlib.sha256(" ".join((_SUITE, *_PACKAGES)).encode()).hexdigest()[:8]
    return roots.packaged(f"reader-{digest}", _SUITE, _PACKAGES)


def _furnish(directory: Path, host: str) -> None:
    """Put the machine's files in /etc and our programs in place."""
    shutil.copytree(_root() / "etc", directory / "etc", symlinks=True)
    units = directory / "etc/systemd/system"
    units.mkdir(parents=True, exist_ok=True)
    shutil.copy(REPOSITORY / "config/hostwatch.service", units)
    (units / "machine.target").write_text(_TARGET)
    for name, text in _OF_USERS.items():
        (units / name).parent.mkdir(exist_ok=True)
        (units / name).write_text(text)
    for masked in _MASKED:
        (units / f"{masked}.service").symlink_to("/dev/null")
    texts = {
        "hosts": _HOSTS,
        "hostname": f"{host}\n",
        "passwd": _PASSWD,
        "shadow": "root:*:1::::::\n",
        "group": _GROUP,
        "machine-id": "1" * 32 + "\n",
        "resolv.conf": "nameserver 192.0.2.53\n",
    }
    for file, text in texts.items():
        (directory / "etc" / file).write_text(text)
    (directory / "log").mkdir()
    programs = directory / "opt/hostwatch/bin"
    programs.mkdir(parents=True)
    for program, module in _PROGRAMS.items():
        (programs / program).write_text(_PROGRAM.format(name=program, module=module))
        (programs / program).chmod(0o755)
    local = directory / "usr/local/bin"
    local.mkdir(parents=True)
    (local / "podman").write_text(_PODMAN)
    (local / "podman").chmod(0o755)
    for link, target in _LINKS.items():
        place = directory / "usr" / link
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)


def _empty(directory: Path) -> None:
    """Remove what is in a directory that others have mounted."""
    directory.mkdir(exist_ok=True)
    for left in directory.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()
