"""The machine's noise: how slow it is now, and whether it stood still. Tests run on machines that others use, too."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_TEXT = json.dumps([{"name": f"n{number}", "addresses": [number] * 5} for number in range(1_000)])
_QUIET_SECONDS = 0.0012
"""Reading that text and sorting it on a quiet machine (Python 3.11, 3 GHz)."""
_STEP_SECONDS = 0.005
_STALL_SECONDS = 0.05
"""A processor that is away for so long counts as stalled. An engine starts a container's process some 100 ms after it
has written its address."""
_MOST_STALLED = 2


def slowness() -> float:
    """How many times the processor time of a piece of work is that of a quiet machine; at least 1."""
    taken = []
    for _ in range(9):
        before = time.process_time()
        sorted(each["name"] for each in json.loads(_TEXT))
        taken.append(time.process_time() - before)
    return max(1.0, sorted(taken)[len(taken) // 2] / _QUIET_SECONDS)


def crowd() -> float:
    """How many times as long as usual things may take, as so many processes want a processor; at least 1.

    A run of all tests keeps two for each processor by itself.
    """
    return max(1.0, os.getloadavg()[0] / (2 * (os.cpu_count() or 1)))


def cpu_seconds(work: Callable[[], object]) -> float:
    """The processor time of the call, in seconds of a quiet machine."""
    slow, before = slowness(), time.process_time()
    work()
    return (time.process_time() - before) / max(slow, slowness())


class Stalls:
    """Tells whether a processor stood still: a thread on each, before all others, should come back every 5 ms."""

    def __init__(self) -> None:
        self._longest = 0.0
        self._over = threading.Event()

    def taken(self) -> float:
        """The seconds of the longest stall since the last call."""
        longest, self._longest = self._longest, 0.0
        return longest

    def watch(self, processor: int) -> None:
        """Watch one processor until the end."""
        os.sched_setaffinity(0, {processor})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        last = time.monotonic()
        while not self._over.wait(_STEP_SECONDS):
            now = time.monotonic()
            self._longest, last = max(self._longest, now - last - _STEP_SECONDS), now

    def end(self) -> None:
        """Watch no more."""
        self._over.set()


@contextmanager
def stalls() -> Iterator[Stalls]:
    """The stalls of all processors during the body."""
    found = Stalls()
    threads = [threading.Thread(target=found.watch, args=(each,)) for each in sorted(os.sched_getaffinity(0))]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        found.end()
        for thread in threads:
            thread.join()


def wrong_rounds(rounds: int, is_right: Callable[[int], bool]) -> list[int]:
    """The rounds that were not right. A few are not counted in which the machine stood still: they say nothing."""
    wrong, stalled = list[int](), list[int]()
    with stalls() as seen:
        for number in range(rounds):
            seen.taken()
            if not is_right(number):
                longest = seen.taken()
                print(f"round {number} was not right; the longest stall was {longest * 1000:.0f} ms")
                (stalled if longest > _STALL_SECONDS else wrong).append(number)
    return wrong + stalled[_MOST_STALLED:]
