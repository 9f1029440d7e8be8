"""An engine that runs as a user without privileges: dockerd in a user namespace, with its state in the user's home."""

from dataclasses import dataclass
from pathlib import Path

from tests.engine import machine
from tests.engine.engine import Engine, begin
from tests.engine.processes import Process, detach
from tests.engine.releases import ROOTLESS

USER = 54321
"""The user's number, and the group's. Nobody has it by chance, and root in its containers is this user."""

# Run inside as root: what an administrator would set up. Its own device, as the machine's may be closed to users.
_ADMIT_USER = """
set -e
echo "user:x:$1:$1::$3:/bin/sh" >>/etc/passwd
echo "user:x:$1:" >>/etc/group
echo "user:1000000:65536" | tee /etc/subuid >/etc/subgid
mknod -m 666 /tun c 10 200
mount --bind /tun /dev/net/tun
install -d -o "$1" -g "$1" -m 700 "$2/home" "$2/run"
"""

# Run inside as the user.
_BECOME_DOCKERD = """
set -e
read -r stat </host/proc/self/stat
echo "$stat" >"$XDG_RUNTIME_DIR/daemon"
echo ready
exec sh /usr/share/docker.io/contrib/dockerd-rootless.sh "$@" >&2
"""


@dataclass(frozen=True)
class RootlessEngine(Engine):
    """A private engine of a user; it cannot be restarted, and its containers have no control groups."""

    user: int = USER
    """The user's number."""

    @property
    def home(self) -> str:
        """The user's home, as its daemon knows it."""
        return f"{self.directory}/home"

    @property
    def runtime_path(self) -> str:
        """The user's $XDG_RUNTIME_DIR, as its daemon knows it."""
        return f"{self.directory}/run"

    @property
    def runtime(self) -> Path:
        """The user's $XDG_RUNTIME_DIR."""
        return self.directory / "run"

    @property
    def socket(self) -> Path:
        return self.runtime / "docker.sock"

    @property
    def data_root(self) -> Path:
        return self.directory / "home/.local/share/docker"

    @property
    def daemon(self) -> Process | None:
        return Process.read(self.runtime / "daemon")

    def _start_daemon(self) -> None:
        admit = ["sh", "-c", f"{_ADMIT_USER}echo ready", "sh", str(self.user), str(self.directory), self.home]
        if not detach(self.enter(*admit), self.log):
            raise self._failed("could not admit its user")
        environ = [f"HOME={self.home}", f"XDG_RUNTIME_DIR={self.runtime_path}", "USER=user"]
        become = ["env", "-i", "PATH=/usr/sbin:/usr/bin", *environ, "sh", "-c", _BECOME_DOCKERD, "sh"]
        nsenter, *inside = self.enter(*become, "--storage-driver=vfs", "--exec-opt=native.cgroupdriver=cgroupfs")
        if not detach([nsenter, f"--setuid={self.user}", f"--setgid={self.user}", *inside], self.log):
            raise self._failed("could not run dockerd")
        self._await_answer()


def start_rootless(name: str) -> RootlessEngine:
    """Start a new engine of a user."""
    return begin(RootlessEngine(ROOTLESS, name, machine.home() / "run" / name))
