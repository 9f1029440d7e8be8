"""The judge: compares what the files say with what is true, was true, and could be known."""

import itertools
import math
from dataclasses import dataclass

import anyio

from hostwatch.control.informer.unread import UNREAD_SECONDS
from hostwatch.core.model import ContainerId
from tests.model.box import Box
from tests.model.oracle import LINGER_SECONDS, Ever, Oracle, Records, said
from tests.model.source import SimulatedSource

SETTLED_SECONDS = 8.5
"""After this time without trouble all is done: linger (2), a hint that nothing confirms (5), a late answer."""
_HEARD_SECONDS = 0.05
"""How long hostwatch may take to compare all files after changes were lost."""
_KNOWN_SECONDS = 6.0
"""How long after it could know hostwatch may keep an address of somebody else: it may have to read once more."""


@dataclass
class Circumstances:
    """What may be expected of hostwatch now."""

    is_running: bool = False
    """Whether there is a hostwatch."""
    calm: bool = True
    """Whether hostwatch was told of everything at once, since all files were last right."""
    untroubled: bool = True
    """Whether that was so all the time."""
    informed: bool = True
    """Whether the engine told hostwatch of everything at once, whatever became of files since."""
    heard_again: float = -math.inf
    """When hostwatch last found out that changes of files were lost."""
    slowest: float = 0.0
    """The slowest answer so far, in seconds."""
    healed: float = -math.inf
    """When the last fault was over, and what had failed was tried again at the latest."""
    seen_again: float = -math.inf
    """When the engine's directory was last put in the place of another one."""

    @property
    def settle_seconds(self) -> float:
        """How long after the last change all is done at the latest.

        One answer may be on its way, a second one be asked for meanwhile, and call a third and a fourth into question.
        """
        return SETTLED_SECONDS + 4 * self.slowest


class Judge:
    """Compares what the files say with what is true, was true, and could be known."""

    def __init__(self, source: SimulatedSource, oracle: Oracle, circumstances: Circumstances) -> None:
        self._source = source
        self._oracle = oracle
        self._circumstances = circumstances
        self._ever = Ever()
        self._said: dict[ContainerId, Records] = {}
        self._known: dict[ContainerId, Records] = {}
        """What each running application has read: at its start, if that took its time, or when it was last told."""
        self._given: dict[str, float] = {}
        """When each address was last given to somebody."""
        self._gone_at = 0.0
        """When a container was last removed."""
        self._configured_at = 0.0
        """When the configuration was last changed."""
        self._count = 0
        self.last_change = 0.0
        self.complaints: list[str] = []
        self.story: list[str] = []

    def tell(self, what: str) -> None:
        """Note something for whoever reads the story of a failure."""
        self.story.append(f"{anyio.current_time():9.4f}  {what}")

    def complain(self, what: str) -> None:
        """Note what must not be."""
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
        """Whether hostwatch was told some time ago that a record is not true any more."""
        since = anyio.current_time() - self._stale_seconds
        return self._circumstances.informed and not self._ever.was_true(box.id, name, address, since)

    def _nothing_is_known(self, box: Box, name: str, addresses: tuple[str, ...]) -> bool:
        """Whether nobody can have told hostwatch that the name's records are not true any more."""
        faults, now = self._source.faults, anyio.current_time()
        if name not in self._oracle.wanted(box):
            return False  # no line asks for it any more
        if any(since + UNREAD_SECONDS <= now for since in faults.refused.values()):
            return False  # what nobody can inspect for so long counts as the list says
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
        """How old what hostwatch is told may be: late events, slow answers, linger."""
        return LINGER_SECONDS + 4.0 + max(self._circumstances.slowest, SETTLED_SECONDS)

    def _is_refused(self, owner: Box, name: str) -> bool:
        """Whether the name is this container's alone, whose inspections fail since before anything last happened."""
        since = self._source.faults.refused.get(owner.name)
        if since is None or self._ever.claims.get(name) != {owner.id}:
            return False
        others = [self._gone_at, *(box.changed for box in self._oracle.engine.boxes.values() if box is not owner)]
        return max(others) + self._stale_seconds < since

    def runs(self, box: Box) -> None:
        """A container is about to run: its file is right, and so are those of others that name it."""
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
                    continue  # its aliases cannot be asked for during a start
                if (named or file is box) and found.get(name) != addresses:
                    self.complain(f"{box.name} runs and {file.name} says {name} {found.get(name)}, not {addresses}")

    def check_addresses(self) -> None:
        """No file may keep an address of somebody else, once hostwatch could know whose it is."""
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
        """Every file is right, once there is nothing more to wait for."""
        so = self._circumstances
        self.check_addresses()
        is_quiet = anyio.current_time() - max(self.last_change, so.healed) >= so.settle_seconds
        if so.calm and self._source.faults.none and is_quiet:
            self.check_files()

    def check_files(self) -> None:
        """Every file is what the contract says."""
        oracle = self._oracle
        for file in oracle.files():
            found, wanted, records = said(file.text or b""), oracle.wanted(file), oracle.records(file)
            if found.records != records:
                self.complain(f"{file.name} says {found.records}; the contract says {records}")
            if list(found.foreign) != file.foreign:
                self.complain(f"{file.name}: foreign lines {found.foreign} were {file.foreign}")
            if found.blocks != bool(wanted):
                self.complain(f"{file.name} has {found.blocks} blocks for the lines {[*wanted]}")
            for name in wanted.keys() - records.keys():
                if not any(name in line for line in found.withheld):
                    self.complain(f"{file.name} does not say why {name} is withheld")

    def check_notices(self) -> None:
        """Every application that wants to be told knows what its file says."""
        for file in self._oracle.files():
            now = said(file.text or b"").records
            known = self._known.get(file.id, now)
            changed = {a for name in {*known, *now} for a in {*known.get(name, ())} ^ {*now.get(name, ())}}
            # Nobody is told of what its own restart has brought about: of its own address.
            if file.recipe.notified and file.recipe.wants and changed - file.addresses:
                self.complain(f"{file.name} knows {known} and was not told of {now}")


def _pairs(records: Records) -> list[tuple[str, str]]:
    return list(itertools.chain(*([(name, address) for address in addresses] for name, addresses in records.items())))
