"""An engine, hostwatch beside it, and the judge who watches both at every step."""

import itertools
import math
from collections.abc import Sequence

import anyio
from anyio.abc import TaskGroup

from hostwatch.control.informer.unread import UNREAD_SECONDS
from hostwatch.core.model import ContainerId
from tests.model.daemon import RESYNC_SECONDS, Hostwatch
from tests.model.directory import Directory
from tests.model.engine import Box, Engine, Tell
from tests.model.oracle import LINGER_SECONDS, Configuration, Ever, Oracle, Records, said
from tests.model.source import SimulatedSource

SETTLED_SECONDS = 8.5
"""After this time without trouble all is done: linger (2), a hint that nothing confirms (5), a late answer."""
_HEARD_SECONDS = 0.05
"""How long hostwatch may take to compare all files after changes were lost."""
_KNOWN_SECONDS = 6.0
"""How long after it could know hostwatch may keep an address of somebody else: it may have to read once more."""


class World:
    """The engine, hostwatch, and what may be expected of the files now."""

    def __init__(self, tasks: TaskGroup) -> None:
        self.tasks = tasks
        self.engine = Engine()
        self.source = SimulatedSource(self.engine, tasks)
        self.directory = Directory(self.source.faults)
        self.oracle = Oracle(self.engine)
        self.judge = Judge(self)
        self.engine.observe = self.judge.observe
        self.engine.runs = self.judge.runs
        self.engine.written = self._written
        self.source.signalled = self.judge.signalled
        self.hostwatch: Hostwatch | None = None
        self.calm = True
        """Whether hostwatch was told of everything at once, since all files were last right."""
        self.untroubled = True
        """Whether that was so all the time."""
        self.informed = True
        """Whether the engine told hostwatch of everything at once, whatever became of files since."""
        self.heard_again = -math.inf
        """When hostwatch last found out that changes of files were lost."""
        self.slowest = 0.0
        """The slowest answer so far, in seconds."""

    @property
    def now(self) -> float:
        """The time."""
        return anyio.current_time()

    # What steps do.

    def teller(self, fates: Sequence[str]) -> Tell:
        """What passes on the events of an operation."""
        if not set(fates) <= {"ok", "doubled"}:
            self.calm = self.informed = False
        return self.source.teller(fates)

    def start(self, box: Box, tell: Tell, gap: float, fails: bool = False, twice: bool = False) -> None:
        """Begin to start a container."""
        self.tasks.start_soon(self.engine.start, box, tell, gap, fails, twice)

    def heal(self) -> None:
        """End all faults."""
        self.source.go("")
        if self.source.faults.is_unheard:
            self.source.forget()
        self.source.faults.refused.clear()
        self.source.faults.slow.clear()
        self.source.faults.stuck_files.clear()
        self.source.faults.is_disk_full = False
        self.directory.heal()

    async def overflow(self, seconds: float) -> None:
        """Have hostwatch lose all changes of files for so long, and find out then."""
        if not self.source.faults.is_deaf:
            self.source.faults.is_deaf = True
            await anyio.sleep(seconds)
            self.source.faults.is_deaf = False
            self.heard_again = self.now
            if self.hostwatch is not None:
                self.hostwatch.hear_again()

    def adopt(self, configuration: Configuration) -> None:
        """Write another configuration, and send SIGHUP."""
        self.oracle.configuration = configuration
        self.judge.configured()
        if self.hostwatch is not None:
            self.hostwatch.adopt(configuration)

    def kill(self) -> None:
        """Kill hostwatch."""
        if self.hostwatch is not None:
            self.hostwatch.kill()
            self.hostwatch = None

    def run_again(self) -> None:
        """Start hostwatch if it does not run."""
        if self.hostwatch is None:
            self.hostwatch = Hostwatch(self.source, self.directory, self.judge, self.oracle.configuration)
            self.source.forget()
            self.tasks.start_soon(self.hostwatch.run)

    def _written(self, file: ContainerId) -> None:
        if self.hostwatch is not None:
            self.hostwatch.written(file)

    # What must hold.

    def check(self) -> list[str]:
        """What must hold after a step; returns the complaints."""
        self.calm &= self.source.faults.none and self.hostwatch is not None
        self.informed &= self.source.faults.is_engine_right and self.hostwatch is not None
        self.untroubled &= self.calm
        self.judge.check_addresses()
        if self.calm and self.now - self.judge.last_change >= SETTLED_SECONDS:
            self.judge.check_files()
        return self.judge.complaints

    async def settle(self) -> list[str]:
        """End all trouble and wait for one resync: then every file is right; returns the complaints."""
        self.heal()
        self.run_again()
        await anyio.sleep(RESYNC_SECONDS + 35.0)
        self.judge.check_files()
        self.judge.check_addresses()
        if self.untroubled:
            self.judge.check_notices()
        self.calm = True
        return self.judge.complaints


