"""What one look at the engine and its files has shown: what every check is about."""

from dataclasses import dataclass
from pathlib import Path

from hostwatch.control.source import EngineInfo
from hostwatch.control.survey import FileReport
from hostwatch.core.model import Container, State
from hostwatch.core.rules import Writer
from hostwatch.core.store.store import Store
from hostwatch.hosts.lock import Holder


@dataclass(frozen=True, slots=True)
class View:
    """The engine, its containers and their files."""

    engine: EngineInfo
    store: Store
    reports: tuple[FileReport, ...]
    """A report of each subscriber's file."""
    root: Path | None
    """`docker.root`, where it is set."""
    faults: tuple[str, ...] = ()
    """What the engine refused of the requests that only `run` makes."""
    holder: Holder | None = None
    """Who has the lock on the engine's directory."""

    @property
    def directory(self) -> Path:
        """Where the engine's containers should be visible."""
        return self.engine.directory(self.root)

    @property
    def running(self) -> list[Container]:
        """The containers that run, by name."""
        running = (container for container in self.store.containers if container.state is not State.STOPPED)
        return sorted(running, key=lambda container: container.name)

    @property
    def witnesses(self) -> list[Container]:
        """The containers whose directories prove whose data root it is; stopped ones will do where none runs."""
        return self.running or list(self.store.containers)

    @property
    def path_only(self) -> bool:
        """Whether some subscriber is lost where its file is out of sight: others are written by exec."""
        return any(self.store.sharing(report.container.key).writer is Writer.PATH for report in self.reports)
