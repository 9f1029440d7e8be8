"""The change of one hosts file's text, and which files must be left alone."""

import time

from hostwatch.core import hostsfile
from hostwatch.core.model import Container
from hostwatch.core.records import Block

_NOTHING = Block()


def refusal(container: Container) -> str | None:
    """Why the container's hosts file must be left alone, `None` if it need not."""
    if container.hosts_mount is None:
        return None
    mounted = ascii(str(container.hosts_mount))[1:-1]  # a path may hold newlines and worse
    return (
        f"{mounted} is mounted on its /etc/hosts: that file is not the engine's, so it is left alone;"
        " remove the mount to have it kept"
    )


class Rewriting:
    """The change that is made to a file's text; it may be called again when somebody else wrote.

    `last` is what the block is thought to say; `unmarked`, if its markers may have been lost.
    """

    def __init__(self, block: Block, container: Container, last: Block = _NOTHING, *, unmarked: bool = False) -> None:
        self._block = block
        self._reserved = frozenset((container.key.id[:12], container.own_hostname.lower()))
        self._last = last
        self._unmarked = unmarked
        self.standing = _NOTHING
        """The block as it really stands in the text that was made last."""
        self.cpu_seconds = 0.0
        """The processor time that it took so far, as far as that depends on what the container has in its file."""

    def __call__(self, text: bytes) -> bytes:
        result = hostsfile.replaced(text, self._last, self._block, self._reserved)
        if result is None:
            begun = time.thread_time()
            unmarked = self._last if self._unmarked else None
            result = hostsfile.rewritten(text, self._block, self._reserved, unmarked)
            self.cpu_seconds += time.thread_time() - begun
        self.standing = result.block
        return result.text
