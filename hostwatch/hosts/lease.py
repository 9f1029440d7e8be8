"""Write leases (`F_SETLEASE`, fcntl(2)): a moment in which no other process has a file open.

The kernel grants one only while no other process has the file open. It blocks every process that opens the file until
the lease is given back, some microseconds later. (An opener with O_NONBLOCK gets EAGAIN.)
"""

import fcntl
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PAUSE_SECONDS = 0.00005
"""Between attempts. Most processes that have the file open are readers and close it at once."""


@contextmanager
def lease(file: int, patience_seconds: float) -> Iterator[bool]:
    """Holds a write lease on the file if the kernel grants it in time; yields whether it does."""
    until = time.monotonic() + patience_seconds
    while (is_held := taken(file)) is None and time.monotonic() < until:
        time.sleep(_PAUSE_SECONDS)
    try:
        yield bool(is_held)
    finally:
        if is_held:
            given_back(file)


def taken(file: int) -> bool | None:
    """Takes a write lease. False: this file cannot have one. `None`: not now, another process has the file open."""
    return _granted(file, fcntl.F_WRLCK)


def given_back(file: int) -> bool:
    """Gives the lease back. False: the kernel had revoked it, as this process was stopped for too long."""
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    return True


def has_writer(file: int) -> bool:
    """Whether another process has the file open for writing; false if this file cannot have a lease.

    The read lease that shows it is given back at once. A process that opens the file for writing meanwhile waits.
    """
    granted = _granted(file, fcntl.F_RDLCK)
    if granted:
        given_back(file)
    return granted is None


def _granted(file: int, kind: int) -> bool | None:
    """Takes a lease. False: this file cannot have one. `None`: not now, another process is in the way."""
    try:
        # The kernel signals the holder when another process waits. The default, SIGIO, would kill this process. SIGURG
        # is ignored by default, and is not needed: the lease is given back at once anyway.
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, kind)
    except BlockingIOError:
        return None
    except OSError:
        return False
    return True
