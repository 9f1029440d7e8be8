"""The change of one hosts file's text, and which files must be left alone."""

import time

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


class Rewriting:
    """The change of a file's text. It is called again if another process writes meanwhile."""

    def __init__(
        self,
        block: Block,
        container: Container,
        last: Block = _NOTHING,
        *,
        keeps_comments: bool = True,
        limit: hostsfile.Limit = hostsfile.OF_CONTAINER,
    ) -> None:
        """`last` is what the block said before, as far as that is known."""
        self._block = block
        self._last = last
        self._keeps_comments = keeps_comments
        self._limit = limit
        self._reserved = reserved_names(container)
        self.standing = Block()
        """The block as it really stands in the text that was made last."""
        self.cpu_seconds = 0.0
        """The processor time that it took so far, which depends on what the container has in its file."""

    def __call__(self, text: bytes) -> bytes:
        """The new text."""
        begun = time.thread_time()
        result = hostsfile.rewritten(
            text,
            self._block,
            self._reserved,
            self._last,
            keeps_comments=self._keeps_comments,
            limit=self._limit,
        )
        self.cpu_seconds += time.thread_time() - begun
        self.standing = result.block
        return result.text
