"""Reports the daemon's state to systemd by sd_notify(3).

This module knows the protocol alone. `hostwatch.app` decides which states are sent, and when. Without a service manager
nothing is sent, and a failure to send is ignored: a service manager that does not read must not stop the work.
"""

import os
import socket
import time
from contextlib import suppress


def is_listening() -> bool:
    """Whether a service manager expects reports."""
    return "NOTIFY_SOCKET" in os.environ


def tell(*assignments: str) -> None:
    """Send assignments such as `READY=1` and `STATUS=…`, a line each, in one datagram, without waiting."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place:
        return
    address = "\0" + place[1:] if place.startswith("@") else place
    with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.setblocking(False)
        lines = (" ".join(assignment.splitlines()) for assignment in assignments)
        channel.sendto("\n".join(lines).encode("utf-8", "replace"), address)


def tell_reloading() -> None:
    """Report that the configuration is being read again. `READY=1` ends this state."""
    # systemd needs the time by CLOCK_MONOTONIC, in microseconds, to assign the report to a reload.
    tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_seconds() -> float | None:
    """The silence after which systemd ends this process (sd_watchdog_enabled(3)); `None` without a watchdog."""
    microseconds, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not microseconds.isdecimal() or pid not in (None, str(os.getpid())):
        return None
    return int(microseconds) / 1e6 or None
