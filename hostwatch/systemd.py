"""Telling systemd how we stand: sd_notify(3), in the few lines that it takes.

It knows the protocol alone; what to say, and when, is decided in `hostwatch.app`. Where nobody listens nothing is sent,
and no failure to send ever comes back: a service manager that does not read must not stop the work.
"""

import os
import socket
import time
from contextlib import suppress


def is_listening() -> bool:
    """Whether a service manager has asked to be told."""
    return "NOTIFY_SOCKET" in os.environ


def tell(*assignments: str) -> None:
    """Send assignments as `READY=1` and `STATUS=…` in one datagram, without waiting; each as one line."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place:
        return
    address = "\0" + place[1:] if place.startswith("@") else place
    with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.setblocking(False)
        lines = (" ".join(assignment.splitlines()) for assignment in assignments)
        channel.sendto("\n".join(lines).encode("utf-8", "replace"), address)


def tell_reloading() -> None:
    """Say that the configuration is being read again; `READY=1` ends it."""
    # systemd compares the time with its own CLOCK_MONOTONIC, in microseconds, to know which reload is meant.
    tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_seconds() -> float | None:
    """After how long a silence we are ended (sd_watchdog_enabled(3)); `None` where nobody waits for us."""
    microseconds, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not microseconds.isdecimal() or pid not in (None, str(os.getpid())):
        return None
    return int(microseconds) / 1e6 or None
