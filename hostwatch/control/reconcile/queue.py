"""The queue of hosts files to compare: each file once, newest wins, never two workers on one file.

Only a key is queued, with what caused it; the worker reads what is true when it gets there. A key that is added while
it is being worked on is worked on again afterwards.

What is compared now and then, whatever has happened, waits for all that something asks for: a resync of a thousand
files holds nobody up.

A file with many lines that changes all the time, as one that wants every name does in a storm of starts, is put off:
what comes for it meanwhile is one piece of work.
"""

import heapq
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel

from hostwatch.control.writers import FILE_CHANGED
from hostwatch.core.model import ContainerKey
from hostwatch.core.timing import RateLimiter

_STEP_SECONDS = 0.003
"""How long files are taken before all else that waits has its turn. A file takes a twentieth of a millisecond; what has
been written so far wakes the watch, which would take as long again for each."""
_MOST_CAUSES = 5
"""How many causes of one comparison are told; a file that is long in work may have been added a thousand times."""
_LINE_SECONDS = 0.006
"""How long each line that is compared takes to be paid back. It takes up to 0.1 ms of work, so that a file which is
compared all the time takes a sixtieth of a core."""
_CREDIT_SECONDS = 1.0
"""What is compared ahead of that: ten lines 17 times, 150 of them twice."""
_REST_STEP_SECONDS = 0.05
"""What a file is put off by is rounded up to that: those that want the same are compared in one go, and share the work.
"""
_MOST_SECONDS = 1.0
"""What a round takes to be paid back at most, and so how long a file is put off, however long it is."""


@dataclass(slots=True)
class Work:
    """A file to compare, and why."""

    key: ContainerKey
    since: float
    """When the first of its causes arrived (`time.monotonic`, which is finer than an event loop's time may be)."""
    causes: list[str] = field(default_factory=list)
    urgent: bool = False
    idle: bool = False
    """Whether nothing has happened to it: its turn is after all others."""

    def merge(self, later: "Work") -> None:
        """Do both at once. The first few causes tell the story; a change of the file itself is never left out."""
        self.idle &= later.idle
        self.urgent |= later.urgent
        for cause in later.causes:
            if cause not in self.causes and (len(self.causes) < _MOST_CAUSES or cause == FILE_CHANGED):
                self.causes.append(cause)