class Judge:
    """Compares what the files say with what is true, was true, and could be known."""

    def __init__(self, world: World) -> None:
        self._world = world
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
        self.story.append(f"{self._world.now:9.4f}  {what}")

    def complain(self, what: str) -> None:
        """Note what must not be."""
        self.tell(f"WRONG: {what}")
        self.complaints.append(what)

    def observe(self) -> None:
        """The engine's state has changed."""
        world = self._world
        self.last_change = world.now
        if len(world.engine.boxes) < self._count:
            self._gone_at = world.now
        self._count = len(world.engine.boxes)
        self._ever.note(world.oracle, world.now)
        for box in world.engine.boxes.values():
            if box.changed == world.now:
                self._given |= dict.fromkeys(box.addresses, world.now)
                if not box.running:
                    self._known.pop(box.id, None)

    def configured(self) -> None:
        """The configuration has changed."""
        self.last_change = self._configured_at = self._world.now

    def signalled(self, box: ContainerId) -> None:
        """An application was told to read its file again."""
        if (found := self._world.engine.boxes.get(box)) is not None and box in self._known:
            self.tell(f"{found.name} is told")
            self._known[box] = said(found.text or b"").records

    def wrote(self, box: Box, before: bytes, after: bytes) -> None:
        """hostwatch has written a file."""
        new, old = said(after).records, self._said.get(box.id, {})
        self._said[box.id] = new
        if before != after:
            self.tell(f"{box.name}: {said(before).records} -> {new}")
        for name, address in _pairs(new):
            if not self._ever.was_true(box.id, name, address):
                self.complain(f"{box.name} says {address} {name}, which was never true")
            elif (
                self._world.informed
                and address not in old.get(name, ())
                and not self._was_just_true(box, name, address)
            ):
                self.complain(f"{box.name} says {address} {name}, which is not true any more for long")
        for name in old.keys() - new.keys():
            if self._nothing_is_known(box, name, old[name]):
                self.complain(f"{box.name} lost {name} ({old[name]}) although nothing new was known")

    def _was_just_true(self, box: Box, name: str, address: str) -> bool:
        return self._ever.was_true(box.id, name, address, self._world.now - self._stale_seconds)

    def _nothing_is_known(self, box: Box, name: str, addresses: tuple[str, ...]) -> bool:
        """Whether nobody can have told hostwatch that the name's records are not true any more."""
        faults, now = self._world.source.faults, self._world.now
        if name not in self._world.oracle.wanted(box):
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
            return self._world.oracle.records(box).get(name) == addresses
        return any(self._is_refused(owner, name) for owner in self._world.engine.boxes.values())

    @property
    def _stale_seconds(self) -> float:
        """How old what hostwatch is told may be: late events, slow answers, linger."""
        return LINGER_SECONDS + 4.0 + max(self._world.slowest, SETTLED_SECONDS)

    def _is_refused(self, owner: Box, name: str) -> bool:
        """Whether the name is this container's alone, whose inspections fail since before anything last happened."""
        since = self._world.source.faults.refused.get(owner.name)
        if since is None or self._ever.claims.get(name) != {owner.id}:
            return False
        others = [self._gone_at, *(box.changed for box in self._world.engine.boxes.values() if box is not owner)]
        return max(others) + self._stale_seconds < since

    def runs(self, box: Box) -> None:
        """A container is about to run: its file is right, and so are those of others that name it."""
        world = self._world
        self._known[box.id] = said(box.text or b"").records
        others = [self._gone_at, self._configured_at]
        others += (other.changed for other in world.engine.boxes.values() if other is not box)
        is_calm = world.calm and world.hostwatch is not None and world.source.faults.none
        is_calm &= not world.source.faults.is_deaf and world.now - world.heard_again >= _HEARD_SECONDS
        if not is_calm or world.now - max(others) < SETTLED_SECONDS:
            return
        for file in world.oracle.files():
            found = said(file.text or b"").records
            for name, addresses in world.oracle.records(file).items():
                named = bool(box.addresses & set(addresses))
                if named and box.id not in world.source.known:
                    continue  # its aliases cannot be asked for during a start
                if (named or file is box) and found.get(name) != addresses:
                    self.complain(f"{box.name} runs and {file.name} says {name} {found.get(name)}, not {addresses}")

    def check_addresses(self) -> None:
        """No file may keep an address of somebody else, once hostwatch could know whose it is."""
        world = self._world
        if world.hostwatch is None or world.source.faults.is_unheard:
            return
        for owner in world.engine.boxes.values():
            answered = world.source.answered.get(owner.id, float("inf"))
            if owner.running and owner.changed <= answered <= world.now - _KNOWN_SECONDS:
                self._check_address(owner)

    def _check_address(self, owner: Box) -> None:
        for file in self._world.oracle.files():
            if self._world.source.faults.is_stuck(file.id):
                continue
            for name, address in _pairs(said(file.text or b"").records):
                sharing = [b.id for b in self._world.engine.boxes.values() if self._world.oracle.root(b) is owner]
                if address in owner.addresses and not self._ever.claims.get(name, set()) & set(sharing):
                    self.complain(f"{file.name} still says {address} {name}, which is {owner.name}'s by now")

    def check_files(self) -> None:
        """Every file is what the contract says."""
        oracle = self._world.oracle
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
        for file in self._world.oracle.files():
            now = said(file.text or b"").records
            known = self._known.get(file.id, now)
            changed = {a for name in {*known, *now} for a in {*known.get(name, ())} ^ {*now.get(name, ())}}
            # Nobody is told of what its own restart has brought about: of its own address.
            if file.recipe.notified and file.recipe.wants and changed - file.addresses:
                self.complain(f"{file.name} knows {known} and was not told of {now}")


def _pairs(records: Records) -> list[tuple[str, str]]:
    return list(itertools.chain(*([(name, address) for address in addresses] for name, addresses in records.items())))
