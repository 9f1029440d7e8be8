"""The network between hosts: a bridge in a namespace of its own, and a cable to each host that can be made bad."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.servers.namespace import command_in
from tests.servers.server import Server

ADDRESS = "10.250.0.254"
"""Of the switch itself, for servers that are on no host, as an etcd."""
_BRIDGE = "lan"


@dataclass(frozen=True)
class Switch:
    """Its state is in its directory and in the kernel, so that any process can find it again."""

    directory: Path

    @property
    def namespace(self) -> Path:
        """The file of its network namespace."""
        process = self._holder.process
        assert process is not None
        return Path(f"/proc/{process.pid}/ns/net")

    def start(self) -> None:
        """Make the namespace and the bridge."""
        self._holder.start()
        self._ip("link set lo up")
        self._ip(f"link add {_BRIDGE} type bridge forward_delay 0")
        self._ip(f"address add {ADDRESS}/24 dev {_BRIDGE}")
        self._ip(f"link set {_BRIDGE} up")

    def stop(self) -> None:
        """End it; the cables go with it."""
        for process in self.directory.glob("slow-*"):
            self._slow(process.name.removeprefix("slow-"), ()).kill()
        self._holder.kill()

    def plug(self, host: str, pid: int, address: str) -> None:
        """Lay a cable to the host that holds this process; it ends there as `wan`, with this address."""
        self._ip(f"link add host-{host} type veth peer name wan netns {pid}")
        self._ip(f"link set host-{host} up master {_BRIDGE}")
        there = Path(f"/proc/{pid}/ns/net")
        run_ip(there, f"address add {address}/24 dev wan")
        run_ip(there, "link set wan up")

    def unplug(self, host: str) -> None:
        """Take the cable away, with both of its ends: the kernel takes its time with the network of a dead host."""
        self.mend(host)
        self._ip(f"link del host-{host}")

    def cut(self, host: str) -> None:
        """Drop everything from and to a host. Neither end is told, as if a cable broke farther away."""
        self._ip(f"link set host-{host} nomaster")

    def mend(self, host: str) -> None:
        """Let the cable be a good one again, whatever it was."""
        slow = self._slow(host, ())
        if slow.alive():
            slow.kill()
            self._ip(f"link del slow-{host}")
        self._ip(f"link set host-{host} master {_BRIDGE}")

    def worsen(self, host: str, *, delay: float = 0.0, loss: float = 0.0) -> None:
        """Delay each packet from and to a host by so many seconds, and lose such a share of them."""
        self.mend(host)
        self._ip(f"link add slow-{host} type veth peer name lan-{host}")
        self._ip(f"link set lan-{host} up master {_BRIDGE}")
        self._ip(f"link set slow-{host} up")
        self._ip(f"link set host-{host} nomaster")
        self._slow(host, (f"host-{host}", f"slow-{host}", str(delay), str(loss))).start()

    @property
    def _holder(self) -> Server:
        # The namespace is in front, so that it is there by the time at which the process is known.
        return Server("switch", self.directory / "switch", ("sleep", "infinity"), ("unshare", "--net"))

    def _slow(self, host: str, arguments: tuple[str, ...]) -> Server:
        script = Path(__file__).with_name("slow.py")
        within = command_in(self.namespace) if arguments else ()
        return Server(f"slow-{host}", self.directory / f"slow-{host}", (sys.executable, script, *arguments), within)

    def _ip(self, line: str) -> None:
        run_ip(self.namespace, line)


def run_ip(namespace: Path, line: str) -> None:
    """Run `ip` in a network namespace."""
    subprocess.run([*command_in(namespace), "ip", *line.split()], check=True)
