"""The judge: compares the files' records with the true ones, the earlier ones, and those that hostwatch could know."""

import itertools
import math
from collections import Counter
from dataclasses import dataclass

import anyio

from hostwatch.control.informer.unread import UNREAD_SECONDS
from hostwatch.core.model import Container, ContainerId, ContainerKey
from tests.model.box import Box
from tests.model.oracle import LINGER_SECONDS, Ever, Oracle, Records, said
from tests.model.source import SimulatedSource

SETTLED_SECONDS = 8.5
"""After this time without trouble all work has ended: linger (2), an early address that stays unconfirmed (5), a late
answer."""
_HEARD_SECONDS = 0.05
"""hostwatch may take this long to compare all files after changes were lost."""
_KNOWN_SECONDS = 6.0
"""hostwatch may keep an address that is another container's by now, for this time after it could know that: it may have
to read once more."""
_MOST_LOOKS = 30
"""hostwatch may open a file so many times within a second, if much happens in it."""


@dataclass
class Circumstances:
    """The circumstances that decide how much can be expected of hostwatch now."""

    is_running: bool = False
    """Whether a hostwatch runs."""
    calm: bool = True
    """Whether hostwatch got every event and answer in time, since all files were last right."""
    untroubled: bool = True
    """Whether it was calm all the time, without a fault."""
    informed: bool = True
    """Whether the engine's events and answers all came in time; faults of files do not count."""
    heard_again: float = -math.inf
    """The time at which hostwatch last learned that changes of files were lost."""
    slowest: float = 0.0
    """The slowest answer so far, in seconds."""
    healed: float = -math.inf
    """The time at which the last fault was over, plus the longest back-off of a file."""
    seen_again: float = -math.inf
    """The time at which the engine's directory was last replaced by another one."""

    @property
    def settle_seconds(self) -> float:
        """The longest time from the last change until all work has ended.

        One answer may be under way, a second request may follow, and its answer may make two more containers stale.
        """
        return SETTLED_SECONDS + 4 * self.slowest


