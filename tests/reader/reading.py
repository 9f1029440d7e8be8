"""Reads a page on a machine: does each step, and notes what each command showed."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from difflib import ndiff
from pathlib import Path

from tests.reader.comparison import Bindings, addresses, alike, matched
from tests.reader.page import Command, Hidden, Page, Step, Written
from tests.reader.seat import Seat
from tests.reader.shell import Shell, ShellError, shell


@dataclass(frozen=True)
class Found:
    """What a command showed on the machine."""

    command: Command
    status: int
    lines: tuple[str, ...]
    is_right: bool


@dataclass
class Reading:
    """What came of the steps of a page, up to the first one after which a reader would be lost."""

    page: Page
    bindings: Bindings
    found: list[Found] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Each with its place."""

    def take(self, command: Command, status: int, output: str) -> bool:
        """Compare what a command did; returns whether a reader can go on."""
        lines = tuple(output.rstrip().splitlines())
        bindings = matched(command.shown, lines, self.bindings) if command.shown else self.bindings
        self.found.append(Found(command, status, lines, bindings is not None))
        if status != command.status:
            self.refuse(command, f"it ends with status {status} instead of {command.status}:\n{output}")
        elif bindings is None:
            self.refuse(
                command, f"it shows something else (-: the page, +: the machine)\n{self._difference(command, lines)}"
            )
        else:
            self.bindings = bindings
        return status == command.status

    def _difference(self, command: Command, lines: tuple[str, ...]) -> str:
        """Only true differences: a line that is right is shown as it is on the page."""
        real = []
        for line in lines:
            same = (shown for shown in command.shown if alike(shown, line, self.bindings) is not None)
            real.append(next(same, self.bindings.shown(line)))
        return "\n".join(line for line in ndiff(command.shown, real) if not line.startswith("?"))

    def refuse(self, step: Step, what: str) -> None:
        """Note a fault at a step."""
        self.faults.append(f"{self.page.path}:{step.line}: $ {step.text}\n{what}")


def read_on(page: Page, seats: Mapping[str, Seat], tell: Callable[[str], None] = lambda _: None) -> Reading:
    """Follow a page at these seats, by the prompt for each; `tell` gets what happens."""
    reading = Reading(page, Bindings(fixed=addresses(page.typed)))
    with ExitStack() as stack:
        shells = {name: stack.enter_context(shell(seat)) for name, seat in seats.items()}
        for step in page.steps:
            if not _done(step, shells, reading, tell):
                break
    return reading


def _done(step: Step, shells: Mapping[str, Shell], reading: Reading, tell: Callable[[str], None]) -> bool:
    match step:
        case Written():
            tell(f"--- {step.name}")
            for each in shells.values():
                _write(each.seat, step)
            return True
        case Hidden():
            command = Command(step.line, step.text, seat=step.seat)
        case Command():
            command = step
    tell(f"{step.seat}$ {step.text}")
    if step.seat not in shells:
        reading.refuse(step, f"there is no prompt {step.seat}$ here; there are: {', '.join(sorted(shells))}")
        return False
    try:
        status, output = shells[step.seat].run(step.text)
    except ShellError as error:
        reading.refuse(step, str(error))
        return False
    tell(output.rstrip("\n"))
    return reading.take(command, status, output)


def _write(seat: Seat, step: Written) -> None:
    """Write a file of the reader: below the directory in which they began, at its absolute path, or in their home.

    It belongs, as directories made for it do, to whom the directory above belongs.
    """
    name = step.name.replace("~", seat.home, 1) if step.name.startswith("~/") else step.name
    place = seat.machine.root / str(Path(seat.directory, name)).lstrip("/")
    made = [place, *(directory for directory in place.parents if not directory.exists())]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(step.text)
    owner = made[-1].parent.stat()
    for each in made:
        os.chown(each, owner.st_uid, owner.st_gid)
