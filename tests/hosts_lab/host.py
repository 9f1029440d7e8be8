"""One host of the laboratory: an engine, its cable, and a hostwatch beside it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.engine import Engine
from tests.hosts_lab.switch import Switch, run_ip
from tests.noise import crowd
from tests.servers.namespace import command_in
from tests.servers.server import Server

NAMES = "abcdefgh"
"""Of hosts, from number 1 on."""
_READY = "connected to engine"
_READY_SECONDS = 30.0
_END_SECONDS = 10.0


@dataclass(frozen=True)
class Host:
    """A host by its number, from 1 on; `a` is the first one's name."""

    number: int
    engine: Engine
    switch: Switch
    directory: Path
    others: Sequence[int] = ()
    """The numbers of hosts whose containers are reached by routes."""

    @property
    def name(self) -> str:
        """Its name on the switch: `a`, `b`, `c`."""
        return NAMES[self.number - 1]

    @property
    def address(self) -> str:
        """Its address for other hosts."""
        return f"10.250.0.{self.number}"

    @property
    def namespace(self) -> Path:
        """The file of its network namespace."""
        holder = self.engine.holder
        assert holder is not None
        return Path(f"/proc/{holder.pid}/ns/net")

    @property
    def within(self) -> tuple[str, ...]:
        """The command in front of one that runs in this host's network."""
        return command_in(self.namespace)

    def docker(self, *arguments: str, seconds: float = 60) -> str:
        """The output of the docker command here."""
        return self.engine.docker(*arguments, seconds=seconds)

    def plug(self) -> None:
        """Join the network of hosts: the cable, and with routes the way to the others' containers."""
        holder = self.engine.holder
        assert holder is not None
        self.switch.plug(self.name, holder.pid, self.address)
        for number in self.others:
            run_ip(self.namespace, f"route add {container_range(number)} via 10.250.0.{number}")

    def power_off(self) -> None:
        """End everything on this host at once, as a power failure does. Its disk stays."""
        self.hostwatch.kill()
        self.switch.unplug(self.name)
        if holder := self.engine.holder:
            holder.send(signal.SIGKILL)
            holder.wait(_END_SECONDS)

    def power_on(self) -> None:
        """Start it again; its containers are as their restart policies want."""
        self.engine.hold()
        self.plug()  # a member of a swarm does not start without it
        self.engine.start()
        if self.others:
            self.accept()

    def accept(self) -> None:
        """Let packets of other hosts pass to containers here, as an administrator of routed networks does."""
        rule = self.engine.enter("iptables", "-I", "DOCKER-USER", "-i", "wan", "-j", "ACCEPT")
        subprocess.run(rule, check=True)

    @property
    def hostwatch(self) -> Server:
        """The hostwatch of this host, with the configuration `hostwatch.yaml` in its directory."""
        environ = {"PATH": os.environ["PATH"], "DOCKER_HOST": self.engine.docker_host}
        variables = [f"{name}={value}" for name, value in environ.items()]
        run = [sys.executable, "-m", "hostwatch", "run", "-c", str(self.configuration)]
        return Server("hostwatch", self.directory / "hostwatch", ("env", "-i", *variables, *run), self.within)

    @property
    def configuration(self) -> Path:
        """The file that its hostwatch reads."""
        return self.directory / "hostwatch.yaml"

    def start_hostwatch(self, configuration: str) -> None:
        """Start it with this configuration, and wait until it follows the engine."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.configuration.write_text(configuration)
        self.restart_hostwatch()

    def restart_hostwatch(self) -> None:
        """End it if it runs, start it with the configuration that is there, and wait until it follows the engine."""
        server = self.hostwatch
        server.stop()
        before = server.log.stat().st_size if server.log.exists() else 0
        server.start()
        deadline = time.monotonic() + _READY_SECONDS * crowd()
        while _READY.encode() not in server.log.read_bytes()[before:]:
            if not server.alive() or time.monotonic() > deadline:
                raise server.failed(f"does not say {_READY!r}")
            time.sleep(0.05)


def container_range(number: int) -> str:
    """The addresses of all containers of a routed host; there is room for fifteen hosts."""
    return f"10.77.{number * 16}.0/20"


def routed_subnet(number: int) -> str:
    """The addresses of the network that each routed host has; they are in no pool, so that a test may choose them."""
    return f"10.77.{number * 16 + 1}.0/24"


def routed_options(number: int, version: str) -> list[str]:
    """What an engine needs whose containers others reach by a route: ranges of its own, and no masquerading."""
    options = [
        f"--bip=10.77.{number * 16}.1/24",
        f"--default-address-pool=base=10.77.{number * 16 + 8}.0/21,size=24",
        "--ip-masq=false",
    ]
    # From 28 on, packets to containers that do not come by the bridge or a published port are dropped otherwise.
    return options if int(version.partition(".")[0]) < 28 else [*options, "--allow-direct-routing"]
