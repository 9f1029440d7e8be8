"""A history in memory alone."""

from pathlib import Path
from typing import NoReturn

from hostwatch.control.archive_writer import ArchiveWriter
from hostwatch.control.history import History
from hostwatch.control.recorder import Recorder


def no_file(_path: Path) -> NoReturn:
    """No file is opened, as none is configured."""
    raise AssertionError("no file of the history is configured")


def recorder(history: History | None = None) -> Recorder:
    """A recorder without a file."""
    return Recorder(history or History(), ArchiveWriter(no_file, None))
