"""What the running daemon says itself: its sandbox, or another view of the files, is none of this command's."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hostwatch.core.model import ContainerId, FileKind
from hostwatch.doctor.evidence import Evidence
from hostwatch.hosts.run_directory import RUN
from hostwatch.http.client import NoDaemonError, RefusedError, client_for


class Fault(NamedTuple):
    """A file that the daemon does not keep."""

    container: ContainerId
    kind: FileKind
    told: str
    """The owner's name, with the file if it is not its hosts file."""
    error: str


class Told(NamedTuple):
    """A daemon's answer."""

    who: str
    """The daemon, for people."""
    state: Mapping[str, Any]
    """The answer of `status --json`."""

    @property
    def faults(self) -> Iterator[Fault]:
        """The files that the daemon does not keep."""
        for subscriber in self.state.get("subscribers", ()):
            for kind, file in ((FileKind.HOSTS, subscriber), (FileKind.RESOLV, subscriber.get("resolv"))):
                if file is not None and file["error"] is not None:
                    name = subscriber["name"]
                    told = name if kind is FileKind.HOSTS else f"{name}: {kind.title}"
                    yield Fault(ContainerId(subscriber["id"]), kind, told, file["error"])


def told_by_daemon(evidence: Evidence, directory: Path = RUN) -> Told | None:
    """What the daemon says that keeps this engine's files; `None` if none can be asked."""
    holder, client = evidence.holder, client_for(directory, evidence.engine.id)
    if client is None or holder is None or not holder.is_hostwatch:
        return None
    try:
        return Told(f"the daemon (process {holder.pid})", client.get("/api/v1/state"))
    except (NoDaemonError, RefusedError):
        return None  # it has just ended, or waits in standby
