"""The first two steps of a file's way: observe and decide. Both are free of I/O; nothing here waits or logs.

An observation is one snapshot: all that the store knows of a file, the file's state, and why it is looked at. From that
alone `decide` makes a plan. The daemon, `plan`, `sync`, `status` and `clean` share both steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hostwatch.control.causes import CHANGES_LOST, FILE_CHANGED, GARBAGE_COLLECTION, REMOVAL, RESYNC, TAKEOVER
from hostwatch.control.reconcile.rewriting import UNFINISHED, refusal
from hostwatch.control.reconcile.state import FileState, Phase
from hostwatch.core.block.records import Block
from hostwatch.core.model import Container, ContainerKey, FileKind, State
from hostwatch.core.resolve.desired import desired_block, is_computed
from hostwatch.core.resolve.linger import Desired
from hostwatch.core.rules import Writer
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.sharing import Sharing

STEPS = 20
"""How many steps are taken towards a file's lines before other tasks have their turn: a millisecond or two."""
_UNFINISHED_LOOKS = 2
"""After so many looks at a running container's file that is not finished, some tenths of a second, it counts as such:
its container has changed it. A start would have been told of by then."""
_OF_FILES = (FILE_CHANGED, CHANGES_LOST, TAKEOVER, RESYNC)
"""The causes for which the file itself may say something else."""


class File(NamedTuple):
    """A file that is looked at."""

    container: Container
    """Its owner."""
    kind: FileKind = FileKind.HOSTS


@dataclass(frozen=True, slots=True)
class Detour:
    """A file is written by exec, as its path did not do."""

    is_timed: bool
    """Whether the path is tried again even if nothing else is to be done."""
    not_before: float = 0.0
    """When the path is worth another try (the event loop's seconds)."""
    failures: int = 0
    """How many tries in a row have failed."""


class Moment(NamedTuple):
    """When and why a file is looked at."""

    now: float
    """The event loop's seconds."""
    linger_seconds: float
    """How long a line stays that is gone."""
    causes: Sequence[str] = ()
    is_looked_at: bool = False
    """Whether the file of a starting container was read just now."""
    most_steps: int | None = None
    """How many steps may be taken towards the lines of a long file; `None`: all."""
    is_path_tried: bool = False
    """Whether the path of a file that is written by exec was tried just now."""


class Observation(NamedTuple):
    """All that is known of one file at one moment."""

    container: Container
    """The owner of the file."""
    kind: FileKind
    sharing: Sharing
    """The containers that read it, and their requests."""
    state: FileState
    moment: Moment
    is_running: bool
    """Whether the owner runs, so that the engine does not rebuild its file."""
    is_kept: bool
    """Whether the file is ours to keep: it has a subscriber, or had one when it was last written."""
    writer: Writer
    """How the file is reached: by path or by exec."""
    is_path_due: bool
    """Whether that is by exec only because its path did not do, and the path is worth another try."""
    is_computed: bool
    """Whether all its lines are known to the store, of which there may be thousands."""
    desired: Desired | None
    """The desired block with its memory; `None` if the file is not kept, not computed, or its earlier block is not read
    yet."""

    @property
    def key(self) -> ContainerKey:
        """The file's key: its owner's."""
        return self.container.key

    @property
    def remembered(self) -> FileState:
        """The state with what each line said last. The block counts as decided on only when it is applied."""
        return self.state.recalled(self.desired.memory) if self.desired is not None else self.state

    @property
    def is_settled(self) -> bool:
        """Whether the file counts as finished, if its container runs. By exec, it surely does."""
        fault = self.state.fault
        if fault is None or fault.reason != UNFINISHED:
            return self.writer is Writer.EXEC
        return fault.failures >= _UNFINISHED_LOOKS and not self.is_between_looks

    @property
    def is_between_looks(self) -> bool:
        """Whether the file was not finished at the last look, and the next one that counts is still to come."""
        fault = self.state.fault
        return fault is not None and fault.reason == UNFINISHED and self.moment.now < fault.not_before

    @property
    def tells_address(self) -> bool:
        """Whether the engine writes the container's own address into the file."""
        return self.kind is FileKind.HOSTS

    @property
    def may_tell_start(self) -> bool:
        """Whether a change of the file may say more of a start: the container's address, or that it is being started.

        An engine may write either file first.
        """
        return not self.is_running and (self.tells_address or self.container.state is State.STOPPED)

    @property
    def is_changed(self) -> bool:
        """Whether the file was written."""
        return FILE_CHANGED in self.moment.causes

    @property
    def may_differ(self) -> bool:
        """Whether the file may have been changed: the engine rewrites it when a network comes or goes."""
        return any(cause in _OF_FILES or cause.startswith("network ") for cause in self.moment.causes)