class WorkQueue:
    """Hosts files to compare. Used from one event loop; nothing here waits but `take`, `worked_on`, `run_delayed`."""

    def __init__(self) -> None:
        self._waiting: dict[ContainerKey, Work] = {}
        self._busy: set[ContainerKey] = set()
        self._line: OrderedDict[ContainerKey, None] = OrderedDict()
        self._idle_line: OrderedDict[ContainerKey, None] = OrderedDict()
        self._lined_up = anyio.Semaphore(0, fast_acquire=True)
        """How many files are in both lines."""
        self._turn = 0.0
        """When the workers last began to take files without a pause (`time.monotonic`)."""
        self.now = 0.0
        """The same in the event loop's seconds: some milliseconds ago at most, while they do not wait for anything. To
        ask for it anew for each file takes as long as to find the block in one."""
        self._delayed: dict[ContainerKey, tuple[float, str]] = {}
        self._resting: dict[ContainerKey, float] = {}
        self._pace: RateLimiter[ContainerKey] = RateLimiter(_CREDIT_SECONDS)
        self._times: list[tuple[float, ContainerKey]] = []
        """A heap of when those come; what is not in there any more, or at another time, is passed over."""
        self._sooner = anyio.Event()
        self._awaited: list[tuple[Counter[ContainerKey], anyio.Event]] = []

    def __repr__(self) -> str:
        return f"<WorkQueue: {len(self._waiting)} waiting, {len(self._busy)} in work, {len(self._delayed)} delayed>"

    def add(
        self, key: ContainerKey, cause: str, since: float | None = None, *, urgent: bool = False, idle: bool = False
    ) -> None:
        """Have a file compared. `since` is when the cause arrived (`time.monotonic`), else it is now.

        `urgent`: at once, however often that was done lately. `idle`: when nothing else is to be done.
        """
        since = time.monotonic() if since is None else since
        self._add(Work(key, since, [cause], urgent, idle), anyio.current_time())

    def add_all(self, keys: Iterable[ContainerKey], cause: str, *, idle: bool = False) -> None:
        """Have these files compared; the cause arrived now for all of them."""
        since, now = time.monotonic(), anyio.current_time()
        for key in keys:
            self._add(Work(key, since, [cause], idle=idle), now)

    def _add(self, new: Work, now: float) -> None:
        key = new.key
        known = self._waiting.get(key)
        if known is None:
            self._waiting[key] = new
            if key not in self._busy:
                self._line_up(new, now)
            return
        known.merge(new)
        if new.urgent and self._resting.pop(key, None) is not None:
            self._enter(known)
        elif not known.idle and key in self._idle_line:
            del self._idle_line[key]
            self._line[key] = None

    def _line_up(self, work: Work, now: float) -> None:
        wait = 0.0 if work.urgent else self._pace.wait(work.key, now)
        if wait <= 0:
            self._enter(work)
        else:
            self._resting[work.key] = when = math.ceil((now + wait) / _REST_STEP_SECONDS) * _REST_STEP_SECONDS
            self._wake_at(when, work.key)

    def _enter(self, work: Work) -> None:
        line = self._idle_line if work.idle else self._line
        line[work.key] = None
        self._lined_up.release()

    def add_at(self, when: float, key: ContainerKey, cause: str) -> None:
        """Have a file compared at `when` (the event loop's seconds), or sooner if that was asked for already.

        Whoever works on it sees what is still to come, so the sooner one is enough: else a container that changes all
        the time would leave one behind at each round of each file that lingers.
        """
        known = self._delayed.get(key)
        if known is not None and known[0] <= when:
            return
        self._delayed[key] = when, cause
        self._wake_at(when, key)

    def _wake_at(self, when: float, key: ContainerKey) -> None:
        heapq.heappush(self._times, (when, key))
        if self._times[0][0] == when:
            self._sooner.set()

    async def take(self) -> Work:
        """Wait for the next file; to be followed by `done` for it."""
        lined_up = self._lined_up
        if lined_up.value > 0 and time.monotonic() > self._turn + _STEP_SECONDS:
            await anyio.lowlevel.checkpoint()
            self._begin_turn()
        if lined_up.value > 0:
            lined_up.acquire_nowait()
        else:
            await lined_up.acquire()
            self._begin_turn()
        key, _ = (self._line or self._idle_line).popitem(last=False)
        self._busy.add(key)
        return self._waiting.pop(key)

    def _begin_turn(self) -> None:
        self._turn, self.now = time.monotonic(), anyio.current_time()

    @property
    def is_busy(self) -> bool:
        """Whether a file waits that something asks for."""
        return bool(self._line)

    def done(self, key: ContainerKey, lines: int | None = None) -> None:
        """The file is worked on no more; if it was added meanwhile, it is next in line.

        `lines`: how many were compared, none for a file that is not kept; `None` where it was not compared at all.
        """
        self._busy.discard(key)
        for left, over in self._awaited:
            left[key] -= 1
            if left[key] <= 0:
                del left[key]
            if not left:
                over.set()
        if lines:
            self._pace.spend(key, self.now, min(lines * _LINE_SECONDS, _MOST_SECONDS))
        elif lines is not None:
            self._pace.forget(key)
        if key in self._waiting:
            self._line_up(self._waiting[key], anyio.current_time())

    async def worked_on(self, keys: Iterable[ContainerKey]) -> None:
        """Wait until those of these files that are in the queue by now have been worked on, whoever adds them again."""
        left = Counter([*self._waiting, *self._busy])
        left = Counter({key: left[key] for key in keys if key in left})
        if left:
            self._awaited.append((left, over := anyio.Event()))
            try:
                await over.wait()
            finally:
                self._awaited = [awaited for awaited in self._awaited if awaited[1] is not over]

    async def run_delayed(self) -> None:
        """Move delayed keys into the queue when their time has come. Runs until it is cancelled."""
        while True:
            self._sooner = anyio.Event()
            wait = self._times[0][0] - anyio.current_time() if self._times else math.inf
            if wait > 0:
                with anyio.move_on_after(wait):
                    await self._sooner.wait()
            while self._times and self._times[0][0] <= anyio.current_time():
                self._add_delayed(*heapq.heappop(self._times))

    def _add_delayed(self, when: float, key: ContainerKey) -> None:
        if self._resting.get(key) == when:
            del self._resting[key]
            self._enter(self._waiting[key])
        known = self._delayed.get(key)
        if known is not None and known[0] == when:
            del self._delayed[key]
            self.add(key, known[1])
