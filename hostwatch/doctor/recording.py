"""Whether the history can be written to its file."""

from collections.abc import Iterator
from pathlib import Path

from hostwatch.archive.opening import obstacle
from hostwatch.config.settings import Settings
from hostwatch.doctor.finding import Finding, fine, problem
from hostwatch.drop_ins import drop_in
from hostwatch.hosts.lock import Holder


def history(settings: Settings, holder: Holder | None) -> Iterator[Finding]:
    """Whether the daemon that runs can write to the file, else whether this process could."""
    path = settings.history.file
    if path is None:
        return
    root = Path("/")
    if holder is not None and holder.is_hostwatch and (seen := Path(f"/proc/{holder.pid}/root")).exists():
        root = seen  # a unit or a container has file systems of its own
    fault = obstacle(root / path.relative_to("/"))
    if fault is None:
        yield fine(f"the history can be written to {path}")
    else:
        yield problem(
            f"the history cannot be written to {path}, and is in memory alone: {fault}",
            f"name another file in history.file; for the unit add {drop_in('history.conf')}, for the"
            " container config/compose.history.yaml",
        )
