"""The first two steps of a file's way: observe and decide. Both are free of I/O; nothing here waits or logs.

An observation is one snapshot: all that the store knows of a file, the file's state, and why it is looked at. From that
alone `decide` makes a plan. The daemon, `plan`, `sync`, `status` and `clean` share both steps.
"""

from dataclasses import dataclass

from hostwatch.control.reconcile.rewriting import refusal
from hostwatch.control.reconcile.state import FileState, Phase
from hostwatch.control.writers import CHANGES_LOST, FILE_CHANGED, RESYNC
from hostwatch.core.block.records import Block
from hostwatch.core.model import Container, ContainerKey, State
from hostwatch.core.resolve.desired import desired_block
from hostwatch.core.resolve.linger import Desired
from hostwatch.core.rules import Writer
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.sharing import Sharing

GARBAGE_COLLECTION = "garbage collection"
"""The cause of a look at a file that has a block and no subscriber."""
_OF_FILES = (FILE_CHANGED, CHANGES_LOST, RESYNC)
"""The causes for which the file itself may say something else."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a file is reached."""

    writer: Writer
    """By path or by exec."""
    is_path_due: bool = False
    """Whether that is by exec only because its path did not do, and the path is worth another try."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known of one file at one moment."""

    container: Container
    """The owner of the file."""
    sharing: Sharing
    """What the containers that read it want of it."""
    state: FileState
    is_kept: bool
    """Whether the file is ours to keep: somebody subscribes to it, or did so when it was last written."""
    way: Way
    causes: tuple[str, ...]
    now: float
    """The event loop's seconds."""
    desired: Desired | None
    """What the file is to hold; `None` where nobody is to decide that, or what it held before is not read yet."""

    @property
    def key(self) -> ContainerKey:
        """The file's key: its owner's."""
        return self.container.key

    @property
    def is_running(self) -> bool:
        """Whether the owner runs, so that its file stays as it is unless somebody writes it."""
        return self.container.state is State.RUNNING

    @property
    def is_changed(self) -> bool:
        """Whether somebody wrote the file."""
        return FILE_CHANGED in self.causes

    @property
    def may_differ(self) -> bool:
        """Whether the file may have been changed: the engine rewrites it when a network comes or goes."""
        return any(cause in _OF_FILES or cause.startswith("network ") for cause in self.causes)


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Wait:
    """It is to be decided again at that time (the event loop's seconds)."""

    until: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """The file must be left alone."""

    reason: str


@dataclass(frozen=True, slots=True)
class TryPath:
    """It is to be seen whether the path does again, and decided again."""


@dataclass(frozen=True, slots=True)
class Recall:
    """The file is to be read for what an earlier run published in it, and decided again."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The file is to hold this block."""

    block: Block


@dataclass(frozen=True, slots=True)
class Collect:
    """The block is to be removed: nobody subscribes to the file."""


@dataclass(frozen=True, slots=True)
class Look:
    """The file is not ours, and may say something about its container all the same."""


Plan = Keep | Wait | Refuse | TryPath | Recall | Rewrite | Collect | Look


@dataclass(frozen=True, slots=True)
class Moment:
    """When and why a file is looked at, and how long a line lingers that is gone."""

    now: float
    """The event loop's seconds."""
    linger_seconds: float
    causes: tuple[str, ...] = ()


def observe(store: Lister, container: Container, state: FileState | None, way: Way, moment: Moment) -> Observation:
    """One snapshot of a file."""
    sharing = store.sharing(container.key)
    is_kept = container.state is not State.STOPPED and (state is not None or bool(sharing.requests))
    starts = container.state is not State.RUNNING and bool(sharing.requests or state)
    known = state or FileState()
    known = known.started() if starts else known
    memory = known.desired.memory if known.desired is not None else None
    if memory is None and container.state is not State.RUNNING:
        memory = {}  # the engine has just rebuilt the file: there is nothing to remember
    desired = None
    if is_kept and memory is not None:
        desired = desired_block(store, container.key, memory, moment.now, moment.linger_seconds)
    return Observation(container, sharing, known, is_kept, way, moment.causes, moment.now, desired)


def decide(seen: Observation) -> Plan:
    """What is to be done with the file."""
    if not seen.is_kept:
        return _of_foreign(seen)
    if (reason := refusal(seen.container)) is not None:
        return Refuse(reason)
    if seen.way.is_path_due:
        return TryPath()
    if seen.way.writer is Writer.EXEC and (plan := _of_exec(seen)) is not None:
        return plan
    if seen.desired is None:
        return Recall()
    return _of_kept(seen, seen.desired)


def _of_foreign(seen: Observation) -> Plan:
    if GARBAGE_COLLECTION in seen.causes and refusal(seen.container) is None:
        return Collect()
    return Look() if seen.is_changed and seen.is_running else Keep()


def _of_exec(seen: Observation) -> Plan | None:
    """What keeps a file from being written by exec now: its container must run, and must not just have failed to."""
    if not seen.is_running:
        return Keep()
    fault = seen.state.fault
    if fault is not None and seen.now < fault.not_before and RESYNC not in seen.causes:
        return Wait(fault.not_before)
    return None


def _of_kept(seen: Observation, desired: Desired) -> Plan:
    state = seen.state
    if state.desired is not None and state.desired.block == desired.block:
        if state.phase is Phase.IN_SYNC and not seen.may_differ:
            return Keep()
        if state.phase is Phase.CONTESTED and state.rivalry.until > seen.now:
            return Wait(state.rivalry.until)
    return Rewrite(desired.block)
