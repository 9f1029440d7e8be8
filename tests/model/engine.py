"""A simulated engine: its containers, networks, addresses and hosts files, in memory and in simulated time.

It does what real ones were seen to do: a start takes a while, rebuilds the hosts file first, gives the lowest free
address and tells of it late; a stopped container keeps its networks and loses its addresses. What becomes of its
events and answers on their way is `tests.model.source`.
"""

import hashlib
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio

from hostwatch.core.model import ContainerId, EngineId

Json = dict[str, Any]
ENGINE = EngineId("simulated")
"""The id of an engine at first."""
SUBNETS = {"bridge": "172.17.0.0/28", "back": "10.2.0.0/28", "front": "10.1.0.0/28"}
"""Few addresses, so that they are used again."""
SHADOW = "192.0.2.7"
"""The address that a container's own line (`extra_hosts`) gives to `db`."""


@dataclass(frozen=True)
class Recipe:
    """What a container is created with."""

    networks: tuple[tuple[str, str], ...] = (("front", ""),)
    """Each with the alias there, empty for none."""
    mode: str = ""
    """Empty for networks of its own; `host`; `container:NAME`."""
    wants: tuple[str, ...] = ()
    """The names that it has lines for; one makes it a subscriber."""
    names: str = ""
    """`hostwatch.names`."""
    compose: str = ""
    """`PROJECT/SERVICE`."""
    label: str = ""
    """The label `app`; with `conf` it is behind the service of the configuration."""
    only: str = ""
    """`hostwatch.network`."""
    checked: bool = False
    """Whether it has a healthcheck and `hostwatch.health: required`."""
    notified: bool = False
    """Whether it wants SIGHUP."""
    shadows: bool = False
    """Whether it has an `extra_hosts` line of its own for `db`."""

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        project, _, service = self.compose.partition("/")
        found = {
            "hostwatch.hosts": "\n".join(f"@{{{name}.ip}} {name}" for name in self.wants),
            "hostwatch.names": self.names,
            "hostwatch.network": self.only,
            "hostwatch.health": "required" if self.checked else "",
            "hostwatch.notify": "SIGHUP" if self.notified else "",
            "com.docker.compose.project": project,
            "com.docker.compose.service": service,
            "app": self.label,
        }
        return {label: value for label, value in found.items() if value}


@dataclass
class Place:
    """A container's place on a network."""

    alias: str
    address: str = ""
    """Empty while it has none."""


@dataclass(eq=False)
class Box:
    """A container."""

    id: ContainerId
    name: str
    recipe: Recipe
    created: float
    places: dict[str, Place]
    joined: ContainerId | None
    running: bool = False
    starting: bool = False
    started: str = "0001-01-01T00:00:00Z"
    health: str = "starting"
    foreign: list[str] = field(default_factory=list)
    """The lines of its hosts file that are nobody's but the engine's and the users'."""
    text: bytes | None = None
    """Its hosts file, `None` before the first start."""
    free: anyio.Event = field(default_factory=anyio.Event)
    """Set when no start is under way."""
    changed: float = 0.0
    """When it was last touched."""

    @property
    def has_run(self) -> bool:
        """Whether it was ever started."""
        return not self.started.startswith("0001")

    @property
    def short(self) -> str:
        """Its host name."""
        return self.id[:12]

    @property
    def addresses(self) -> set[str]:
        """The addresses that it has now."""
        return {place.address for place in self.places.values()} - {""}


Tell = Callable[[Json], None]
"""Passes on one event."""


