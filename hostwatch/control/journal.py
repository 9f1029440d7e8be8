"""Writes the log that people follow: a line for each change of a hosts file, withheld line, fault and refused label."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

import anyio
import anyio.lowlevel
import anyio.to_thread
from loguru import logger

from hostwatch.core.block import hostsfile
from hostwatch.core.block.records import Block, Record, without_common
from hostwatch.core.model import Address, ContainerKey
from hostwatch.core.store.selection import LabelFault
from hostwatch.core.store.store import Store

_LOOKS, _LOOK_SECONDS = 20, 0.005
"""Checks for files that still wait, and the time between two checks. Lines wait for files for a tenth of a second at
most."""
_STEP = 8
"""Lines that are written between two steps of the event loop."""
_SHORT = 1 << 14
"""Bytes that are parsed between two steps of the event loop; a longer text is parsed in a thread."""
_MOST_SHOWN = 100
"""A line shows at most this many names, and addresses of a name: a container may put thousands between the markers."""


@dataclass(frozen=True, slots=True)
class NameChange:
    """A name's addresses before and after; empty if the name is new, or gone."""

    name: str
    old: tuple[Address, ...]
    new: tuple[Address, ...]

    @property
    def addresses(self) -> frozenset[Address]:
        """The addresses that came or went. If only their order changed, all of them, as most programs use the first."""
        return frozenset(self.old) ^ frozenset(self.new) or frozenset(self.new)

    def __str__(self) -> str:
        return f"{self.name} {_listed(self.old)} → {_listed(self.new)}"


def name_changes(before: Block, after: Block) -> tuple[NameChange, ...]:
    """The differences between the names of two blocks, in the order of the newer one."""
    old, new = map(_by_name, without_common(before, after))
    return tuple(
        NameChange(name, old.get(name, ()), new.get(name, ()))
        for name in dict.fromkeys([*new, *old])
        if old.get(name) != new.get(name)
    )


class Comparison(NamedTuple):
    """The result of comparing a hosts file with its desired block."""

    subscriber: str
    cause: str
    text: bytes | None
    """The file's text before it was written; `None` if it was not."""
    before: Block | None
    """The block in that text; `None` if it has none, or was not parsed."""
    known: Block
    """The last known block."""
    block: Block
    """The block now."""
    seconds: float
    """The time from the arrival of the cause until the file was right."""
    quiet: bool = False
    """Whether the line is written at DEBUG."""


class ChangeJournal:
    """The lines about hosts files. They are written while no file waits, as 100 of them take 5 ms."""

    def __init__(self, is_busy: Callable[[], bool]) -> None:
        self._is_busy = is_busy
        self._noted = anyio.Event()
        self._notes: deque[Comparison] = deque()

    def note(self, comparison: Comparison) -> None:
        """Have its lines written soon."""
        self._notes.append(comparison)
        self._noted.set()

    async def run(self) -> NoReturn:
        """Write the lines of noted comparisons, for ever. The last ones are written when this is cancelled."""
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
            note = self._notes.popleft()
            if note.text is not None:
                log_change(note, note.before or await block_in(note.text) or Block())
            log_withheld(note.subscriber, note.known, note.block)
            count += 1
            if count % _STEP == 0:
                await anyio.lowlevel.checkpoint()


async def block_in(text: bytes) -> Block | None:
    """The block in a text. A long text, by which a container could stall the event loop, is parsed in a thread."""
    if len(text) <= _SHORT:
        return hostsfile.found(text)
    return await anyio.to_thread.run_sync(hostsfile.found, text)


def log_change(written: Comparison, before: Block) -> None:
    """Log that a hosts file was written. Its block was `before`.

    The line is at DEBUG if the write changed no name (only the reason of a withheld line, say), or is `quiet`.
    """
    listed = name_changes(before, written.block)
    logger.bind(
        subscriber=written.subscriber,
        cause=written.cause,
        changes=[
            {"name": change.name, "old": _texts(change.old), "new": _texts(change.new)}
            for change in listed[:_MOST_SHOWN]
        ],
        ms=round(written.seconds * 1000, 1),
    ).log(
        "INFO" if listed and not written.quiet else "DEBUG",
        "{}: {} ({}, {:.1f} ms)",
        written.subscriber,
        "; ".join(_short([*map(str, listed)])) or "only comments changed",
        written.cause,
        written.seconds * 1000,
    )


def log_withheld(subscriber: str, before: Block, after: Block) -> None:
    """Log each template line that is withheld from now on, or no longer."""
    old = {withheld.line: withheld.reason for withheld in before.withheld}
    new = {withheld.line: withheld.reason for withheld in after.withheld}
    begun = [line for line in new if line not in old]
    for line in begun[:_MOST_SHOWN]:
        logger.bind(subscriber=subscriber, line=line, reason=new[line]).info(
            "{}: withheld: {} ({})", subscriber, line, new[line]
        )
    ended = sorted(old.keys() - new.keys())
    for line in ended[:_MOST_SHOWN]:
        logger.bind(subscriber=subscriber, line=line).info("{}: no longer withheld: {}", subscriber, line)
    for lines, what in ((begun, "withheld"), (ended, "no longer withheld")):
        if len(lines) > _MOST_SHOWN:
            logger.bind(subscriber=subscriber).info("{}: {}: and {} more", subscriber, what, len(lines) - _MOST_SHOWN)


def log_removed(removed: list[str], left: list[str]) -> None:
    """Log the blocks that were removed at the end (`on_exit: remove`), and those that no time was left for."""
    if removed:
        logger.bind(removed=_short(removed)).info("blocks removed: {}", ", ".join(_short(removed)))
    if left:
        logger.bind(left=_short(left)).warning("no time was left to remove the blocks of {}", ", ".join(_short(left)))


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


def _by_name(records: Iterable[Record]) -> dict[str, tuple[Address, ...]]:
    names: dict[str, list[Address]] = {}
    for record in records:
        for name in record.names:
            names.setdefault(name, []).append(record.address)
    return {name: tuple(addresses) for name, addresses in names.items()}


def _listed(addresses: Iterable[Address]) -> str:
    return ",".join(_texts(addresses)) or "-"


def _texts(addresses: Iterable[Address]) -> list[str]:
    return _short([str(address) for address in addresses])


def _short(texts: list[str]) -> list[str]:
    return texts if len(texts) <= _MOST_SHOWN else [*texts[:_MOST_SHOWN], f"and {len(texts) - _MOST_SHOWN} more"]
