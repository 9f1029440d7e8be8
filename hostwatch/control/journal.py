"""Writes the log that people follow: a line for each change of a hosts file, withheld line, fault and refused label."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NoReturn

import anyio
import anyio.lowlevel
import anyio.to_thread
from loguru import logger

from hostwatch.control.blocks import FileKey
from hostwatch.control.comparison import Comparison
from hostwatch.control.figures import FileFigures
from hostwatch.control.recorder import Finding, Recorder
from hostwatch.core.block import hostsfile
from hostwatch.core.block.differences import (
    MOST_SHOWN,
    NameChange,
    name_changes,
    no_longer_withheld,
    shortened,
    texts,
    withheld_since,
)
from hostwatch.core.block.forms import form_of
from hostwatch.core.block.records import Block
from hostwatch.core.model import ContainerKey, FileKind
from hostwatch.core.store.selection import LabelFault
from hostwatch.core.store.store import Store

_LOOKS, _LOOK_SECONDS = 20, 0.005
"""Checks for files that still wait, and the time between two checks. Lines wait for files for a tenth of a second at
most."""
_LAST_SECONDS = 1.0
"""The time for the file of the history to be opened once more, when the daemon ends."""
_STEP = 8
"""Lines that are written between two steps of the event loop."""
_SHORT = 1 << 14
"""Bytes that are parsed between two steps of the event loop; a longer text is parsed in a thread."""
_FEW = 300
"""Records that are compared between two steps of the event loop, in a millisecond; more are compared in a thread."""


class ChangeJournal:
    """The lines about hosts files, their history and figures. Written while no file waits, as 100 lines take 5 ms."""

    def __init__(self, is_busy: Callable[[], bool], recorder: Recorder, figures: FileFigures) -> None:
        self._is_busy = is_busy
        self._recorder = recorder
        self._figures = figures
        self._noted = anyio.Event()
        self._notes: deque[tuple[Comparison | FileKey, float]] = deque()
        """Comparisons, and the keys of files that are gone, with the time of each (seconds since the epoch)."""

    def note(self, comparison: Comparison) -> None:
        """Have its lines written soon."""
        self._notes.append((comparison, time.time()))
        self._noted.set()

    def note_end(self, key: ContainerKey, kind: FileKind) -> None:
        """A container is gone, and its file with it."""
        self._notes.append((FileKey(key, kind.value), time.time()))
        self._noted.set()

    async def run(self) -> NoReturn:
        """Write the lines of noted comparisons, for ever. The last ones are written when this is cancelled."""
        async with self._recorder.recording():
            await self._write_for_ever()

    async def write_last(self) -> None:
        """Write what was noted since `run` has ended, to the file of the history, too."""
        with anyio.move_on_after(_LAST_SECONDS, shield=True):
            async with self._recorder.recording():
                await self._recorder.ready()
                await self._write_all()

    async def _write_for_ever(self) -> NoReturn:
        try:
            while True:
                await self._noted.wait()
                self._noted = anyio.Event()
                for _ in range(_LOOKS):
                    if not self._is_busy():
                        break
                    await anyio.sleep(_LOOK_SECONDS)
                await self._write_all()
        finally:
            with anyio.CancelScope(shield=True):
                await self._write_all()

    async def _write_all(self) -> None:
        count = 0
        while self._notes:
            note, at = self._notes.popleft()
            if isinstance(note, Comparison):
                await self._write(note, at)
            else:
                self._recorder.ended(note, at)
            count += 1
            if count % _STEP == 0:
                await anyio.lowlevel.checkpoint()

    async def _write(self, note: Comparison, at: float) -> None:
        finding = Finding(at, note.block, ())
        if note.text is not None:
            found = note.before or await block_in(note.text, note.kind) or Block()
            finding = Finding(at, found, await _changes(found, note.block))
            self._figures.count(note.seconds, heals_drift=note.heals_drift)
            log_change(note, finding.names)
        log_withheld(_told(note), note.known, note.block)
        self._recorder.compared(note, finding)


async def block_in(text: bytes, kind: FileKind = FileKind.HOSTS) -> Block | None:
    """The block in a text. A long text, by which a container could stall the event loop, is parsed in a thread."""
    if len(text) <= _SHORT:
        return hostsfile.found(text, form_of(kind))
    return await anyio.to_thread.run_sync(hostsfile.found, text, form_of(kind))


async def _changes(before: Block, after: Block) -> tuple[NameChange, ...]:
    """The names with other addresses."""
    if len(before.records) + len(after.records) <= _FEW:
        return name_changes(before, after)
    return await anyio.to_thread.run_sync(name_changes, before, after)


def log_change(written: Comparison, listed: Sequence[NameChange]) -> None:
    """Log that a hosts file was written, with the names that have other addresses now.

    The line is at DEBUG if the write changed no name (only the reason of a withheld line, say), or is `quiet`.
    """
    logger.bind(
        subscriber=written.subscriber,
        file=written.kind.value,
        cause=written.cause,
        changes=[
            {"name": change.name, "old": texts(change.old), "new": texts(change.new)} for change in listed[:MOST_SHOWN]
        ],
        ms=round(written.seconds * 1000, 1),
    ).log(
        "INFO" if listed and not written.quiet else "DEBUG",
        "{}: {} ({}, {:.1f} ms)",
        _told(written),
        "; ".join(shortened(listed)) or "only comments changed",
        written.cause,
        written.seconds * 1000,
    )


def _told(note: Comparison) -> str:
    """The subscriber, with the file if that is not its hosts file."""
    return note.subscriber if note.kind is FileKind.HOSTS else f"{note.subscriber}: {note.kind.title}"


def log_withheld(subscriber: str, before: Block, after: Block) -> None:
    """Log each template line that is withheld from now on, or no longer."""
    begun, ended = withheld_since(before, after), no_longer_withheld(before, after)
    for withheld in begun[:MOST_SHOWN]:
        line, reason = withheld.line, withheld.reason
        logger.bind(subscriber=subscriber, line=line, reason=reason).info(
            "{}: withheld: {} ({})", subscriber, line, reason
        )
    for line in ended[:MOST_SHOWN]:
        logger.bind(subscriber=subscriber, line=line).info("{}: no longer withheld: {}", subscriber, line)
    for lines, what in ((begun, "withheld"), (ended, "no longer withheld")):
        if len(lines) > MOST_SHOWN:
            logger.bind(subscriber=subscriber).info("{}: {}: and {} more", subscriber, what, len(lines) - MOST_SHOWN)


def log_removed(removed: list[str], left: list[str]) -> None:
    """Log the blocks that were removed at the end (`on_exit: remove`), and those that no time was left for."""
    if removed:
        logger.bind(removed=shortened(removed)).info("blocks removed: {}", ", ".join(shortened(removed)))
    if left:
        logger.bind(left=shortened(left)).warning(
            "no time was left to remove the blocks of {}", ", ".join(shortened(left))
        )


class LabelJournal:
    """Logs each refused label of a container once."""

    def __init__(self) -> None:
        self._logged: dict[ContainerKey, tuple[LabelFault, ...]] = {}

    def tell(self, key: ContainerKey, store: Store) -> None:
        """Log a container's refused labels, unless they are logged already. Forget a container that is gone."""
        container, faults = store.container(key), store.roles(key).faults
        if container is None:
            self._logged.pop(key, None)
            return
        if not faults or self._logged.get(key) == faults:
            return
        self._logged[key] = faults
        for fault in faults:
            logger.bind(container=container.name, label=fault.label, reason=fault.reason).warning(
                "{}: {}", container.name, fault
            )
