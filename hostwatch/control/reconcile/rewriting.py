"""The change of one hosts file's text, and which files must be left alone."""

import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

from hostwatch.core.block import hostsfile
from hostwatch.core.block.records import Block
from hostwatch.core.model import Container
from hostwatch.core.names import folded

LOST_NETWORK = "its network is gone with the container whose network it used (--network container:…); recreate it"
"""The fault of a subscriber that runs on without a network: its file may be right, but it reaches nothing."""
OUTLIVED = "its network ended when the container whose network it uses was started anew; restart it, too"
"""The same, where that container is there again."""


def refusal(container: Container) -> str | None:
    """Why the container's hosts file must be left alone, `None` if it need not."""
    if container.hosts_mount is None:
        return None
    mounted = ascii(str(container.hosts_mount))[1:-1]  # a path may hold newlines and worse
    return (
        f"{mounted} is mounted on its /etc/hosts: that file is not the engine's, so it is left alone;"
        " remove the mount to have it kept"
    )


def reserved_names(container: Container) -> tuple[str, ...]:
    """The container's own names, in lower case, which the engine looks after."""
    return container.key.id[:12], folded(container.own_hostname)


_NOTHING = Block()


@dataclass(slots=True, eq=False)
class Rewriting:
    """The change of a file's text. It is called again if another process writes meanwhile."""

    block: Block
    container: Container
    last: Block = _NOTHING
    """The block that was there before, as far as that is known."""
    _: KW_ONLY
    keeps_comments: bool = True
    limit: hostsfile.Limit = hostsfile.OF_CONTAINER
    clock: Callable[[], float] = time.thread_time
    """The processor time of the thread that asks, in seconds."""
    standing: Block = field(init=False, default=_NOTHING)
    """The block as it really stands in the text that was made last."""
    cpu_seconds: float = field(init=False, default=0.0)
    """The processor time that it took so far, which depends on what the container has in its file."""

    def __call__(self, text: bytes) -> bytes:
        """The new text."""
        begun = self.clock()
        result = hostsfile.rewritten(
            text,
            self.block,
            reserved_names(self.container),
            self.last,
            keeps_comments=self.keeps_comments,
            limit=self.limit,
        )
        self.cpu_seconds += self.clock() - begun
        self.standing = result.block
        return result.text
