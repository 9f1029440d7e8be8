"""What to do where a catalog cannot be reached."""

import errno
import os

from hostwatch.drop_ins import drop_in

_OF_SANDBOX = tuple(map(os.strerror, (errno.EAFNOSUPPORT, errno.ENETUNREACH, errno.EPERM)))
"""The kernel's words where a process has no internet sockets, no network, or may send to some addresses alone."""


def remedy(said: str) -> str:
    """What to do, by the kernel's words."""
    if any(words in said for words in _OF_SANDBOX):
        overlay = "config/compose.cluster.yaml"
        return f"the systemd unit reaches it with the drop-in {drop_in('cluster.conf')}, a container with {overlay}"
    return "is it there, and may we reach it?"