class Engine:
    """The engine's whole state, and what can be done to it."""

    def __init__(self) -> None:
        self.boxes: dict[ContainerId, Box] = {}
        self.count = 0
        self.identity = ENGINE
        """Its id, which it has from a file of its own: without that it makes another one at its next start."""
        self.observe: Callable[[], None] = lambda: None
        """Called after each change of the state."""
        self.runs: Callable[[Box], None] = lambda _box: None
        """Called when a container is about to execute its first instruction, before anybody is told."""
        self.written: Callable[[ContainerId], None] = lambda _id: None
        """Called after each write of a hosts file."""

    def named(self, name: str) -> Box | None:
        """The container of that name."""
        return next((box for box in self.boxes.values() if box.name == name), None)

    # What can be done.

    def create(self, name: str, recipe: Recipe, tell: Tell) -> Box | None:
        """Create a container; `None` where the engine refuses."""
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
        tell(self._event(box, "create", recipe.labels))
        return box

    async def start(self, box: Box, tell: Tell, gap: float, fails: bool = False, rebuilds_twice: bool = False) -> None:
        """Start a container: its file, its addresses, the events, each a moment after the other."""
        if box.running or box.starting or not self._may_start(box):
            return
        box.starting, box.free = True, anyio.Event()
        if box.joined is None:
            self._rebuild(box)
            for network, place in box.places.items():
                place.address = self._lowest_free(network)
                box.foreign.append(f"{place.address}\t{box.short}")
                self._settled(box)
                self._rebuild(box)
                await anyio.sleep(gap / 4)
            for network in box.places:
                tell(self._network_event(box, network, "connect"))
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
            if gap:  # else nobody had the time to do anything
                self.runs(box)
            tell(self._event(box, "start"))
        self._settled(box)

    def stop(self, box: Box, tell: Tell) -> None:
        """Its processes have ended."""
        if not box.running:
            return
        box.running = False
        tell(self._event(box, "die"))
        for network, place in box.places.items():
            if place.address:
                tell(self._network_event(box, network, "disconnect"))
        self._release(box)
        self._settled(box)

    def remove(self, box: Box, tell: Tell) -> None:
        """Remove it, by force if it runs."""
        self.stop(box, tell)
        del self.boxes[box.id]
        self._settled(box)
        tell(self._event(box, "destroy"))

    def rename(self, box: Box, name: str, tell: Tell) -> None:
        """Give it another name."""
        if self.named(name) is None:
            old, box.name = box.name, name
            self._settled(box)
            tell(self._event(box, "rename", {"oldName": f"/{old}"}))

    def connect(self, box: Box, network: str, alias: str, tell: Tell) -> None:
        """Connect it to one more network; of a stopped one nothing is told."""
        if box.recipe.mode or network in box.places:
            return
        box.places[network] = Place(alias)
        if box.running:
            place = box.places[network]
            place.address = self._lowest_free(network)
            self._append(box, f"{place.address}\t{box.short}")
            tell(self._network_event(box, network, "connect"))
        self._settled(box)

    def disconnect(self, box: Box, network: str, tell: Tell) -> None:
        """Disconnect it from a network; of a stopped one nothing is told."""
        place = box.places.pop(network, None)
        if place is None:
            return
        if box.running:
            own = f"{place.address}\t{box.short}"
            box.foreign = [line for line in box.foreign if line != own]
            self._write(box, b"".join(line for line in _lines(box) if line != own.encode() + b"\n"))
            tell(self._network_event(box, network, "disconnect"))
        self._settled(box)

    def examine(self, box: Box, health: str, tell: Tell) -> None:
        """Its healthcheck says something else."""
        if box.recipe.checked and box.running and box.health != health:
            box.health = health
            self._settled(box)
            tell(self._event(box, f"health_status: {health}"))

    def edit(self, box: Box, how: str) -> None:
        """Somebody edits its hosts file."""
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
            case "forge":  # as if the engine had given it another address
                self._append(box, f"10.1.0.6\t{box.short}")
        self._settled(box)

    def tell_again(self, box: Box, tell: Tell) -> None:
        """An event of long ago comes once more."""
        tell(self._event(box, "start"))

    # How that is done.

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

    # What it says.

    def inspected(self, box: Box) -> Json:
        """`GET /containers/{id}/json`."""
        state: Json = {"Running": box.running, "StartedAt": box.started, "Status": _status(box)}
        config: Json = {"Labels": box.recipe.labels, "Image": "busybox", "Hostname": box.short}
        if box.recipe.checked:
            state["Health"], config["Healthcheck"] = {"Status": box.health}, {"Test": ["CMD", "true"]}
        created = datetime.fromtimestamp(box.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        base = {"Id": box.id, "Name": f"/{box.name}", "Created": created, "State": state, "Config": config}
        return base | self._network_settings(box, box.running, aliases=True)

    def listed(self, box: Box) -> Json:
        """Its entry in `GET /containers/json`."""
        state = _status(box)
        base: Json = {"Id": box.id, "Names": [f"/{box.name}"], "Labels": box.recipe.labels, "Image": "busybox"}
        status = f"Up 1 second ({box.health})" if box.running and box.recipe.checked else "Up 1 second"
        base |= {"Created": int(box.created), "State": state, "Status": status if box.running else "Exited (0)"}
        return base | self._network_settings(box, box.running, aliases=False)

    def _network_settings(self, box: Box, is_running: bool, aliases: bool) -> Json:
        networks: Json = {}
        for name, place in box.places.items():
            # Before the first start the network's id is not told (20.10), during a start its address.
            settings = {"NetworkID": network_id(name) if box.text is not None else "", "IPAddress": ""}
            if is_running and place.address:
                settings |= {"IPAddress": place.address, "Gateway": gateway(name)}
            networks[name] = settings | ({"Aliases": [place.alias] if place.alias else None} if aliases else {})
        mode = f"container:{box.joined}" if box.joined else box.recipe.mode or "front"
        return {"HostConfig": {"NetworkMode": mode}, "NetworkSettings": {"Networks": networks}}

    def network(self, name: str) -> Json:
        """`GET /networks/{id}`, which knows a container that is being started too."""
        members = {
            box.id: {"Name": box.name, "IPv4Address": f"{box.places[name].address}/28"}
            for box in self.boxes.values()
            if name in box.places and box.places[name].address
        }
        config = {"Subnet": SUBNETS[name], "Gateway": gateway(name)}
        base = {"Id": network_id(name), "Name": name, "Driver": "bridge"}
        return base | {"IPAM": {"Config": [config]}, "Containers": members}

    def _event(self, box: Box, action: str, more: dict[str, str] | None = None) -> Json:
        attributes = {"name": box.name, "image": "busybox"} | box.recipe.labels | (more or {})
        return {"Type": "container", "Action": action, "Actor": {"ID": box.id, "Attributes": attributes}}

    def _network_event(self, box: Box, network: str, action: str) -> Json:
        attributes = {"name": network, "container": box.id}
        return {"Type": "network", "Action": action, "Actor": {"ID": network_id(network), "Attributes": attributes}}


def _status(box: Box) -> str:
    return "running" if box.running else "exited" if box.has_run else "created"


def network_id(name: str) -> str:
    """The id of a network."""
    return hashlib.sha256(name.encode()).hexdigest()


def gateway(name: str) -> str:
    """The address of the host on a network."""
    return str(next(ipaddress.ip_network(SUBNETS[name]).hosts()))


def _lines(box: Box) -> list[bytes]:
    return (box.text or b"").splitlines(keepends=True)
