"""Access to hosts files as the control loop needs it: the interface between the loop and file descriptors."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from hostwatch.core.block.hostsfile import Edited, Limit
from hostwatch.core.model import Container, FileKind


class FileGoneError(Exception):
    """The file or its directory is gone: the container vanished, or was never started."""


class FileRefusedError(Exception):
    """The file must not or cannot be kept. The message says why and gives a remedy. Another try would fail, too."""


class FileDeniedError(FileRefusedError):
    """The file may be kept, but cannot be written by this writer. The other writer may succeed."""


class FileKeptError(FileRefusedError):
    """Another hostwatch keeps the file, perhaps for another engine. It may be tried again soon."""


class OutOfSightError(FileDeniedError):
    """No file of this engine can be reached. This is reported once for all files."""


class FileFailedError(Exception):
    """The file could not be written this time; it may be tried again."""


class FileUpdate(NamedTuple):
    """A file's text before and after; equal if nothing had to be done."""

    before: bytes
    after: bytes
    as_seen: bool = False
    """Whether the text before is the one that was seen last."""

    @property
    def changed(self) -> bool:
        """Whether the file was written."""
        return self.before != self.after


class HostsFiles(Protocol):
    """One way to read and write hosts files. A file is identified by the container, or host file, that owns it.

    Both coroutines may raise `FileGoneError`, `FileRefusedError` and `FileFailedError`.
    """

    def path(self, container: Container) -> Path:
        """The file's path."""

    def limit(self, container: Container) -> Limit:
        """The longest text that can be written in this way."""

    async def read(self, container: Container) -> bytes:
        """The file's text."""

    async def update(self, container: Container, change: Callable[[bytes], bytes]) -> FileUpdate:
        """Replace the file's text, in place, by what `change` makes of it."""


class VisibleHostsFiles(HostsFiles, Protocol):
    """Hosts files by their paths. The calls that are no coroutines are for a file that was read or written just now."""

    def read_now(self, container: Container) -> bytes | None:
        """The file's text; `None` if it is long, or another process has the file open.

        Raises `FileGoneError` if the container's directory has no file, as before a first start.
        """

    def update_now(self, container: Container, change: Callable[[bytes], bytes]) -> FileUpdate | None:
        """Change the file; `None`, and no write, if it might wait."""

    def replace(self, container: Container, text: bytes, edited: Edited) -> bool:
        """Replace `text` by another text; returns whether the file had `text`, and nothing had to wait."""

    def says(self, container: Container, text: bytes) -> bool:
        """Whether the file has exactly this text; false if the answer might take time."""

    async def is_writable(self, container: Container) -> bool:
        """Whether the file can be opened for writing now."""


@dataclass(frozen=True, slots=True)
class Writers:
    """The two writers of files of one kind."""

    paths: VisibleHostsFiles
    execs: HostsFiles
    """Writes by commands in the running container."""
    kind: FileKind = FileKind.HOSTS
    keeps_comments: bool = True
    """Whether our markers survive when the engine rewrites a file."""
