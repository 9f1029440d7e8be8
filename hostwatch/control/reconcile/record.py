"""The last step of a file's way: what a result leads to. Nothing here waits or logs: it says what is to follow."""

from dataclasses import dataclass, replace

from hostwatch.control.journal import Comparison
from hostwatch.control.reconcile.plan import Observation
from hostwatch.control.reconcile.state import FileState, Phase
from hostwatch.control.writers import (
    FILE_CHANGED,
    FileDeniedError,
    FileFailedError,
    FileKeptError,
    FileRefusedError,
    FileUpdate,
    OutOfSightError,
)
from hostwatch.core.block.records import Block
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


@dataclass(frozen=True, slots=True)
class Applied:
    """A file was compared, and written if it was wrong."""

    update: FileUpdate
    before: Block | None
    """The block that it held; `None` where it held none, or it was not looked for."""
    block: Block
    """The block that it holds now."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What follows from a result."""

    state: FileState
    comparison: Comparison | None = None
    """What is to be logged as a change."""
    level: str = "DEBUG"
    message: str | None = None
    """What is to be logged besides, and how loudly."""
    again_at: float | None = None
    """When the file is to be looked at again (the event loop's seconds)."""


def recorded(seen: Observation, applied: Applied, seconds: float) -> Recorded:
    """A file holds what it is to hold, so many seconds after its first cause arrived."""
    old, changed = seen.state, applied.update.changed
    rebuilt = changed and not seen.is_running and applied.before is None
    state = old.right(seen.desired, applied.block, running=seen.is_running, rebuilt=rebuilt, changed=changed)
    message = None
    if changed and seen.is_running and old.block == applied.block and applied.before not in (None, old.block):
        state = state.returned(applied.before or Block(), seen.now)
        message = _RIVAL if state.rivalry.begins else None
    comparison = _comparison(seen, applied, rebuilt, seconds)
    return Recorded(state, comparison, "WARNING", message)


def _comparison(seen: Observation, applied: Applied, rebuilt: bool, seconds: float) -> Comparison | None:
    old, changed, block = seen.state, applied.update.changed, applied.block
    if not changed and old.block.withheld == block.withheld:
        return None
    same = old.in_sync and old.block == block
    cause = ", ".join(seen.causes)
    if changed and cause == FILE_CHANGED:
        cause = "the engine rebuilt the file" if rebuilt else "drift" if same else cause
    # An engine rebuilds the file up to three times at one start; that is one change.
    quiet = rebuilt and same and old.phase is Phase.REBUILT
    text = applied.update.before if changed else None
    return Comparison(seen.container.name, cause, text, applied.before, old.block, block, seconds, quiet)


def failed(seen: Observation, error: Exception, chance: float) -> Recorded:
    """A file could not be read or written. `chance` is a random number from 0 to 1, for the back-off."""
    match error:
        case FileKeptError():
            refused = _refused(seen, error, chance)
            return replace(refused, again_at=seen.now + _KEPT_SECONDS)
        case FileRefusedError():
            return _refused(seen, error, chance)
        case FileFailedError():
            return _failed(seen, error, chance)
        case _:
            return Recorded(seen.state.unreached(), message=str(error))


def _refused(seen: Observation, error: FileRefusedError, chance: float) -> Recorded:
    known, again_at = seen.state.fault, None
    reason = _KEPT if isinstance(error, FileKeptError) else str(error)
    by_exec = seen.way.writer is Writer.EXEC
    state = seen.state.refused(reason, until_start=by_exec)
    if isinstance(error, FileDeniedError) and not isinstance(error, OutOfSightError) and not by_exec:
        state = seen.state.denied(reason, seen.now, _SLOW_BACKOFF_SECONDS, chance)
        again_at = state.fault.not_before if state.fault is not None else None
    level = "DEBUG" if isinstance(error, OutOfSightError) else "ERROR"
    message = f"refused: {error}" if known is None or known.reason != reason else None
    return Recorded(state, None, level, message, again_at)


def _failed(seen: Observation, error: FileFailedError, chance: float) -> Recorded:
    seconds = _SLOW_BACKOFF_SECONDS if seen.way.writer is Writer.EXEC else _QUICK_BACKOFF_SECONDS
    state = seen.state.failed(str(error), seen.now, seconds, chance)
    failures, not_before = (state.fault.failures, state.fault.not_before) if state.fault is not None else (0, None)
    # The engine may just be rebuilding the file: a fault that is over by the next round is not worth a line.
    level = "WARNING" if failures == _FAILURES_TOLD else "DEBUG"
    return Recorded(state, None, level, str(error), not_before)
