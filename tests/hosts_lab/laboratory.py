"""The laboratory: made, found again by name, and ended as a whole."""

import json
import shutil
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests import engine as engines
from tests.engine import EngineError, machine
from tests.engine.processes import Process
from tests.hosts_lab.host import NAMES, Host, routed_options, routed_subnet
from tests.hosts_lab.switch import Switch

Kind = Literal["swarm", "routed"]

OVERLAY = "mesh"
"""The overlay network of a swarm; plain containers may join it, too."""
ROUTED = "back"
"""A network of each host with routes, whose containers the other hosts reach: `routed_subnet`."""
_UNMASKED = "com.docker.network.bridge.enable_ip_masquerade=false"
_END_SECONDS = 5.0
_JOIN_SECONDS = 60.0
_NOTE = "laboratory.json"


@dataclass(frozen=True)
class Laboratory:
    """Hosts on a switch. `hosts[0]` is the manager of a swarm."""

    name: str
    kind: Kind
    directory: Path
    switch: Switch
    hosts: Sequence[Host]

    def host(self, name: str) -> Host:
        """The host of this name: `a`, `b`, `c`."""
        found = next((host for host in self.hosts if host.name == name), None)
        if found is None:
            raise EngineError(f"there is no host {name!r}; there are: {', '.join(host.name for host in self.hosts)}")
        return found

    def stop(self) -> None:
        """End everything and remove all state."""
        for file in self.directory.rglob("process"):  # of hostwatch, etcd and bad cables
            if file.parent.name != "switch" and (process := Process.read(file)):
                process.send(signal.SIGKILL)
                process.wait(_END_SECONDS)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda host: host.engine.stop(), self.hosts))
        self.switch.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


@contextmanager
def laboratory(kind: Kind, name: str, versions: Sequence[str] = ("26.1", "28.5")) -> Iterator[Laboratory]:
    """Hosts with engines of these versions, as one swarm, or with routes to each other's containers."""
    made = begin(kind, name, versions)
    try:
        yield made
    finally:
        made.stop()


def begin(kind: Kind, name: str, versions: Sequence[str]) -> Laboratory:
    """Start a laboratory, or leave nothing of it."""
    machine.check()
    for version in versions:
        engines.fetch(version)
    directory = _home() / name
    try:
        directory.mkdir(parents=True)
    except FileExistsError:
        raise EngineError(f"there is a laboratory {name!r} already: python -m tests.hosts_lab stop {name}") from None
    (directory / _NOTE).write_text(json.dumps({"kind": kind, "versions": list(versions)}))
    made = _described(name)
    try:
        _start(made)
    except BaseException:
        made.stop()
        raise
    return made


def find(name: str) -> Laboratory:
    """The laboratory of this name, started by any process."""
    if name not in (known := names()):
        raise EngineError(f"there is no laboratory {name!r}; there are: {', '.join(known) or 'none'}")
    return _described(name)


def names() -> list[str]:
    """All laboratories that have state here."""
    return sorted(note.parent.name for note in _home().glob(f"*/{_NOTE}"))


def _home() -> Path:
    return machine.home() / "labs"


def _described(name: str) -> Laboratory:
    directory = _home() / name
    note = json.loads((directory / _NOTE).read_text())
    versions: list[str] = note["versions"]
    switch = Switch(directory)
    hosts = []
    for number, version in enumerate(versions, 1):
        routed = note["kind"] == "routed"
        args = routed_options(number, version) if routed else []
        others = [each + 1 for each in range(len(versions)) if each + 1 != number] if routed else []
        own = f"{name}-{NAMES[number - 1]}"
        engine = engines.Engine(version, own, machine.home() / "run" / own, tuple(args))
        hosts.append(Host(number, engine, switch, directory / own, others))
    return Laboratory(name, note["kind"], directory, switch, hosts)


def _start(made: Laboratory) -> None:
    made.switch.start()
    with ThreadPoolExecutor() as pool:
        list(pool.map(_start_host, made.hosts))
    if made.kind == "swarm":
        _join(made.hosts)


def _start_host(host: Host) -> None:
    engines.start(host.engine.version, host.engine.name, args=host.engine.args)
    host.plug()
    if host.others:
        host.accept()
        host.docker("network", "create", f"--opt={_UNMASKED}", f"--subnet={routed_subnet(host.number)}", ROUTED)


def _join(hosts: Sequence[Host]) -> None:
    """Make a swarm of them, and the overlay network."""
    manager, *workers = hosts
    own = f"{manager.address}:2377"
    manager.docker("swarm", "init", f"--advertise-addr={manager.address}", f"--listen-addr={own}")
    token = manager.docker("swarm", "join-token", "--quiet", "worker").strip()
    for worker in workers:
        joining = ["swarm", "join", f"--advertise-addr={worker.address}", f"--token={token}", own]
        worker.docker(*joining, seconds=_JOIN_SECONDS)
    manager.docker("network", "create", "--driver=overlay", "--attachable", OVERLAY)
