"""The change of one file's text, and which files must be left alone."""

import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

from hostwatch.control.writers import FileFailedError, FileGoneError
from hostwatch.core.block import hostsfile, resolv
from hostwatch.core.block.forms import form_of
from hostwatch.core.block.records import Block
from hostwatch.core.model import Container, FileKind, State
from hostwatch.core.names import folded

LOST_NETWORK = "its network is gone with the container whose network it used (--network container:…); recreate it"
"""The fault of a subscriber that runs on without a network: its file may be right, but it reaches nothing."""
OUTLIVED = "its network ended when the container whose network it uses was started anew; restart it, too"
"""The same, where that container is there again."""


def refusal(container: Container, kind: FileKind = FileKind.HOSTS) -> str | None:
    """Why a file of the container must be left alone, `None` if it need not."""
    if (mount := container.mount(kind)) is None:
        return None
    mounted = ascii(str(mount))[1:-1]  # a path may hold newlines and worse
    return (
        f"{mounted} is mounted on its {kind.path}: that file is not the engine's, so it is left alone;"
        " remove the mount to have it kept"
    )


def reserved_names(container: Container) -> tuple[str, ...]:
    """The container's own names, in lower case, which the engine looks after."""
    return container.key.id[:12], folded(container.own_hostname)


_NOTHING = Block()
UNFINISHED = "the engine has not finished its resolv.conf yet"
"""The reason why no block is put into a file that a block would spoil."""


@dataclass(slots=True, eq=False)
class Rewriting:
    """The change of a file's text. It is called again if another process writes meanwhile."""

    block: Block
    container: Container
    last: Block = _NOTHING
    """The block that was there before, as far as that is known."""
    _: KW_ONLY
    kind: FileKind = FileKind.HOSTS
    keeps_comments: bool = True
    limit: hostsfile.Limit = hostsfile.OF_CONTAINER
    is_settled: bool = True
    """Whether the file of a running container counts as finished, whatever it says.

    What looks running may just be started anew, while the event that says so is still to be read.
    """
    clock: Callable[[], float] = time.thread_time
    """The processor time of the thread that asks, in seconds."""
    standing: Block = field(init=False, default=_NOTHING)
    """The block as it really stands in the text that was made last."""
    cpu_seconds: float = field(init=False, default=0.0)
    """The processor time that it took so far, which depends on what the container has in its file."""

    def __call__(self, text: bytes) -> bytes:
        """The new text.

        While the engine has not finished the file, raises `FileGoneError` if its container is being started, and
        `FileFailedError` if it runs, as far as is known.
        """
        if not self._is_ready(text):
            raise (FileFailedError if self.container.state is State.RUNNING else FileGoneError)(UNFINISHED)
        begun = self.clock()
        result = hostsfile.rewritten(
            text,
            self.block,
            reserved_names(self.container),
            self.last,
            keeps_comments=self.keeps_comments,
            limit=self.limit,
            form=form_of(self.kind),
        )
        self.cpu_seconds += self.clock() - begun
        self.standing = result.block
        return result.text

    def _is_ready(self, text: bytes) -> bool:
        """Whether a block in the file does no harm, as the engine has finished it."""
        if self.kind is FileKind.HOSTS or not self.block:
            return True
        if self.container.state is State.RUNNING and (self.is_settled or hostsfile.may_hold_block(text)):
            return True
        if not self.keeps_comments:  # Podman: it makes the file empty, and writes it without reading it
            return bool(text.strip())
        return resolv.is_ready(text, self.container)
