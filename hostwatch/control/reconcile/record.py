"""The last step of a file's way: what a result leads to. Nothing here waits or logs: it says what is to follow."""

from typing import NamedTuple

from hostwatch.control.causes import DRIFT, FILE_CHANGED, REBUILT, REMOVAL
from hostwatch.control.comparison import Comparison
from hostwatch.control.figures import WriteResult
from hostwatch.control.reconcile.plan import Observation
from hostwatch.control.reconcile.state import FileState, Phase
from hostwatch.control.writers import (
    FileDeniedError,
    FileFailedError,
    FileKeptError,
    FileRefusedError,
    FileUpdate,
    OutOfSightError,
)
from hostwatch.core.block.records import Block
from hostwatch.core.model import Container
from hostwatch.core.rules import Writer

_QUICK_BACKOFF_SECONDS = (0.1, 30.0)
"""After a failure that may be over in a moment, as while the engine rebuilds the file."""
_SLOW_BACKOFF_SECONDS = (2.0, 300.0)
"""After a command failed, or the kernel denied what it granted before (a file system that became read-only)."""
_KEPT_SECONDS = 0.5
"""How often a file is tried that another hostwatch keeps."""
_KEPT = "kept by another hostwatch"
"""The reason for the state: the error's text also names the holder, whose process cannot be seen while it ends."""
_FAILURES_TOLD = 3
"""After how many failures in a row, some tenths of a second, a file that cannot be written is worth a line."""
_RIVAL = (
    "somebody else puts another block into its hosts file again and again, perhaps a second hostwatch"
    " that sees nothing of this one: ours is put back more and more slowly; stop one of the two"
)


class Recorded(NamedTuple):
    """The consequences of a result."""

    state: FileState
    comparison: Comparison | None = None
    """The change to log."""
    level: str = "DEBUG"
    message: str | None = None
    """A further line for the log, at `level`."""
    again_at: float | None = None
    """When the file is to be looked at again (the event loop's seconds)."""
    failure: WriteResult | None = None
    """How the try failed."""


def recorded(seen: Observation, update: FileUpdate, before: Block | None, block: Block, seconds: float) -> Recorded:
    """A file was compared, and written if it was wrong, so many seconds after its first cause arrived.

    It held the block `before` (`None`: it held none, or that was not looked for), and now holds `block`.
    """
    old, changed = seen.state, update.changed
    rebuilt = changed and not seen.is_running and before is None
    state = old.right(seen.desired, block, running=seen.is_running, rebuilt=rebuilt, changed=changed)
    if not changed and old.block == block:
        return Recorded(state)
    # A file that is as it was left has got another block, and nobody else has been there.
    same = not update.as_seen and old.block == block
    comparison = Comparison(
        seen.key,
        seen.container.name,
        _cause(seen, changed=changed, rebuilt=rebuilt, same=old.in_sync and same),
        update.before if changed else None,
        before,
        old.block,
        block,
        seconds,
        kind=seen.kind,
        # An engine rebuilds the file up to three times at one start; that is one change.
        quiet=rebuilt and same and old.phase is Phase.REBUILT,
        heals_drift=changed and same and seen.is_running and (old.in_sync or old.phase is Phase.CONTESTED),
    )
    message = None
    if changed and same and seen.is_running and before is not None and before != block:
        state = state.returned(before, seen.moment.now)
        message = _RIVAL if state.rivalry.begins else None
    return Recorded(state, comparison, "WARNING", message)


def removed(container: Container, update: FileUpdate, seconds: float) -> Comparison:
    """A block was taken out of a file for good. One line tells of all such files, so this one is quiet."""
    nothing = Block()
    return Comparison(
        container.key, container.name, REMOVAL, update.before, None, nothing, nothing, seconds, quiet=True
    )


def _cause(seen: Observation, *, changed: bool, rebuilt: bool, same: bool) -> str:
    cause = ", ".join(seen.moment.causes)
    if changed and cause == FILE_CHANGED:
        return REBUILT if rebuilt else DRIFT if same else cause
    return cause


def failed(seen: Observation, error: Exception, chance: float) -> Recorded:
    """A file could not be read or written. `chance` is a random number from 0 to 1, for the back-off."""
    match error:
        case FileKeptError():
            refused = _refused(seen, error, chance)
            return refused._replace(again_at=seen.moment.now + _KEPT_SECONDS)
        case FileRefusedError():
            return _refused(seen, error, chance)
        case FileFailedError():
            return _failed(seen, error, chance)
        case _:
            return Recorded(seen.remembered.unreached(), message=str(error))


def _refused(seen: Observation, error: FileRefusedError, chance: float) -> Recorded:
    known, again_at = seen.state.fault, None
    reason = _KEPT if isinstance(error, FileKeptError) else str(error)
    by_exec = seen.writer is Writer.EXEC
    state = seen.remembered.refused(reason, until_start=by_exec)
    if isinstance(error, FileDeniedError) and not isinstance(error, OutOfSightError) and not by_exec:
        state = seen.remembered.denied(reason, seen.moment.now, _SLOW_BACKOFF_SECONDS, chance)
        again_at = state.fault.not_before if state.fault is not None else None
    level = "DEBUG" if isinstance(error, OutOfSightError) else "ERROR"
    message = f"refused: {error}" if known is None or known.reason != reason else None
    return Recorded(state, None, level, message, again_at, WriteResult.REFUSED)


def _failed(seen: Observation, error: FileFailedError, chance: float) -> Recorded:
    known = seen.remembered.fault
    if seen.is_between_looks and known is not None and str(error) == known.reason:
        # Each of its container's writes would put off the time at which it counts as finished.
        return Recorded(seen.remembered, again_at=known.not_before)
    seconds = _SLOW_BACKOFF_SECONDS if seen.writer is Writer.EXEC else _QUICK_BACKOFF_SECONDS
    state = seen.remembered.failed(str(error), seen.moment.now, seconds, chance)
    failures, not_before = (state.fault.failures, state.fault.not_before) if state.fault is not None else (0, None)
    # The engine may just be rebuilding the file: a fault that is over by the next round is not worth a line.
    level = "WARNING" if failures == _FAILURES_TOLD else "DEBUG"
    return Recorded(state, None, level, str(error), not_before, WriteResult.FAILED)
