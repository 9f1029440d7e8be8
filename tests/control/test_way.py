"""One file's way through the modules: each step is taken once, nothing is asked twice, nothing climbs back."""

import sys
from pathlib import Path
from types import FrameType
from typing import Self

import anyio
import anyio.lowlevel

import hostwatch
from tests.control.room import Deaf, Room
from tests.core.build import box, on

ROOT = str(Path(hostwatch.__file__).parent) + "/"
STEPS = (
    "Pipeline.decided",
    "observe",
    "desired_block",
    "decide",
    "Pipeline.is_done_at_once",
    "FileAccess.update_now",
    "replacement",
    "PathHostsFiles.replace",
    "recorded",
    "ChangeJournal.note",
    "WorkQueue.done",
)
"""The way of a file that is changed at once: observe, decide, apply, record."""

Call = tuple[str, str, str]
"""The package of the caller, and the package and the function that are called."""


class Traced:
    """The calls from one module of ours to another, while it is entered."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def __enter__(self) -> Self:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        called = module(frame)
        if event != "call" or called is None:
            return
        caller = frame.f_back
        while caller is not None and module(caller) is None:
            caller = caller.f_back
        calling = module(caller) if caller is not None else None
        if calling != called:
            self.calls.append((calling or "", called, frame.f_code.co_qualname))


def module(frame: FrameType) -> str | None:
    """The module of ours that a frame is in."""
    file = frame.f_code.co_filename
    return file.removeprefix(ROOT) if file.startswith(ROOT) else None


async def test_a_file_goes_straight_through_its_steps(tmp_path: Path) -> None:
    """A service has moved, and one subscriber's file follows."""
    room = Room(tmp_path, "web")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.queue.run_delayed)
        tasks.start_soon(room.reconciler(tasks).run, Deaf())
        room.queue.add_all(room.keys, "resync")
        await room.queue.worked_on(room.keys)
        moved = room.store.put(box("db", on("front", "10.0.0.6")))
        with Traced() as traced:
            room.queue.add_all(moved, "start db")
            await room.queue.worked_on(room.keys)
        tasks.cancel_scope.cancel()
    assert b"10.0.0.6" in room.path(room.keys[0]).read_bytes()
    functions = [function for _, _, function in traced.calls]
    assert [function for function in functions if function in STEPS] == [*STEPS]
    assert functions.count("Lister.sharing") == 1
    climbs = [
        call for call in traced.calls if call[0].startswith(("core/", "hosts/")) and call[1].startswith("control/")
    ]
    assert climbs == [], "the core and the host know nothing of the control loop"
