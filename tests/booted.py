"""A machine with systemd as process 1, beside a private engine, in namespaces of its own.

It has our unit as it stands in `config/`, our program where the unit looks for it, and the engine where Docker is.
Where this machine has no systemd of its own, Debian's is unpacked beside the engines.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import eventually
from tests.engine import Engine
from tests.image import REPOSITORY, systemd

_NAMESPACES = ("--mount", "--propagation=slave", "--pid", "--ipc", "--uts", "--cgroup")
_PROGRAM = """\
#!/opt/python/bin/python3
import sys
sys.path[1:1] = ["/opt/source", "/opt/packages"]
from hostwatch.cli import main
main()
"""
_HOSTS = "127.0.0.1 localhost\n"
_TARGET = "[Unit]\nDescription=All that this machine is for\n"


@dataclass(frozen=True)
class Machine:
    """A running machine."""

    pid: int
    """Its process 1, as seen from outside."""
    directory: Path

    @property
    def root(self) -> Path:
        """Its file system."""
        return Path(f"/proc/{self.pid}/root")

    @property
    def config(self) -> Path:
        """The configuration of hostwatch in the machine."""
        return self.root / "etc/hostwatch/hostwatch.yaml"

    @property
    def log(self) -> str:
        """The log of hostwatch."""
        file = self.directory / "log/hostwatch.log"
        return file.read_text() if file.exists() else ""

    def enter(self, *command: str) -> list[str]:
        """The command line that runs a program in the machine."""
        namespaces = ("--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup")
        return ["nsenter", f"--target={self.pid}", *namespaces, *command]

    def run(self, *command: str, status: int | None = 0, seconds: float = 60) -> str:
        """The output of a program that runs in the machine."""
        done = subprocess.run(self.enter(*command), capture_output=True, text=True, timeout=seconds, check=False)
        assert status in (None, done.returncode), (command, done)
        return done.stdout

    def show(self, *properties: str) -> list[str]:
        """Properties of our unit, as systemd tells them."""
        asked = [f"--property={name}" for name in properties]  # it answers in an order of its own
        told = dict(line.split("=", 1) for line in self.run("systemctl", "show", "hostwatch", *asked).splitlines())
        return [told[name] for name in properties]

    def await_boot(self) -> None:
        """Wait until all of its units have started."""
        eventually(lambda: "running" in self.run("systemctl", "is-system-running", status=None), 30)

    def refurbish(self) -> None:
        """Put its files back as they were at its boot."""
        units, kept = self.root / "etc/systemd/system", ("hostwatch.service", "test.conf", "machine.target")
        for file in [*units.glob("*.service"), *units.glob("hostwatch.service.d/*.conf"), *self.root.glob("var/log/*")]:
            if file.name not in kept and file.is_file():
                file.unlink()
        (self.root / "etc/hosts").write_text(_HOSTS)

    @property
    def state(self) -> str:
        """Whether our unit is `active`, `activating` and so on."""
        return self.show("ActiveState")[0]

    @property
    def main_pid(self) -> int:
        """Our process, as seen from outside; systemd counts in its own namespace."""
        inside = self.show("MainPID")[0]
        (group,) = _cgroup(self.directory).glob("*/hostwatch.service")
        for pid in map(int, (group / "cgroup.procs").read_text().split()):
            if f"NSpid:\t{pid}\t{inside}\n" in Path(f"/proc/{pid}/status").read_text():
                return pid
        raise AssertionError(f"no process {inside}")


@contextmanager
def booted(engine: Engine, directory: Path, drop_in: str) -> Iterator[Machine]:
    """Boot a machine beside an engine; `drop_in` is for our unit."""
    _furnish(directory, drop_in)
    python = [sys.base_prefix, str(sysconfig.get_path("purelib"))]
    script: list[str | Path] = [REPOSITORY / "tests/boot.sh", directory, *python, REPOSITORY, engine.directory, _usr()]
    with started(script, directory) as pid:
        machine = Machine(pid, directory)
        machine.await_boot()
        yield machine


@contextmanager
def started(script: Sequence[str | Path], directory: Path, network: int | None = None) -> Iterator[int]:
    """Run a shell script in namespaces and a control group of its own; the id of the process 1 that it becomes.

    It has the network of the process `network`, else one of its own.
    """
    cgroup = _cgroup(directory)
    cgroup.mkdir()
    into = ["sh", "-c", 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"', "sh", str(cgroup)]
    into += ["unshare", "--net"] if network is None else ["nsenter", f"--net=/proc/{network}/ns/net", "unshare"]
    with (directory / "console").open("w") as console:
        process = subprocess.Popen(
            [*into, *_NAMESPACES, "--fork", "--kill-child", "sh", *map(str, script)],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )
    try:
        yield eventually(lambda: _child(process, directory))
    finally:
        process.kill()
        process.wait()
        eventually(lambda: "populated 0" in (cgroup / "cgroup.events").read_text())
        for left in sorted(cgroup.glob("**/"), reverse=True):
            left.rmdir()


def _child(process: "subprocess.Popen[bytes]", directory: Path) -> int:
    assert process.poll() is None, (directory / "console").read_text()
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text() or 0)


def _furnish(directory: Path, drop_in: str) -> None:
    """Put the machine's files in /etc and our program in place."""
    units = directory / "etc/systemd/system"
    (units / "hostwatch.service.d").mkdir(parents=True)
    (directory / "log").mkdir()
    shutil.copy(REPOSITORY / "config/hostwatch.service", units)
    (units / "hostwatch.service.d/test.conf").write_text(
        f"[Service]\nStandardError=append:/var/log/hostwatch.log\nEnvironment=LD_LIBRARY_PATH=/opt/python/lib\n{drop_in}"
    )
    (units / "machine.target").write_text(_TARGET)
    (directory / "etc/hostwatch").mkdir()
    (directory / "etc/hosts").write_text(_HOSTS)
    (directory / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (directory / "etc/group").write_text("root:x:0:\n")
    (directory / "etc/machine-id").write_text("1" * 32 + "\n")
    program = directory / "opt/hostwatch/bin/hostwatch"
    program.parent.mkdir(parents=True)
    program.write_text(_PROGRAM)
    program.chmod(0o755)


def _cgroup(directory: Path) -> Path:
    """The control group (version 2) of a machine."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    (place,) = [where for _, where, kind, *_ in mounts if kind == "cgroup2"][:1]
    return Path(place) / f"hostwatch-machine-{os.getpid()}-{directory.name}"


def _usr() -> str:
    if Path("/usr/lib/systemd/systemd").exists():
        return "/usr"
    return f"/usr:{systemd()}"  # what both have is this machine's
