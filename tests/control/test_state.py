"""The states of a file: the code does what the table in the module's docstring says."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hostwatch.control.reconcile import state
from hostwatch.control.reconcile.state import FileState, Phase
from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.resolve.linger import Desired
from tests.core.build import ip

DESIRED = Desired(Block((Record(ip("10.0.0.5"), ("db",)),)), {}, frozenset(), None)
OURS = DESIRED.block
THEIRS = Block((), (Withheld("@{db.ip} db", "theirs"),))
BACKOFF_SECONDS = (1.0, 60.0)


def contested(before: FileState) -> FileState:
    """Another writer puts back the same block until that is a rivalry."""
    for _ in range(5):
        before = before.right(DESIRED, OURS, running=True, rebuilt=False, changed=True).returned(THEIRS, 0.0)
    return before


HAPPENS = {
    "starts": FileState.started,
    "right": lambda s: s.right(DESIRED, OURS, running=True, rebuilt=False, changed=True),
    "rebuilt": lambda s: s.right(DESIRED, OURS, running=False, rebuilt=True, changed=True),
    "unreached": FileState.unreached,
    "failed": lambda s: s.failed("no space left on device", 100.0, BACKOFF_SECONDS, 0.5),
    "refused": lambda s: s.refused("mounted", until_start=True),
    "contested": contested,
}


def table() -> dict[tuple[Phase, str], Phase]:
    """The documented table: for each state and event the next state."""
    lines = [line.split("  ") for line in (state.__doc__ or "").splitlines() if line.startswith("    ")]
    head, *rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    return {(Phase(row[0]), what): Phase(cell) for row in rows for what, cell in zip(head[1:], row[1:], strict=True)}


def test_the_table_is_whole() -> None:
    """It has the next state for each state and event."""
    assert table().keys() == {(phase, what) for phase in Phase for what in HAPPENS}


@given(st.lists(st.sampled_from(sorted(HAPPENS))))
def test_each_step_is_in_the_table(happened: list[str]) -> None:
    """After any history."""
    known, found = table(), FileState()
    for what in happened:
        before, found = found.phase, HAPPENS[what](found)
        assert found.phase is known[before, what]
        assert (found.fault is not None) >= (found.phase in (Phase.RETRYING, Phase.REFUSED))


@pytest.mark.parametrize("phase", Phase)
def test_each_state_can_be_left(phase: Phase) -> None:
    """A comparison that finds the file right leaves any state."""
    assert {after for (before, _), after in table().items() if before is phase} - {phase}
    assert table()[phase, "right"] is Phase.IN_SYNC


def test_failures_in_a_row_wait_longer_until_a_start() -> None:
    """After a start the count begins anew, and the application has read the file without our block."""
    found, waits = FileState(), []
    for _ in range(4):
        found = HAPPENS["failed"](found)
        assert found.fault is not None
        waits.append(found.fault.not_before - 100.0)
    assert waits == [0.75, 1.5, 3.0, 6.0]
    assert not found.since_start
    found = found.started()
    assert found.fault is not None
    assert found.fault.not_before < 0
    assert found.since_start
    assert HAPPENS["failed"](found).fault == state.Fault("no space left on device", 1, 100.75, since_start=True)


def test_a_file_that_is_written_before_its_container_runs_is_not_in_sync_yet() -> None:
    """The engine may rebuild it; a rebuilt one stays so until somebody changes it."""
    starting = FileState().started()
    written = starting.right(DESIRED, OURS, running=False, rebuilt=False, changed=True)
    rebuilt = written.right(DESIRED, OURS, running=False, rebuilt=True, changed=True)
    assert (written.phase, rebuilt.phase) == (Phase.STARTING, Phase.REBUILT)
    assert rebuilt.right(DESIRED, OURS, running=False, rebuilt=False, changed=False).phase is Phase.REBUILT
    assert rebuilt.right(DESIRED, OURS, running=False, rebuilt=False, changed=True).phase is Phase.STARTING
