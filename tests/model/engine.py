"""A simulated engine: its containers, networks, addresses and hosts files, in memory and in simulated time.

It behaves as real engines do: a start takes a while, rebuilds the hosts file first, gives the lowest free address and
publishes it late; a stopped container keeps its networks and loses its addresses. `tests.model.source` delivers its
events and answers, with faults.
"""

import hashlib
import ipaddress
import time
from collections.abc import Callable
from datetime import UTC, datetime

import anyio

from hostwatch.core.model import ContainerId, EngineId
from tests.model.api import Json, event, network_event
from tests.model.box import SUBNETS, Box, Place, Recipe

ENGINE = EngineId("simulated")
"""The engine's first id."""
SHADOW = "192.0.2.7"
"""The address of `db` in a container's own line (`extra_hosts`)."""
Tell = Callable[[Json], None]
"""Passes on one event."""


class Engine:
    """The engine's whole state, and the operations on it."""

    def __init__(self) -> None:
        self.boxes: dict[ContainerId, Box] = {}
        self.count = 0
        self.identity = ENGINE
        """Its id. A real engine has it in a file, and makes another one if that file is missing at its start."""
        self.observe: Callable[[], None] = lambda: None
        """Called after each change of the state."""
        self.runs: Callable[[Box], None] = lambda _box: None
        """Called when a container is about to execute its first instruction, before any event."""
        self.written: Callable[[ContainerId], None] = lambda _id: None
        """Called after each write of a hosts file."""

    def named(self, name: str) -> Box | None:
        """The container with that name."""
        return next((box for box in self.boxes.values() if box.name == name), None)

    # Operations.

    def create(self, name: str, recipe: Recipe, tell: Tell) -> Box | None:
        """Create a container; `None` if the engine refuses."""
        other = self.named(recipe.mode.removeprefix("container:")) if recipe.mode.startswith("container:") else None
        if self.named(name) is not None or (recipe.mode.startswith("container:") and other is None):
            return None
        self.count += 1
        identity = ContainerId(hashlib.sha256(str(self.count).encode()).hexdigest())
        places = {network: Place(alias) for network, alias in recipe.networks} if not recipe.mode else {}
        joined = other.id if other is not None else None
        box = Box(identity, name, recipe, 1_800_000_000 + 0.3 * self.count, places, joined)
        self.boxes[identity] = box
        self._settled(box)
        tell(event(box, "create", recipe.labels))
        return box

    async def start(self, box: Box, tell: Tell, gap: float, fails: bool = False, rebuilds_twice: bool = False) -> None:
        """Start a container: first its file, then its addresses, then the events, with a pause after each."""
        if box.running or box.starting or not self._may_start(box):
            return
        box.starting, box.free, box.begun = True, anyio.Event(), anyio.current_time()
        if box.joined is None:
            self._rebuild(box)
            for network, place in box.places.items():
                place.address = self._lowest_free(network)
                box.foreign.append(f"{place.address}\t{box.short}")
                self._settled(box)
                self._rebuild(box)
                await anyio.sleep(gap / 4)
            for network in box.places:
                tell(network_event(box, network, "connect"))
            await anyio.sleep(gap / 4)
            if rebuilds_twice:
                self._rebuild(box)
        await anyio.sleep(gap / 4)
        box.starting = False
        box.free.set()
        if fails:
            self._release(box)
        else:
            box.running, box.health = True, "starting"
            box.started = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            if gap:  # without a gap hostwatch had no time to do anything
                self.runs(box)
            tell(event(box, "start"))
        self._settled(box)

    def stop(self, box: Box, tell: Tell) -> None:
        """Stop a container: its processes have ended."""
        if not box.running:
            return
        box.running = False
        tell(event(box, "die"))
        for network, place in box.places.items():
            if place.address:
                tell(network_event(box, network, "disconnect"))
        self._release(box)
        self._settled(box)

    def remove(self, box: Box, tell: Tell) -> None:
        """Remove a container, by force if it runs."""
        self.stop(box, tell)
        del self.boxes[box.id]
        self._settled(box)
        tell(event(box, "destroy"))

    def rename(self, box: Box, name: str, tell: Tell) -> None:
        """Give a container another name."""
        if self.named(name) is None:
            old, box.name = box.name, name
            self._settled(box)
            tell(event(box, "rename", {"oldName": f"/{old}"}))

    def connect(self, box: Box, network: str, alias: str, tell: Tell) -> None:
        """Connect a container to one more network. There is no event if it is stopped."""
        if box.recipe.mode or network in box.places:
            return
        box.places[network] = Place(alias)
        if box.running:
            place = box.places[network]
            place.address = self._lowest_free(network)
            self._append(box, f"{place.address}\t{box.short}")
            tell(network_event(box, network, "connect"))
        self._settled(box)

    def disconnect(self, box: Box, network: str, tell: Tell) -> None:
        """Disconnect a container from a network. There is no event if it is stopped."""
        place = box.places.pop(network, None)
        if place is None:
            return
        if box.running:
            own = f"{place.address}\t{box.short}"
            box.foreign = [line for line in box.foreign if line != own]
            self._write(box, b"".join(line for line in _lines(box) if line != own.encode() + b"\n"))
            tell(network_event(box, network, "disconnect"))
        self._settled(box)

    def examine(self, box: Box, health: str, tell: Tell) -> None:
        """Change a container's health."""
        if box.recipe.checked and box.running and box.health != health:
            box.health = health
            self._settled(box)
            tell(event(box, f"health_status: {health}"))

    def edit(self, box: Box, how: str) -> None:
        """Edit a container's hosts file, as a user or a process of the container would."""
        if box.text is None or box.joined is not None:
            return
        lines = _lines(box)
        match how:
            case "wipe":
                box.foreign = []
                self._write(box, b"")
            case "unmark":
                self._write(box, b"".join(line for line in lines if line != b"# hostwatch: end\n"))
            case "lie":
                self._write(box, box.text.replace(b"10.1.0.", b"10.1.9."))
                box.foreign = [line.replace("10.1.0.", "10.1.9.") for line in box.foreign]
            case "shadow":
                self._append(box, "192.0.2.9 cache")
            case "forge" if box.running:  # the container writes a line as if the engine had given it another address
                self._append(box, f"10.1.0.6\t{box.short}")
        self._settled(box)

    def tell_again(self, box: Box, tell: Tell) -> None:
        """Repeat an old event."""
        tell(event(box, "start"))

    # Steps of the operations.

    def _may_start(self, box: Box) -> bool:
        if box.joined is None:
            return box.id in self.boxes
        other = self.boxes.get(box.joined)
        return box.id in self.boxes and other is not None and other.running

    def _release(self, box: Box) -> None:
        for place in box.places.values():
            place.address = ""

    def _lowest_free(self, network: str) -> str:
        taken = {address for box in self.boxes.values() for address in box.addresses}
        _, *hosts = ipaddress.ip_network(SUBNETS[network]).hosts()
        return next(str(host) for host in hosts if str(host) not in taken)

    def _rebuild(self, box: Box) -> None:
        own = [f"{place.address}\t{box.short}" for place in box.places.values() if place.address]
        extra = [f"{SHADOW}\tdb"] if box.recipe.shadows else []
        box.foreign = ["127.0.0.1\tlocalhost", *extra, *own]
        self._write(box, "".join(f"{line}\n" for line in box.foreign).encode())

    def _append(self, box: Box, line: str) -> None:
        box.foreign.append(line)
        self._write(box, (box.text or b"") + line.encode() + b"\n")

    def _write(self, box: Box, text: bytes) -> None:
        box.text = text
        self.written(box.id)

    def _settled(self, box: Box) -> None:
        box.changed = anyio.current_time()
        self.observe()


def _lines(box: Box) -> list[bytes]:
    return (box.text or b"").splitlines(keepends=True)