@dataclass(frozen=True, slots=True)
class LookEarly:
    """The file of a starting container is read for its address, which the engine may have just written.

    Of a stopped container, that the engine wrote it says that it is being started.
    """


@dataclass(frozen=True, slots=True)
class TryPath:
    """The path is tried again."""


@dataclass(frozen=True, slots=True)
class Compute:
    """Each time that a long file is observed, more of its lines are computed; other tasks have their turn between."""


@dataclass(frozen=True, slots=True)
class Recall:
    """The file is read for the block that an earlier run left in it."""


Preparation = LookEarly | TryPath | Compute | Recall
"""A step that makes more known of the file. Then it is observed and decided again."""


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
class Rewrite:
    """The file is to hold this block."""

    block: Block


@dataclass(frozen=True, slots=True)
class Collect:
    """The block is to be removed."""

    last: Block
    """The block in the file, as far as is known."""


@dataclass(frozen=True, slots=True)
class Look:
    """The file is not ours, and may say something about its container all the same."""


Plan = Preparation | Keep | Wait | Refuse | Rewrite | Collect | Look


def observe(store: Lister, file: File, state: FileState | None, detour: Detour | None, moment: Moment) -> Observation:
    """One snapshot of a file."""
    container, kind = file
    sharing, is_running = store.sharing(container.key, kind), container.state is State.RUNNING
    is_kept = container.state is not State.STOPPED and (state is not None or bool(sharing.requests))
    known = state or _UNKNOWN
    if not is_running and (state is not None or sharing.requests):
        known = known.started()
    memory = known.desired.memory if known.desired is not None else None
    if memory is None and not is_running:
        memory = {}  # the engine has just rebuilt the file: there is nothing to remember
    is_wanted = is_kept or REMOVAL in moment.causes
    steps = moment.most_steps if is_kept else None
    ready = steps is None or is_computed(store, sharing.requests, steps)
    desired = None
    if memory is not None and is_wanted and ready:
        desired = desired_block(store, sharing.requests, memory, moment.now, moment.linger_seconds)
    writer = writer_of(sharing, detour)
    is_due = detour is not None and (moment.now >= detour.not_before or RESYNC in moment.causes)
    is_path_due = is_due and not moment.is_path_tried
    return Observation(
        container, kind, sharing, known, moment, is_running, is_kept, writer, is_path_due, ready, desired
    )


def writer_of(sharing: Sharing, detour: Detour | None) -> Writer:
    """How a file is reached."""
    return Writer.EXEC if detour is not None or sharing.writer is Writer.EXEC else Writer.PATH


_UNKNOWN = FileState()


def decide(seen: Observation) -> Plan:
    """The plan for the file."""
    if REMOVAL in seen.moment.causes:
        return _of_removal(seen)
    if seen.is_changed and seen.may_tell_start and not seen.moment.is_looked_at:
        return LookEarly()
    if not seen.is_kept:
        return _of_foreign(seen)
    if (reason := refusal(seen.container, seen.kind)) is not None:
        return Refuse(reason)
    if seen.is_path_due:
        return TryPath()
    plan = _of_exec(seen) if seen.writer is Writer.EXEC else None
    return plan or _of_kept(seen)


def _of_removal(seen: Observation) -> Plan:
    if (reason := refusal(seen.container, seen.kind)) is not None:
        return Refuse(reason)
    should_be = seen.desired.block if seen.desired is not None else Block()
    return Collect(seen.state.block or should_be)


def _of_foreign(seen: Observation) -> Plan:
    if GARBAGE_COLLECTION in seen.moment.causes and refusal(seen.container, seen.kind) is None:
        return Collect(Block())
    return Look() if seen.tells_address and seen.is_changed and seen.is_running else Keep()


def _of_exec(seen: Observation) -> Plan | None:
    """The plan if the file cannot be written by exec now: its container does not run, or has just failed to."""
    if not seen.is_running:
        return Keep()
    fault = seen.state.fault
    if fault is not None and seen.moment.now < fault.not_before and RESYNC not in seen.moment.causes:
        return Wait(fault.not_before)
    return None


def _of_kept(seen: Observation) -> Plan:
    state, desired = seen.state, seen.desired
    if not seen.is_computed:
        return Compute()
    if desired is None:
        return Recall()
    if state.desired is not None and state.desired.block == desired.block:
        if state.phase is Phase.IN_SYNC and not seen.may_differ:
            return Keep()
        if state.phase is Phase.CONTESTED and state.rivalry.until > seen.moment.now:
            return Wait(state.rivalry.until)
    return Rewrite(desired.block)
