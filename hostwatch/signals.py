"""Receives signals, and makes sure that the process ends even if a part of it hangs.

A thread may hang in a file system that does not answer, and the event loop in a line of the log that no process reads.
So the handlers are Python's own, which interrupt a wait of the main thread, and a thread of its own ends the process.
"""

import asyncio
import math
import os
import select
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import anyio
from loguru import logger

_ENDING = (signal.SIGTERM, signal.SIGINT)
_ORDERLY_SECONDS = 5.0
"""An orderly end that takes longer is cut short. It usually takes some 10 ms, and Docker kills after ten seconds."""
_LAST_LINE_SECONDS = 0.5
"""Time for the last line of the log, which may hang itself."""


@contextmanager
def received() -> Iterator[AsyncIterator[signal.Signals]]:
    """The signals SIGTERM, SIGINT and SIGHUP from now on, to be read in the running event loop.

    After the first SIGTERM or SIGINT the process has some seconds to end, after the second none. The handlers stay
    until the process is gone, as its end may hang, too.
    """
    loop = asyncio.get_running_loop()
    send, receive = anyio.create_memory_object_stream[signal.Signals](math.inf)
    reader, writer = os.pipe2(os.O_CLOEXEC)

    def deliver(number: int) -> None:
        with suppress(anyio.ClosedResourceError):
            send.send_nowait(signal.Signals(number))

    def handle(number: int, _frame: FrameType | None) -> None:
        if number in _ENDING:
            os.write(writer, bytes([number]))
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(deliver, number)

    threading.Thread(target=_end_in_time, args=[reader], name="end", daemon=True).start()
    for number in (*_ENDING, signal.SIGHUP):
        signal.signal(number, handle)
    with send, receive:
        yield receive


def _end_in_time(reader: int) -> None:
    os.read(reader, 1)
    if select.select([reader], [], [], _ORDERLY_SECONDS)[0]:
        number = os.read(reader, 1)[0]
        _end(128 + number, f"ended at once by a second signal ({signal.Signals(number).name})")
    fault = f"something hangs: no end in order within {_ORDERLY_SECONDS:g} s, so it is ended at once"
    _end(1, f"{fault}; look for a file system or a reader of the log that does not answer")


def _end(status: int, message: str) -> None:
    last_line = threading.Thread(target=logger.error, args=["{}", message], daemon=True)
    last_line.start()
    last_line.join(_LAST_LINE_SECONDS)
    os._exit(status)
