"""What the control loop needs of hosts files: the seam between the loop and file descriptors."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from hostwatch.core.block.hostsfile import Edited, Limit
from hostwatch.core.model import Container

FILE_CHANGED = "the file was changed"
"""The cause of a comparison that a change of the file itself asked for: it was written a moment ago."""
CHANGES_LOST = "changes of files were lost"
"""The cause of a comparison of every file, as any of them may have been changed without a word."""
RESYNC = "resync"
"""The cause of a comparison that is made now and then, whatever has happened."""


class FileGoneError(Exception):
    """The file or its directory is gone: the container vanished, or was never started."""


class FileRefusedError(Exception):
    """The file must not or cannot be kept; the message says why and what to do. Trying again changes nothing."""


class FileDeniedError(FileRefusedError):
    """The file may be kept, but cannot be written in this way; in another one perhaps."""


class FileKeptError(FileRefusedError):
    """Another hostwatch keeps the file, for another engine perhaps; it may be tried again before long."""


class OutOfSightError(FileDeniedError):
    """No file of this engine can be reached: said once for all, not once for each."""


class FileFailedError(Exception):
    """The file could not be written this time; it may be tried again."""


class FileUpdate(NamedTuple):
    """A file's text before and after; equal where nothing had to be done."""

    before: bytes
    after: bytes
    as_seen: bool = False
    """Whether the text before is the one that was seen last."""

    @property
    def changed(self) -> bool:
        """Whether the file was written."""
        return self.before != self.after


class HostsFiles(Protocol):
    """Hosts files, in one way of reading and writing them; each goes by the container, or host file, that owns it.

    Both coroutines may raise any of the three errors.
    """

    def path(self, container: Container) -> Path:
        """Where the file is."""

    def limit(self, container: Container) -> Limit:
        """How long the file may be in this way."""

    async def read(self, container: Container) -> bytes:
        """The file's text."""

    async def update(self, container: Container, change: Callable[[bytes], bytes]) -> FileUpdate:
        """Bring the file to what `change` makes of its text, in place."""


class VisibleHostsFiles(HostsFiles, Protocol):
    """Hosts files by their paths. A file that was read or written a moment ago can be had without waiting."""

    def read_now(self, container: Container) -> bytes | None:
        """The text of such a file; `None` where it is long, or somebody else has it open."""

    def update_now(self, container: Container, change: Callable[[bytes], bytes]) -> FileUpdate | None:
        """Change such a file; `None`, and nothing is written, where that would mean to wait."""

    def replace(self, container: Container, text: bytes, edited: Edited) -> bool:
        """Bring such a file to another text; whether that could be done without waiting, and it said `text` before."""

    def says(self, container: Container, text: bytes) -> bool:
        """Whether such a file says just this, as far as that can be told without waiting."""

    async def is_writable(self, container: Container) -> bool:
        """Whether the file can be opened for writing now."""


@dataclass(frozen=True, slots=True)
class Writers:
    """The two writers of hosts files."""

    paths: VisibleHostsFiles
    execs: HostsFiles
    """By commands in the running container."""
    keeps_comments: bool = True
    """Whether our markers survive when the engine rewrites a file."""
