"""The engine, its containers and their files, as found at one moment: every check is based on this."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hostwatch.control.remotes import SourceState
from hostwatch.control.source import EngineInfo
from hostwatch.control.survey import FileReport
from hostwatch.core.model import Container, State
from hostwatch.core.rules import Writer
from hostwatch.core.store.store import Store
from hostwatch.hosts.lock import Holder


@dataclass(frozen=True, slots=True)
class Evidence:
    """The engine, its containers and their files at one moment."""

    engine: EngineInfo
    store: Store
    reports: tuple[FileReport, ...]
    """A report of each subscriber's file."""
    root: Path | None
    """`docker.root`, if it is set."""
    faults: tuple[str, ...] = ()
    """The errors of requests that only `run` makes, or whose failure the survey survives."""
    holder: Holder | None = None
    """The process that has the lock on the engine's directory."""
    heard: Mapping[str, SourceState] = field(default_factory=dict)
    """The sources of names on other hosts that this command asked itself: the overlay networks."""

    @property
    def directory(self) -> Path:
        """The directory in which the engine's containers should be visible."""
        return self.engine.directory(self.root)

    @property
    def running(self) -> list[Container]:
        """The running containers, by name."""
        running = (container for container in self.store.containers if container.state is not State.STOPPED)
        return sorted(running, key=lambda container: container.name)

    @property
    def witnesses(self) -> list[Container]:
        """The containers whose directories prove that the data root is this engine's; stopped ones if none runs."""
        return self.running or list(self.store.containers)

    @property
    def path_only(self) -> bool:
        """Whether a subscriber cannot be served if its file is out of sight. All others are written by exec then."""
        return any(
            self.store.sharing(report.container.key, report.file.kind).writer is Writer.PATH for report in self.reports
        )
