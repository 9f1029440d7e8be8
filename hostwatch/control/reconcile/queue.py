"""The queue of hosts files to compare: each file once, newest wins, never two workers on one file.

Only a key is queued, with its causes; the worker reads the newest state when it takes the key. A key that is added
while a worker has it is worked on again afterwards. `waiting` has the order in which keys are taken, `timers` those
whose time is still to come, `batches` those that come by the thousand.

A file that takes much work all the time, as one with every name does in a storm of starts, is limited: all that comes
for it meanwhile is one piece of work.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import anyio

from hostwatch.control.causes import FILE_CHANGED
from hostwatch.control.clock import loop_time
from hostwatch.control.reconcile.batches import AT_ONCE, Batch, Batches
from hostwatch.control.reconcile.timers import Timers
from hostwatch.control.reconcile.waiting import WaitingFiles
from hostwatch.core.model import ContainerKey
from hostwatch.core.timing import RateLimiter

_MOST_CAUSES = 5
"""How many causes of one comparison are kept; a file that is long in work may have been added a thousand times."""
_PRICE = 100.0
"""The price of a second of processor time, in seconds: a file that is compared all the time takes a hundredth of a
core."""
_CREDIT_SECONDS = 4.0
"""The limiter's burst: 40 ms of work. A start has a file with every name compared four times, a millisecond each."""
_MOST_SECONDS = 1.0
"""The highest price of a piece of work, and so the longest limit, however long the file is."""


@dataclass(slots=True)
class Work:
    """A file to compare, and why."""

    key: ContainerKey
    since: float
    """When the first of its causes arrived (`time.monotonic`, which is finer than an event loop's time may be)."""
    causes: list[str] = field(default_factory=list)
    urgent: bool = False
    idle: bool = False
    """Whether nothing asks for it: its turn is after all others."""

    def merge(self, later: "Work") -> None:
        """Do both at once. The first few causes tell the story; a change of the file itself is never left out."""
        self.idle &= later.idle
        self.urgent |= later.urgent
        for cause in later.causes:
            if cause not in self.causes and (len(self.causes) < _MOST_CAUSES or cause == FILE_CHANGED):
                self.causes.append(cause)


class WorkQueue:
    """Hosts files to compare. Used from one event loop; nothing here waits but `take`, `worked_on`, `run_delayed`."""

    def __init__(self, cpu_seconds: Callable[[], float] = time.thread_time) -> None:
        self.cpu_seconds = cpu_seconds
        """The processor time so far of the thread that asks: the clock by which work is measured."""
        self._waiting: dict[ContainerKey, Work] = {}
        self._busy: set[ContainerKey] = set()
        self._awaited: list[tuple[Counter[ContainerKey], anyio.Event]] = []
        self._lines = WaitingFiles()
        self._batches = Batches()
        self._delayed: Timers[str] = Timers()
        self._limited: Timers[None] = Timers()
        """Waiting keys that are not in a line before that time."""
        self._limiter: RateLimiter[ContainerKey] = RateLimiter(_CREDIT_SECONDS)

    def __repr__(self) -> str:
        return f"<WorkQueue: {len(self._waiting)} waiting, {len(self._busy)} in work, {len(self._delayed)} delayed>"

    @property
    def is_busy(self) -> bool:
        """Whether a file waits that something asks for."""
        return self._lines.is_busy or self._batches.is_busy

    @property
    def now(self) -> float:
        """The event loop's seconds when the workers last began to take files without a pause."""
        return self._lines.now

    def add(
        self, key: ContainerKey, cause: str, since: float | None = None, *, urgent: bool = False, idle: bool = False
    ) -> None:
        """Have a file compared. `since` is when the cause arrived (`time.monotonic`), else it is now.

        `urgent`: at once, however often that was done lately. `idle`: when nothing else is to be done.
        """
        since = time.monotonic() if since is None else since
        self._add(Work(key, since, [cause], urgent, idle), loop_time())

    def add_all(self, keys: Iterable[ContainerKey], cause: str, *, idle: bool = False) -> None:
        """Have these files compared; the cause arrived now for all of them."""
        batch = Batch([*keys], cause, time.monotonic(), idle)
        if len(batch.keys) > AT_ONCE:
            self._batches.add(batch)
        else:
            self._enter(batch)

    def _enter(self, batch: Batch) -> None:
        now = loop_time()
        for key in batch.keys:
            self._add(Work(key, batch.since, [batch.cause], idle=batch.idle), now)

    def _add(self, new: Work, now: float) -> None:
        key = new.key
        known = self._waiting.get(key)
        if known is None:
            self._waiting[key] = new
            if key not in self._busy:
                self._line_up(new, now)
            return
        known.merge(new)
        if new.urgent and self._limited.cancel(key):
            self._lines.put(key, idle=known.idle)
        elif not known.idle:
            self._lines.promote(key)

    def _line_up(self, work: Work, now: float) -> None:
        wait = 0.0 if work.urgent else self._limiter.wait(work.key, now)
        if wait <= 0:
            self._lines.put(work.key, idle=work.idle)
        else:
            self._limited.set(now + wait, work.key, None)

    def add_at(self, when: float, key: ContainerKey, cause: str) -> None:
        """Have a file compared at `when` (the event loop's seconds), or sooner if that was asked for already.

        The worker finds what is still to come, so the sooner time is enough: else a container that changes all the time
        would leave one more behind at each round of each file that lingers.
        """
        self._delayed.set(when, key, cause)

    async def take(self) -> Work:
        """Wait for the next file; to be followed by `done` for it."""
        key = await self._lines.take()
        self._busy.add(key)
        return self._waiting.pop(key)

    def spend(self, key: ContainerKey, cpu_seconds: float) -> None:
        """The file took so much of the processor's time."""
        self._limiter.spend(key, self.now, min(cpu_seconds * _PRICE, _MOST_SECONDS))

    def forget(self, key: ContainerKey) -> None:
        """The file is gone for good."""
        self._limiter.forget(key)

    def done(self, key: ContainerKey) -> None:
        """The file is worked on no more; if it was added meanwhile, it is next in line."""
        self._busy.discard(key)
        for left, over in self._awaited:
            left[key] -= 1
            if left[key] <= 0:
                del left[key]
            if not left:
                over.set()
        if key in self._waiting:
            self._line_up(self._waiting[key], loop_time())

    async def worked_on(self, keys: Iterable[ContainerKey]) -> None:
        """Wait until those of these files that are in the queue now have been worked on, without later additions."""
        left = Counter([*{*self._waiting, *self._batches}, *self._busy])
        left = Counter({key: left[key] for key in keys if key in left})
        if left:
            self._awaited.append((left, over := anyio.Event()))
            try:
                await over.wait()
            finally:
                self._awaited = [awaited for awaited in self._awaited if awaited[1] is not over]

    async def run_delayed(self) -> None:
        """Move keys into a line when their time has come. Runs until it is cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._limited.run, lambda key, _: self._lines.put(key, idle=self._waiting[key].idle))
            tasks.start_soon(self._batches.run, self._enter)
            await self._delayed.run(self.add)
