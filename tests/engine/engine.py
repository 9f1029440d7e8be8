"""One engine: its namespaces, its daemon, and the directory that holds all of its state."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.engine import api, machine, roots
from tests.engine.machine import EngineError
from tests.engine.processes import Process, detach
from tests.engine.releases import Release, release

START_SECONDS = 30.0
ORDERLY_SECONDS = 30.0  # dockerd gives containers 10 s each, at the same time, and takes 15 s at most

_REPOSITORY = Path(__file__).resolve().parents[2]
_CGROUPS = Path("/sys/fs/cgroup")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_LONGEST_SOCKET = "exec/containerd/containerd-debug.sock.ttrpc"
_SOCKET_LIMIT = 107  # bytes in the path of a unix socket
_RUN_ROOT_LIMIT = 50  # bytes in the path of Podman's --runroot

# Run inside the namespaces: note who we are outside, say so, and become the daemon. The shell that waits for it is
# killed, so that process 1 of the namespace is its parent and reaps it; `&` would set SIGINT to be ignored.
_BECOME_DAEMON = """
set -e
(
    read -r stat </host/proc/self/stat
    echo "$stat" >"$1/daemon"
    echo ready
    kill -KILL $$
    shift
    exec "$@" >&2
)
:
"""
_CLIENT = 'cd "/host$1"; shift; exec "$@"'


@dataclass(frozen=True)
class Engine:
    """A private engine. All its state is in its directory, so that any process can find it again by name."""

    version: str
    name: str
    directory: Path
    args: tuple[str, ...] = ()

    @property
    def socket(self) -> Path:
        return self.directory / "docker.sock"

    @property
    def docker_host(self) -> str:
        return f"unix://{self.socket}"

    @property
    def data_root(self) -> Path:
        return self.directory / "data"

    @property
    def run_root(self) -> Path:
        """Podman's directory of state that must not outlive a boot, such as hosts files."""
        return self.directory / "r"  # its path must be short

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def holder(self) -> Process | None:
        """Process 1 of the engine's namespaces."""
        return Process.read(self.directory / "holder")

    @property
    def daemon(self) -> Process | None:
        """The daemon, as seen from outside."""
        return Process.read(self.directory / "daemon")

    def alive(self) -> bool:
        """Whether the daemon runs; it may still be starting or be stopped by a signal."""
        return bool((daemon := self.daemon) and daemon.alive())

    def held(self) -> bool:
        """Whether its namespaces are there, with or without a daemon."""
        return bool((holder := self.holder) and holder.alive())

    def start(self) -> None:
        """Start the daemon on the state that exists, and wait until it answers. Nothing happens if it runs."""
        if self.alive():
            return
        self.hold()
        self._start_daemon()
        if not api.has_image(self.socket, "busybox:latest"):
            api.import_image(self.socket, "busybox:latest", roots.fetch(self.version) / roots.IMAGE)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the daemon alone a signal; after SIGKILL it is gone on return. Containers and namespaces stay."""
        if daemon := self.daemon:
            daemon.send(number)
            if number == signal.SIGKILL:
                daemon.wait(ORDERLY_SECONDS)

    def restart(self) -> None:
        """Restart the daemon as `systemctl restart docker` does."""
        self._end_daemon()
        self.start()

    def stop(self, *, keep: bool = False) -> None:
        """End everything of this engine. `keep` leaves its state, in good order, for a later `start()`."""
        if keep:
            self._end_daemon()
        else:
            self.kill()  # nobody needs containers to end in an orderly way that are thrown away, and it takes its time
        if holder := self.holder:
            # Process 1 of a process namespace takes all others with it; with the last go the mounts and the network.
            holder.send(signal.SIGKILL)
            if not holder.wait(ORDERLY_SECONDS):
                raise EngineError(f"engine {self.name}: processes of it do not end; process 1 of them is {holder.pid}")
        self._remove_cgroups()
        if not keep and self.directory.exists():
            shutil.rmtree(self.directory)

    def docker(self, *arguments: str, seconds: float = 60) -> str:
        """The output of the docker command of this engine's own version."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode:
            raise EngineError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def command(self, *arguments: str) -> list[str]:
        """The command line of the docker command of this engine's own version."""
        client = ["podman", "--url"] if self._release.podman else ["docker", "--host"]
        tool = ["sh", "-c", _CLIENT, "sh", str(Path.cwd()), *client, self.docker_host, *arguments]
        return ["nsenter", f"--target={self._require_holder().pid}", "--mount", *tool]

    def podman(self, *arguments: str) -> str:
        """The output of Podman's own command, which works on its state without the socket, as quadlets' units do."""
        done = subprocess.run(self.enter(*self._podman(), *arguments), capture_output=True, text=True, check=False)
        if done.returncode:
            raise EngineError(f"podman {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def enter(self, *command: str) -> list[str]:
        """The command line that runs a program of the root in the engine's namespaces: `ip`, `iptables`, `ps`, `sh`…"""
        return ["nsenter", f"--target={self._require_holder().pid}", "--mount", "--net", "--uts", "--pid", *command]

    def _require_holder(self) -> Process:
        if not (holder := self.holder) or not holder.alive():
            raise EngineError(f"engine {self.name} does not run")
        return holder

    def hold(self) -> None:
        """Make the namespaces if they are not there, as for a network before the daemon starts.

        This counts as a boot, so state that must not outlive a boot is removed.
        """
        if self.held():
            return
        for left in (self.directory / "exec", self.run_root):
            shutil.rmtree(left, ignore_errors=True)
        root = roots.fetch(self.version)
        shared = {str(self.directory), str(_REPOSITORY), tempfile.gettempdir(), "/tmp"}
        namespaces = ["unshare", "--mount", "--propagation=slave", "--net", "--pid", "--uts", "--fork"]
        script = Path(__file__).with_name("holder.sh")
        if not detach([*namespaces, "sh", script, root, self.directory, *sorted(shared)], self.log):
            raise self._failed("could not make its namespaces")

    def _start_daemon(self) -> None:
        for name in ("docker.pid", "docker.sock"):  # of a daemon that was killed
            (self.directory / name).unlink(missing_ok=True)
        script = ["sh", "-c", _BECOME_DAEMON, "sh", str(self.directory)]
        service = ["system", "service", "--time=0", self.docker_host]
        command = [*self._podman(), *service] if self._release.podman else self._dockerd()
        if not detach(self.enter("env", "-i", "PATH=/usr/sbin:/usr/bin", *script, *command), self.log):
            raise self._failed("could not run its daemon")
        self._await_answer()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not api.answers(self.socket):
            if not self.alive():
                raise self._failed("its daemon ended")
            if time.monotonic() > deadline:
                raise self._failed(f"its daemon does not answer after {START_SECONDS:.0f} s")
            time.sleep(0.02)

    @property
    def _release(self) -> Release:
        return release(self.version)

    def _dockerd(self) -> list[str]:
        """The paths, our defaults for options that are not given, then the arguments."""
        fixed = {
            "--data-root": self.data_root,
            "--exec-root": self.directory / "exec",
            "--host": self.docker_host,
            "--pidfile": self.directory / "docker.pid",
        }
        defaults = {
            "--cgroup-parent": f"/{self._cgroup}",
            "--exec-opt": "native.cgroupdriver=cgroupfs",
            "--bip": self._release.bip,
            "--default-address-pool": f"base={self._release.pool},size=24",
        }
        given = {argument.split("=")[0] for argument in self.args}
        chosen = {name: value for name, value in defaults.items() if name not in given}
        return ["dockerd", *(f"{name}={value}" for name, value in {**fixed, **chosen}.items()), *self.args]

    def _podman(self) -> list[str]:
        """The paths; all other options are in `containers.conf`. Podman's containers depend on no daemon."""
        options = {
            "--root": self.data_root,
            "--runroot": self.run_root,
            "--network-config-dir": self.directory / "networks",
        }
        return ["podman", *(f"{name}={value}" for name, value in options.items()), *self.args]

    def _end_daemon(self) -> None:
        if daemon := self.daemon:
            daemon.send(signal.SIGTERM)
            if not daemon.wait(ORDERLY_SECONDS):
                self.kill()

    @property
    def _cgroup(self) -> str:
        return f"hostwatch-{self.name}"

    def _remove_cgroups(self) -> None:
        """Remove the control groups of killed containers, in each hierarchy (version 1) or in the one (version 2)."""
        for name in self._cgroups() if self._release.podman else [self._cgroup]:
            for top in [*_CGROUPS.glob(name), *_CGROUPS.glob(f"*/{name}")]:
                for directory, _, _ in os.walk(top, topdown=False):
                    Path(directory).rmdir()

    def _cgroups(self) -> list[str]:
        """Podman's groups: one for each container, below one that all Podmans share, which stays behind, empty."""
        return [f"libpod_parent/libpod-{container.name}" for container in self.data_root.glob("*-containers/?*/")]

    def _failed(self, what: str) -> EngineError:
        lines = self.log.read_text(errors="replace").splitlines()
        if len(lines) > 25:
            lines = [*lines[:3], "[…]", *lines[-20:]]
        return EngineError("\n".join([f"engine {self.name} ({self.version}): {what}; its log:", *lines]))


EngineT = TypeVar("EngineT", bound=Engine)


def start(version: str, name: str, *, args: Sequence[str] = ()) -> Engine:
    """Start a new engine, with these arguments for its daemon beside or in place of ours."""
    return begin(Engine(version, name, machine.home() / "run" / name, tuple(args)))


def begin(engine: EngineT) -> EngineT:
    """Start a new engine, or leave nothing of it."""
    machine.check()
    roots.fetch(engine.version)
    _check_name(engine)
    try:
        engine.directory.mkdir(parents=True)
    except FileExistsError:
        raise EngineError(
            f"there is an engine {engine.name!r} already: python -m tests.engine stop {engine.name}"
        ) from None
    try:
        note = {"version": engine.version, "args": engine.args}
        (engine.directory / "engine.json").write_text(json.dumps(note))
        engine.start()
    except BaseException:
        engine.stop()
        raise
    return engine


def find(name: str) -> Engine | None:
    """The running engine of this name, started by any process."""
    return next((engine for engine in engines() if engine.name == name and engine.alive()), None)


def engines() -> list[Engine]:
    """All engines that have state here, running or not."""
    notes = sorted((machine.home() / "run").glob("*/engine.json"))
    return [engine for note in notes if (engine := _load(note))]


def _load(note: Path) -> Engine | None:
    try:
        content = json.loads(note.read_text())
    except (OSError, ValueError):  # it is being made or removed this very moment
        return None
    return Engine(content["version"], note.parent.name, note.parent, tuple(content["args"]))


def _check_name(engine: Engine) -> None:
    if not _NAME.fullmatch(engine.name):
        raise EngineError(f"{engine.name!r} is no name for an engine: lower-case letters, digits and _ . -")
    longest, limit = engine.directory / _LONGEST_SOCKET, _SOCKET_LIMIT
    if release(engine.version).podman:
        longest, limit = engine.run_root, _RUN_ROOT_LIMIT
    if len(os.fsencode(longest)) > limit:
        raise EngineError(f"{engine.directory} is too long for what is in it: shorten the name or HOSTWATCH_ENGINES")
