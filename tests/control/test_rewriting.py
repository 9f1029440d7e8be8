"""When a block may be put into a resolv.conf: an unfinished one is left to the engine, as a block would spoil it."""

import pytest

from hostwatch.control.reconcile import record
from hostwatch.control.reconcile.plan import Detour, File, Moment, Observation, Rewrite, decide, observe
from hostwatch.control.reconcile.rewriting import UNFINISHED, Rewriting
from hostwatch.control.reconcile.state import FileState
from hostwatch.control.writers import FileFailedError, FileGoneError
from hostwatch.core.block.records import Block, Directive
from hostwatch.core.model import FileKind, State
from tests.core.build import RUNNING, UNKNOWN, box, ip, on, store

BLOCK = Block((Directive(ip("10.0.0.5"), ("nameserver",)),))
EARLY, LAST = b"nameserver 8.8.8.8\n", b"nameserver 127.0.0.11\n"
HEAD = BLOCK.text
QUICK = (0.1, 30.0)


def rewritten(text: bytes, state: State, *, is_settled: bool = False, block: Block = BLOCK) -> bytes:
    """The new text of a container's file on a network of one's own."""
    container = box("web", on("front", "10.0.0.2"), state=state)
    return Rewriting(block, container, kind=FileKind.RESOLV, is_settled=is_settled)(text)


def test_an_unfinished_file_is_left_alone() -> None:
    """It is not there yet while its container is being started, and to be tried again if that seems to run."""
    with pytest.raises(FileGoneError):
        rewritten(EARLY, UNKNOWN)
    with pytest.raises(FileGoneError):
        rewritten(EARLY, UNKNOWN, is_settled=True)
    with pytest.raises(FileFailedError):
        rewritten(EARLY, RUNNING)
    with pytest.raises(FileFailedError):
        rewritten(b"", RUNNING)


@pytest.mark.parametrize("state", [RUNNING, UNKNOWN])
def test_a_finished_file_gets_its_block(state: State) -> None:
    """The engine's own resolver is in it."""
    assert rewritten(LAST, state) == HEAD + LAST


def test_a_running_container_may_have_changed_its_file() -> None:
    """A block of ours is in it already, or it has said the same for a while; and a block is removed in any case."""
    assert rewritten(HEAD + EARLY, RUNNING) == HEAD + EARLY
    assert rewritten(EARLY, RUNNING, is_settled=True) == HEAD + EARLY
    assert rewritten(HEAD + EARLY, UNKNOWN, block=Block()) == EARLY


def seen(state: FileState, now: float, detour: Detour | None = None) -> Observation:
    """What is known of the file of a running container with that state."""
    web = box("web", on("front", "10.0.0.2"), labels={"hostwatch.resolv": "nameserver 10.0.0.5"})
    return observe(store(web), File(web, FileKind.RESOLV), state, detour, Moment(now, 2.0))


def test_a_file_is_settled_after_two_looks() -> None:
    """Each at its time: writes in between, such as the engine's, bring no look forward that counts."""
    new = FileState()
    once = new.failed(UNFINISHED, 0.0, QUICK, chance=0.0)
    twice = once.failed(UNFINISHED, 0.1, QUICK, chance=0.0)
    found = [seen(state, now).is_settled for state, now in ((new, 9.0), (once, 9.0), (twice, 0.2), (twice, 0.31))]
    assert found == [False, False, False, True]
    other = twice.failed("somebody writes to it", 0.2, QUICK, chance=0.0)
    assert not seen(other, 99.0).is_settled
    assert seen(new, 0.0, Detour(is_timed=False)).is_settled  # by exec: its container runs


def test_a_write_between_two_looks_is_looked_at() -> None:
    """It may be the engine's last one. If it is not, the next look that counts comes no later."""
    once = FileState().recalled({}).failed(UNFINISHED, 0.0, QUICK, chance=0.0)
    between = seen(once, 0.05)
    assert decide(between) == Rewrite(BLOCK)
    unfinished = record.failed(between, FileFailedError(UNFINISHED), 0.0)
    assert (unfinished.state.fault, unfinished.again_at) == (once.fault, 0.1)
    counted = record.failed(seen(once, 0.1), FileFailedError(UNFINISHED), 0.0)
    assert counted.again_at is not None
    assert counted.again_at > 0.1
    other = record.failed(between, FileFailedError("somebody writes to it"), 0.0)
    assert other.state.fault is not None
    assert other.state.fault.failures == 2


def test_a_start_begins_anew() -> None:
    """Looks at an earlier start do not count."""
    state = FileState()
    for now in (0.0, 0.1, 0.3):
        state = state.failed(UNFINISHED, now, QUICK, chance=0.0)
    again = state.started().failed(UNFINISHED, 5.0, QUICK, chance=0.0)
    assert not seen(again, 99.0).is_settled
