"""The states of one hosts file between two pieces of work on it. What happens to the file leads to the next state:

    state      starts     right     rebuilt   unreached  failed    refused   contested
    new        starting   in sync   rebuilt   new        retrying  refused   contested
    starting   starting   in sync   rebuilt   starting   retrying  refused   contested
    rebuilt    rebuilt    in sync   rebuilt   starting   retrying  refused   contested
    in sync    starting   in sync   rebuilt   lost       retrying  refused   contested
    lost       starting   in sync   rebuilt   lost       retrying  refused   contested
    retrying   retrying   in sync   rebuilt   retrying   retrying  refused   contested
    refused    refused    in sync   rebuilt   refused    retrying  refused   contested
    contested  starting   in sync   rebuilt   lost       retrying  refused   contested

`starts`: the container does not run yet, and the engine may rebuild its file up to three times. `right`: the file
holds what it is to hold; while the container does not run, the state stays `starting` or `rebuilt`. `rebuilt`: the
same, and the engine had written it without a block. `unreached`: there is no file, or another way to it is tried.
`contested`: another writer puts back its own block, and ours waits.

What follows: `right` logs a change and notifies the application, `rebuilt` logs once per start, `retrying` requeues
the file, and so does `contested` at the next look. `refused` logs its reason once. An event, a start or a resync tries
it again, and time does if the kernel denies the file or another hostwatch keeps it. `new` and `lost` wait for the next
event or resync. `tests/control/test_state.py` reads this table and checks it.
"""

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from hostwatch.core.block.records import Block
from hostwatch.core.model import Address
from hostwatch.core.resolve.linger import Desired
from hostwatch.core.resolve.outcome import Memory
from hostwatch.core.timing import Backoff, Rivalry


class Phase(Enum):
    """The name of a file's state."""

    NEW = "new"
    STARTING = "starting"
    REBUILT = "rebuilt"
    IN_SYNC = "in sync"
    LOST = "lost"
    RETRYING = "retrying"
    REFUSED = "refused"
    CONTESTED = "contested"


_STARTS = frozenset([Phase.STARTING, Phase.REBUILT])
_NO_ADDRESSES: frozenset[Address] = frozenset()
_RIVALRY = "somebody else puts another block into its hosts file again and again: ours waits, and is then put back"
_UNREACHED = {Phase.REBUILT: Phase.STARTING, Phase.IN_SYNC: Phase.LOST, Phase.CONTESTED: Phase.LOST}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a file could not be kept, and when it may be tried again."""

    reason: str
    failures: int = 0
    """How many tries in a row have failed."""
    not_before: float = -math.inf
    """The event loop's seconds; infinite: not before the container is started again or everything is compared."""
    since_start: bool = False
    """Whether no try has succeeded since the container was started."""


class FileState(NamedTuple):
    """The state of one hosts file, as far as is known; each transition returns a new value."""

    phase: Phase = Phase.NEW
    fault: Fault | None = None
    """The last one; `None` once the file is right."""
    desired: Desired | None = None
    """The last decision: the block the file is to hold, and the memory of each line. `None` before the first."""
    block: Block = Block()
    """The block in the file, as far as is known."""
    rivalry: Rivalry[Block] = Rivalry()

    @property
    def in_sync(self) -> bool:
        """Whether the file is right, as far as is known."""
        return self.phase in (Phase.IN_SYNC, Phase.REBUILT)

    @property
    def complaint(self) -> str | None:
        """Why the file is not kept, as far as is known; `None` if it is, or will be soon."""
        if self.phase is Phase.CONTESTED:
            return _RIVALRY
        return self.fault.reason if self.fault is not None else None

    @property
    def since_start(self) -> bool:
        """Whether the application has not been seen running with this file since the container was started."""
        return self.phase in _STARTS or (self.fault is not None and self.fault.since_start)

    def started(self) -> "FileState":
        """The container does not run yet. A file that could not be kept may be tried at once when it does."""
        if self.phase in _STARTS:
            return self
        if self.fault is not None:
            fault = replace(self.fault, not_before=-math.inf, since_start=True)
            return self._replace(fault=fault)
        return self._replace(phase=Phase.STARTING)

    def right(
        self, desired: Desired | None, block: Block, *, running: bool, rebuilt: bool, changed: bool
    ) -> "FileState":
        """The file holds this block now. `rebuilt`: the engine had written it anew, without a block."""
        phase = Phase.IN_SYNC
        if not running:
            stays = self.phase is Phase.REBUILT and not changed
            phase = Phase.REBUILT if rebuilt or stays else Phase.STARTING
        return FileState(phase, None, desired, block, self.rivalry)

    def recalled(self, memory: Memory) -> "FileState":
        """This was last published for each line; the block that was last decided on stays."""
        block = self.desired.block if self.desired is not None else Block()
        desired = Desired(block, memory, _NO_ADDRESSES, None)
        return self._replace(desired=desired)

    def unreached(self) -> "FileState":
        """There is no such file now, or another way to it is tried, at once."""
        fault = replace(self.fault, not_before=-math.inf) if self.fault is not None else None
        return self._replace(phase=_UNREACHED.get(self.phase, self.phase), fault=fault)

    def failed(self, reason: str, now: float, backoff_seconds: tuple[float, float], chance: float) -> "FileState":
        """Reading or writing failed. `chance` from 0 to 1 shortens the wait, so that retries do not fall in step."""
        return self._faulted(Phase.RETRYING, reason, now, backoff_seconds, chance)

    def refused(self, reason: str, *, until_start: bool) -> "FileState":
        """The file must be left alone. `until_start`: until its container is started again; else until any event."""
        not_before = math.inf if until_start else -math.inf
        return self._replace(phase=Phase.REFUSED, fault=Fault(reason, 0, not_before, self.since_start))

    def denied(self, reason: str, now: float, backoff_seconds: tuple[float, float], chance: float) -> "FileState":
        """The kernel does not let us write the file, which may change without an event."""
        return self._faulted(Phase.REFUSED, reason, now, backoff_seconds, chance)

    def _faulted(
        self, phase: Phase, reason: str, now: float, backoff_seconds: tuple[float, float], chance: float
    ) -> "FileState":
        is_first = self.fault is None or self.fault.not_before == -math.inf  # since the container was started
        backoff = Backoff(*backoff_seconds, failures=0 if is_first or self.fault is None else self.fault.failures)
        not_before = now + backoff.failed(chance)
        return self._replace(phase=phase, fault=Fault(reason, backoff.failures, not_before, self.since_start))

    def returned(self, theirs: Block, now: float) -> "FileState":
        """Somebody else had put a block of his own in the place of ours, which is there again."""
        rivalry = self.rivalry.returned(theirs, now)
        return self._replace(phase=Phase.CONTESTED if rivalry.until > now else self.phase, rivalry=rivalry)
