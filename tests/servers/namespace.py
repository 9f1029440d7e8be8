"""Calls in another network namespace, by a thread of their own: it alone goes there, and ends with the call."""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
"""From linux/sched.h. Python has `os.setns` from 3.12 on."""


def called_in(namespace: Path | None, work: Callable[[], T]) -> T:
    """The result of the call in the namespace of this file, as `/proc/PID/ns/net`, or here."""
    if namespace is None:
        return work()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_called, namespace, work).result()


def _called(namespace: Path, work: Callable[[], T]) -> T:
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if library.setns(descriptor, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    finally:
        os.close(descriptor)
    return work()


def command_in(namespace: Path | None) -> tuple[str, ...]:
    """The command in front of another one that runs in that namespace; it execs and does not fork."""
    return () if namespace is None else ("nsenter", f"--net={namespace}")
