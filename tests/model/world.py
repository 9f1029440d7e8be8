"""An engine, hostwatch beside it, and the judge that checks both at every step."""

from collections.abc import Sequence

import anyio
from anyio.abc import TaskGroup

from hostwatch.core.model import ContainerId
from tests.model.box import Box
from tests.model.daemon import RESYNC_SECONDS, Hostwatch
from tests.model.directory import Directory
from tests.model.engine import Engine, Tell
from tests.model.judge import Circumstances, Judge
from tests.model.oracle import Configuration, Oracle
from tests.model.source import SimulatedSource

_BACKOFF_SECONDS = 30.0
"""The longest back-off of a file after a failure."""


class World:
    """The engine, hostwatch, and the judge with its circumstances."""

    def __init__(self, tasks: TaskGroup) -> None:
        self.tasks = tasks
        self.engine = Engine()
        self.source = SimulatedSource(self.engine, tasks)
        self.directory = Directory(self.source.faults)
        self.oracle = Oracle(self.engine)
        self.circumstances = Circumstances()
        self.judge = Judge(self.source, self.oracle, self.circumstances)
        self.engine.observe = self.judge.observe
        self.engine.runs = self.judge.runs
        self.engine.written = self._written
        self.source.signalled = self.judge.signalled
        self.hostwatch: Hostwatch | None = None

    @property
    def now(self) -> float:
        """The simulated time."""
        return anyio.current_time()

    # Operations of the steps.

    def teller(self, fates: Sequence[str]) -> Tell:
        """A function that delivers the events of an operation with these fates."""
        if not set(fates) <= {"ok", "doubled"}:
            self.circumstances.calm = self.circumstances.informed = False
        return self.source.teller(fates)

    def start(self, box: Box, tell: Tell, gap: float, fails: bool = False, twice: bool = False) -> None:
        """Begin to start a container."""
        self.tasks.start_soon(self.engine.start, box, tell, gap, fails, twice)

    def heal(self) -> None:
        """End all faults."""
        faults = self.source.faults
        if not faults.none:
            is_tried_late = bool(faults.stuck_files) or faults.is_disk_full
            self.circumstances.healed = self.now + (_BACKOFF_SECONDS if is_tried_late else 0.0)
        self.source.go("")
        if self.source.faults.is_unheard:
            self.source.forget()
        faults.refused.clear()
        faults.slow.clear()
        faults.stuck_files.clear()
        faults.is_disk_full = False
        self.directory.heal()
        self.directory.let_go()

    async def overflow(self, seconds: float) -> None:
        """Have hostwatch lose all changes of files for so long, and learn of it then."""
        if not self.source.faults.is_deaf:
            self.source.faults.is_deaf = True
            await anyio.sleep(seconds)
            self.source.faults.is_deaf = False
            self.circumstances.heard_again = self.now
            if self.hostwatch is not None:
                self.hostwatch.hear_again()

    def adopt(self, configuration: Configuration) -> None:
        """Write another configuration, and send SIGHUP."""
        self.oracle.configuration = configuration
        self.judge.configured()
        if self.hostwatch is not None:
            self.hostwatch.adopt(configuration)

    def kill(self) -> None:
        """Kill hostwatch."""
        if self.hostwatch is not None:
            self.hostwatch.kill()
            self.hostwatch = None
            self.circumstances.is_running = False

    def run_again(self) -> None:
        """Start hostwatch if it does not run."""
        if self.hostwatch is None:
            self.hostwatch = Hostwatch(self.source, self.directory, self.judge, self.oracle.configuration)
            self.circumstances.is_running = True
            self.source.forget()
            self.tasks.start_soon(self.hostwatch.run)

    def _written(self, file: ContainerId) -> None:
        if self.hostwatch is not None:
            self.hostwatch.written(file)

    # Checks.

    def check(self) -> list[str]:
        """Check the files after a step; returns the complaints."""
        so, faults = self.circumstances, self.source.faults
        is_told = faults.is_told and self.hostwatch is not None
        so.calm &= is_told
        so.informed &= is_told
        so.untroubled &= so.calm and faults.none
        self.judge.check_calm()
        return self.judge.complaints

    async def settle(self) -> list[str]:
        """End all trouble, wait for one resync, and check every file; returns the complaints."""
        self.heal()
        self.run_again()
        await anyio.sleep(RESYNC_SECONDS + 35.0)
        self.judge.check_files()
        self.judge.check_addresses()
        if self.circumstances.untroubled:
            self.judge.check_notices()
        self.circumstances.calm = True
        return self.judge.complaints