class Judge:
    """Compares the files' records with the true ones, the earlier ones, and those that hostwatch could know."""

    def __init__(self, source: SimulatedSource, oracle: Oracle, circumstances: Circumstances) -> None:
        self._source = source
        self._oracle = oracle
        self._circumstances = circumstances
        self._ever = Ever()
        self._said: dict[ContainerId, Records] = {}
        self._known: dict[ContainerId, Records] = {}
        """The records that each running application has read: at its start, or at its last notification."""
        self._given: dict[str, float] = {}
        """The time at which each address was last given to a container."""
        self._gone_at = 0.0
        """The time at which a container was last removed."""
        self._configured_at = 0.0
        """The time at which the configuration last changed."""
        self._looks: Counter[tuple[ContainerKey, int]] = Counter()
        """How often each file was opened in each second."""
        self._count = 0
        self.last_change = 0.0
        self.complaints: list[str] = []
        self.story: list[str] = []

    def tell(self, what: str) -> None:
        """Add a line to the story that a failure shows."""
        self.story.append(f"{anyio.current_time():9.4f}  {what}")

    def complain(self, what: str) -> None:
        """Note a violation."""
        self.tell(f"WRONG: {what}")
        self.complaints.append(what)

    def observe(self) -> None:
        """The engine's state has changed."""
        self.last_change = anyio.current_time()
        if len(self._oracle.engine.boxes) < self._count:
            self._gone_at = anyio.current_time()
        self._count = len(self._oracle.engine.boxes)
        self._ever.note(self._oracle, anyio.current_time())
        for box in self._oracle.engine.boxes.values():
            if box.changed == anyio.current_time():
                self._given |= dict.fromkeys(box.addresses, anyio.current_time())
                if not box.running:
                    self._known.pop(box.id, None)

    def configured(self) -> None:
        """The configuration has changed."""
        self.last_change = self._configured_at = anyio.current_time()

    def signalled(self, box: ContainerId) -> None:
        """An application was told to read its file again."""
        if (found := self._oracle.engine.boxes.get(box)) is not None and box in self._known:
            self.tell(f"{found.name} is told")
            self._known[box] = said(found.text or b"").records

    def looked(self, container: Container) -> None:
        """hostwatch opens a file. Whatever happens, it does not do so all the time."""
        second = int(anyio.current_time())
        self._looks[container.key, second] += 1
        if self._looks[container.key, second] == _MOST_LOOKS + 1:
            self.complain(f"{container.name} is looked at all the time")

    def wrote(self, box: Box, before: bytes, after: bytes) -> None:
        """hostwatch has written a file."""
        if self._source.faults.is_kept_elsewhere and before != after:
            self.complain(f"{box.name} was written, although another hostwatch keeps it")
        new, old = said(after).records, self._said.get(box.id, {})
        self._said[box.id] = new
        if before != after:
            self.tell(f"{box.name}: {said(before).records} -> {new}")
        for name, address in _pairs(new):
            if not self._ever.was_true(box.id, name, address):
                self.complain(f"{box.name} says {address} {name}, which was never true")
            elif address not in old.get(name, ()) and self._is_long_past(box, name, address):
                self.complain(f"{box.name} says {address} {name}, which has not been true for long")
        for name in old.keys() - new.keys():
            if self._nothing_is_known(box, name, old[name]):
                self.complain(f"{box.name} lost {name} ({old[name]}) although nothing new was known")

    def _is_long_past(self, box: Box, name: str, address: str) -> bool:
        """Whether hostwatch has known for some time that a record is not true any more."""
        since = anyio.current_time() - self._stale_seconds
        return self._circumstances.informed and not self._ever.was_true(box.id, name, address, since)

    def _nothing_is_known(self, box: Box, name: str, addresses: tuple[str, ...]) -> bool:
        """Whether hostwatch had no way to know that the name's records are not true any more."""
        faults, now = self._source.faults, anyio.current_time()
        if not self._oracle.asks(box, name):
            return False  # no line requests it any more
        if any(since + UNREAD_SECONDS <= now for since in faults.refused.values()):
            return False  # a container that cannot be inspected for so long is taken from the list
        bound = any(name in line.split()[1:] for line in box.foreign)
        since = faults.since if faults.away else now - self._stale_seconds
        if (
            bound
            or self._configured_at >= since
            or any(self._given.get(address, 0.0) >= since for address in addresses)
        ):
            return False
        if faults.away and now > faults.since + LINGER_SECONDS + 0.1:
            return True
        if now - self.last_change > self._stale_seconds:
            return self._oracle.records(box).get(name) == addresses
        return any(self._is_refused(owner, name) for owner in self._oracle.engine.boxes.values())

    @property
    def _stale_seconds(self) -> float:
        """The greatest age of hostwatch's facts: late events, slow answers, linger."""
        return LINGER_SECONDS + 4.0 + max(self._circumstances.slowest, SETTLED_SECONDS)

    def _is_refused(self, owner: Box, name: str) -> bool:
        """Whether only this container ever had the name, and others were long unchanged when its inspections failed."""
        since = self._source.faults.refused.get(owner.name)
        if since is None or self._ever.claims.get(name) != {owner.id}:
            return False
        others = [self._gone_at, *(box.changed for box in self._oracle.engine.boxes.values() if box is not owner)]
        return max(others) + self._stale_seconds < since

    def runs(self, box: Box) -> None:
        """A container is about to run: its file must be right, and so must the files that name it."""
        self._known[box.id] = said(box.text or b"").records
        others = [self._gone_at, self._configured_at]
        others += (other.changed for other in self._oracle.engine.boxes.values() if other is not box)
        so, now, faults = self._circumstances, anyio.current_time(), self._source.faults
        is_heard = not faults.is_deaf and now - so.heard_again >= _HEARD_SECONDS
        is_seen = box.begun - so.seen_again >= _HEARD_SECONDS
        if not (so.calm and so.is_running and faults.none and is_heard and is_seen):
            return
        if now - max(*others, so.healed) < so.settle_seconds:
            return
        for file in self._oracle.files():
            found = said(file.text or b"").records
            for name, addresses in self._oracle.records(file).items():
                named = bool(box.addresses & set(addresses))
                if named and box.id not in self._source.known:
                    continue  # its aliases cannot be read during a start
                if (named or file is box) and found.get(name) != addresses:
                    self.complain(f"{box.name} runs and {file.name} says {name} {found.get(name)}, not {addresses}")

    def check_addresses(self) -> None:
        """No file may keep an address that belongs to another container, once hostwatch could know that."""
        faults = self._source.faults
        if not self._circumstances.is_running or faults.is_unheard or faults.is_kept_elsewhere:
            return
        for owner in self._oracle.engine.boxes.values():
            answered = self._source.answered.get(owner.id, float("inf"))
            if owner.running and owner.changed <= answered <= anyio.current_time() - _KNOWN_SECONDS:
                self._check_address(owner)

    def _check_address(self, owner: Box) -> None:
        for file in self._oracle.files():
            if self._source.faults.is_stuck(file.id):
                continue
            for name, address in _pairs(said(file.text or b"").records):
                sharing = [b.id for b in self._oracle.engine.boxes.values() if self._oracle.root(b) is owner]
                if address in owner.addresses and not self._ever.claims.get(name, set()) & set(sharing):
                    self.complain(f"{file.name} still says {address} {name}, which is {owner.name}'s by now")

    def check_calm(self) -> None:
        """Every file must be right, once all work has ended."""
        so = self._circumstances
        self.check_addresses()
        is_quiet = anyio.current_time() - max(self.last_change, so.healed) >= so.settle_seconds
        if so.calm and self._source.faults.none and is_quiet:
            self.check_files()

    def check_files(self) -> None:
        """Every file must hold the lines of the contract."""
        oracle = self._oracle
        for file in oracle.files():
            found, wanted, records = said(file.text or b""), oracle.wanted(file), oracle.records(file)
            if found.records != records:
                self.complain(f"{file.name} says {found.records}; the contract says {records}")
            if list(found.foreign) != file.foreign:
                self.complain(f"{file.name}: foreign lines {found.foreign} were {file.foreign}")
            has_line = bool(wanted) or (oracle.publishes(file) and bool(found.records or found.withheld))
            if found.blocks != has_line:
                self.complain(f"{file.name} has {found.blocks} blocks for the lines {[*wanted]}")
            for name in wanted.keys() - records.keys():
                if not any(name in line for line in found.withheld):
                    self.complain(f"{file.name} does not say why {name} is withheld")

    def check_notices(self) -> None:
        """Every application that requests a notification must know the records in its file."""
        for file in self._oracle.files():
            now = said(file.text or b"").records
            known = self._known.get(file.id, now)
            changed = {a for name in {*known, *now} for a in {*known.get(name, ())} ^ {*now.get(name, ())}}
            # An application gets no notification of its own address, which its own restart has changed.
            if file.recipe.notified and file.recipe.wants and changed - file.addresses:
                self.complain(f"{file.name} knows {known} and was not told of {now}")


def _pairs(records: Records) -> list[tuple[str, str]]:
    return list(itertools.chain(*([(name, address) for address in addresses] for name, addresses in records.items())))
