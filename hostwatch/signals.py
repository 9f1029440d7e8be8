"""Signals as they come, and an end that nothing which hangs can keep us from.

A thread may be stuck in a file system that does not answer, and so may the event loop, in a line of the log that nobody
reads. Hence the handlers are Python's own, which interrupt a wait of the main thread, and what follows from a second
signal is done by a thread that does nothing else.
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
"""How long an end in order may take: some hundredths of a second are usual, and Docker kills after ten seconds."""
_TOLD_SECONDS = 0.5
"""How long the last line of the log may take: what hangs may be the log."""


@contextmanager
def received() -> Iterator[AsyncIterator[signal.Signals]]:
    """SIGTERM, SIGINT and SIGHUP from now on, to be read in the event loop that runs.

    The first of SIGTERM and SIGINT gives us some seconds, the second none. The handlers stay until the process is gone,
    as its end may hang, too.
    """
    loop = asyncio.get_running_loop()
    send, receive = anyio.create_memory_object_stream[signal.Signals](math.inf)
    reader, writer = os.pipe2(os.O_CLOEXEC)

    def tell(number: int) -> None:
        with suppress(anyio.ClosedResourceError):
            send.send_nowait(signal.Signals(number))

    def handle(number: int, _frame: FrameType | None) -> None:
        if number in _ENDING:
            os.write(writer, bytes([number]))
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, number)

    threading.Thread(target=_see_to_the_end, args=[reader], name="end", daemon=True).start()
    for number in (*_ENDING, signal.SIGHUP):
        signal.signal(number, handle)
    with send, receive:
        yield receive


def _see_to_the_end(reader: int) -> None:
    os.read(reader, 1)
    if select.select([reader], [], [], _ORDERLY_SECONDS)[0]:
        number = os.read(reader, 1)[0]
        _end(128 + number, f"ended at once by a second signal ({signal.Signals(number).name})")
    told = f"something hangs: no end in order within {_ORDERLY_SECONDS:g} s, so it is ended at once"
    _end(1, f"{told}; look for a file system or a reader of the log that does not answer")


def _end(status: int, message: str) -> None:
    telling = threading.Thread(target=logger.error, args=["{}", message], daemon=True)
    telling.start()
    telling.join(_TOLD_SECONDS)
    os._exit(status)
