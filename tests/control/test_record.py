"""The last step of a file's way: the results that are logged."""

from hostwatch.control.reconcile import plan, record
from hostwatch.control.reconcile.state import FileState
from hostwatch.control.writers import FileKeptError, FileRefusedError, FileUpdate
from hostwatch.core.block.records import Block
from tests.core.build import box, hosts, on, store

HOLDERS = ("hostwatch, process 7 (hostwatch run)", "another hostwatch, a process that is not visible from here")


def observation(state: FileState) -> plan.Observation:
    """A subscriber's file in this state."""
    web = box("web", on("front", "10.0.0.6"), labels=hosts("192.0.2.1 fixed"))
    return plan.observe(store(web), plan.File(web), state, None, plan.Moment(0.0, 0.0))


def told(state: FileState, *errors: Exception) -> tuple[list[str], FileState]:
    """The log of these failures in a row, and the state after them."""
    messages = []
    for error in errors:
        recorded = record.failed(observation(state), error, 0.5)
        state = recorded.state
        messages += [recorded.message] if recorded.message is not None else []
    return messages, state


def test_a_file_that_another_hostwatch_keeps_is_logged_once() -> None:
    """The holder is not visible while it ends, and another may follow. Logged again if the file was ours meanwhile."""
    errors = [FileKeptError(f"/hosts is kept by {holder}") for holder in (*HOLDERS, HOLDERS[0])]
    messages, state = told(FileState(), *errors)
    assert messages == [f"refused: {errors[0]}"]
    seen = observation(state)
    kept = record.recorded(seen, FileUpdate(b"", b""), None, Block(), 0.0).state
    assert told(kept, errors[1])[0] == [f"refused: {errors[1]}"]
    assert told(state, FileRefusedError("not a regular file"))[0] == ["refused: not a regular file"]


def test_another_reason_is_logged_too() -> None:
    """Each is logged once in a row."""
    long, link = FileRefusedError("larger than 1 MiB"), FileRefusedError("not a regular file")
    assert told(FileState(), long, long, link)[0] == [f"refused: {long}", f"refused: {link}"]
