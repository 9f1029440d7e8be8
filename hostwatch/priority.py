"""The lowest real-time priority: this process runs as soon as there is work, however busy the machine is."""

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

from loguru import logger

_SWITCH_SECONDS = 0.0002
"""The longest time for which one thread keeps the others from running. Python's default, 5 ms, is half of the time
between the engine's last rebuild of a file and the container's first instruction."""
_SMALL_SHARE = 0.5
"""A share of each second in which a piece of work of some tenths of a second does not fit, beside all others."""


def raise_priority() -> None:
    """Take the lowest real-time priority.

    A container's first instruction does not wait: on engine 26.1 it comes some milliseconds after the engine has
    rebuilt the file. With both cores kept busy by others, 17 of 30 starts were missed at the usual priority, 8 at the
    lowest nice value, none at the lowest real-time priority. One piece of work takes a millisecond or two.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    if os.sched_getscheduler(0) == os.SCHED_RR:  # a service manager has set it
        return
    lowest = os.sched_param(os.sched_get_priority_min(os.SCHED_RR))
    try:
        os.sched_setscheduler(0, os.SCHED_RR, lowest)
    except OSError as error:
        logger.debug("no real-time priority ({}): a busy machine may make us late; see doctor", error.strerror)
        with suppress(OSError):  # a kernel with real-time groups may refuse that priority and grant this one
            os.setpriority(os.PRIO_PROCESS, 0, -20)


def is_rationed(root: Path = Path("/")) -> bool:
    """Whether the control group (version 1) has a small share of real-time, as a container has (`cpu_rt_runtime`).

    Once that is used up, the kernel does not run the process until the second is over, even on an idle machine. So
    what takes long is to be done before the priority is raised.
    """
    own = re.search(r"^\d+:(?:\w+,)*cpu(?:,\w+)*:/(.*)$", _text(root / "proc/self/cgroup"), re.MULTILINE)
    controller = root / "sys/fs/cgroup/cpu"
    # A container has its own group there. The kernel names it by its path on the host.
    for group in [controller / own[1], controller] if own is not None else []:
        runtime, period = (_text(group / f"cpu.rt_{name}_us").strip() for name in ("runtime", "period"))
        if runtime.isdigit() and period.isdigit():
            return 0 < int(runtime) < int(period) * _SMALL_SHARE
    return False


def _text(path: Path) -> str:
    """The file's text; empty if there is no such file."""
    with suppress(OSError):
        return path.read_text(errors="replace")
    return ""
