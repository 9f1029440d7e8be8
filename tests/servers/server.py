"""One process of a server: it can be stopped, killed, frozen and started again on the same state."""

import signal
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.engine.processes import Process, detach

_STOP_SECONDS = 10.0

# Note who we are, say so, and become the server. The shell that waits for it is killed, as in tests/engine/engine.py.
_BECOME_SERVER = """
set -e
(
    read -r stat </proc/self/stat
    echo "$stat" >"$1"
    echo ready
    kill -KILL $$ 2>/dev/null || :  # whoever started it may have done so already
    shift
    exec "$@" >&2
)
:
"""


class ServerError(Exception):
    """A server that does not do what it should. The message has the end of its log."""


@dataclass(frozen=True)
class Server:
    """A process by its command. What is known of it is in its directory, so that any process can find it again."""

    name: str
    directory: Path
    command: tuple[str | Path, ...]
    within: tuple[str, ...] = ()
    """A command in front, to run it elsewhere, as in a network namespace. It must exec and not fork."""

    @property
    def log(self) -> Path:
        """What it wrote to its output, of all of its runs."""
        return self.directory / "log"

    @property
    def process(self) -> Process | None:
        """The process of its last run."""
        return Process.read(self.directory / "process")

    def alive(self) -> bool:
        """Whether it runs; it may be frozen."""
        return bool((process := self.process) and process.alive())

    def start(self) -> None:
        """Run it on the state that exists, without waiting for it to answer. Nothing happens if it runs."""
        if self.alive():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        script = ("sh", "-c", _BECOME_SERVER, "sh", self.directory / "process")
        if not detach((*self.within, *script, *self.command), self.log):
            raise self.failed("cannot be started")

    def stop(self) -> None:
        """End it in good order, or else kill it."""
        if process := self.process:
            process.send(signal.SIGCONT)
            process.send(signal.SIGTERM)
            if not process.wait(_STOP_SECONDS):
                self.kill()

    def kill(self) -> None:
        """End it as a power failure does; it is gone on return."""
        if process := self.process:
            process.send(signal.SIGKILL)
            process.wait(_STOP_SECONDS)

    def freeze(self) -> None:
        """Stop it so that its connections stay open and nothing answers."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        self._send(signal.SIGCONT)

    def failed(self, what: str) -> ServerError:
        """The error to raise, with the end of the log."""
        lines = self.log.read_text(errors="replace").splitlines()[-15:] if self.log.exists() else []
        return ServerError("\n".join([f"{self.name} {what}; its log:", *lines]))

    def _send(self, number: signal.Signals) -> None:
        if process := self.process:
            process.send(number)


def free_ports(count: int) -> Sequence[int]:
    """Ports of the loopback address that nobody listens at now."""
    with ExitStack() as open_ones:
        sockets = [open_ones.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
