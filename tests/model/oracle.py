"""The oracle: the lines that each hosts file must hold by the contract, from the simulated engine's whole state.

It follows sections 5, 7 and 8 of the contract, for lines `@{NAME.ip} NAME`, and for every name in reach by
`tests.model.box.PATTERNS`. It shares no code with hostwatch and has no
index, no cache and no time: it goes through all containers for every name.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from hostwatch.core.model import ContainerId
from tests.model.box import Box, gateway
from tests.model.engine import Engine

CONFIGURED = "conf"
"""The service of the configuration. Its containers have this value in the label `app`."""

LINGER_SECONDS = 2.0
"""The longest linger of any configuration."""


@dataclass(frozen=True)
class Configuration:
    """The configuration file."""

    has_service: bool = True
    """Whether it has the service `CONFIGURED`."""
    subscriber: str = ""
    """The name of the container that subscribes by it; empty for none."""
    lines: tuple[str, ...] = ("cache", CONFIGURED)
    """The names that this subscriber requests lines for."""
    linger_seconds: float = LINGER_SECONDS

    def wants(self, box: Box) -> tuple[str, ...]:
        """The names that the configuration requests lines for in a container's file."""
        return self.lines if box.name == self.subscriber else ()


Records = dict[str, tuple[str, ...]]
"""The addresses of each name, in order."""


@dataclass(frozen=True)
class Said:
    """A parsed hosts file."""

    records: Records
    withheld: tuple[str, ...]
    foreign: tuple[str, ...]
    blocks: int


def said(text: bytes) -> Said:
    """A hosts file's text, parsed; its markers must be whole."""
    records: Records = {}
    withheld, foreign, blocks, inside = [], [], 0, False
    for line in text.decode().splitlines():
        if line == "# hostwatch: begin":
            inside, blocks = True, blocks + 1
        elif line == "# hostwatch: end":
            inside = False
        elif not inside:
            foreign.append(line)
        elif line.startswith("# withheld: "):
            withheld.append(line.removeprefix("# withheld: "))
        else:
            address, *names = line.split()
            for name in names:
                records[name] = (*records.get(name, ()), address)
    return Said(records, tuple(withheld), tuple(foreign), blocks)


class Oracle:
    """Computes each file's desired lines."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.configuration = Configuration()

    def root(self, box: Box) -> Box | None:
        """The owner of this container's network and hosts file."""
        while box.joined is not None:
            other = self.engine.boxes.get(box.joined)
            if other is None:
                return None
            box = other
        return box

    def _has_outlived(self, box: Box) -> bool:
        """Whether the container whose network it joined was started again since, so that its own network is dead."""
        root = self.root(box)
        return box.joined is not None and root is not None and box.running and box.started < root.started

    def files(self) -> list[Box]:
        """The containers with a hosts file that is kept now."""
        return [box for box in self.engine.boxes.values() if box.running and box.joined is None]

    def _readers(self, file: Box) -> list[Box]:
        sharing = sorted((box for box in self.engine.boxes.values() if self.root(box) is file), key=_order)
        return sorted(sharing, key=lambda box: box is not file)

    def publishes(self, file: Box) -> bool:
        """Whether one of the file's readers requests every name."""
        return any(box.recipe.publishes for box in self._readers(file))

    def wanted(self, file: Box) -> dict[str, Box]:
        """The names that the file's readers request lines for, each with the first reader that does."""
        found: dict[str, Box] = {}
        for box in self._readers(file):
            for name in (*self.configuration.wants(box), *box.recipe.wants):
                found.setdefault(name, box)
        return found

    def records(self, file: Box) -> Records:
        """The addresses of each name in the file."""
        found = {name: self._addresses(name, box) for name, box in self.wanted(file).items()}
        for reader in self._readers(file):
            if reader.recipe.publishes:
                made = self._published(reader)
                found |= {name: addresses for name, addresses in made.items() if addresses and not found.get(name)}
        bound = {name for line in file.foreign for name in line.split()[1:]}
        return {name: addresses for name, addresses in found.items() if addresses and name not in bound}

    def asks(self, file: Box, name: str) -> bool:
        """Whether the file's readers request a line with the name, or every name of that form."""
        return name in self.wanted(file) or (self.publishes(file) and name.endswith((".docker", ".d")))

    def _published(self, reader: Box) -> Records:
        """The addresses of each name that the patterns make of a container in reach."""
        near = [box for box in self.engine.boxes.values() if self._in_reach(reader, box)]
        names = {name for box in near for name in self._names(box, reader)}
        found = {f"{name}.docker": self._addresses(name, reader) for name in names}
        services = {box.recipe.compose for box in near if box.recipe.compose and box.has_run}
        for compose in services:
            project, _, service = compose.partition("/")
            members = [box for box in near if box.recipe.compose == compose and box.has_run]
            found[f"{service}.{project}.d"] = self._of_members(members, reader)
        return found

    def _names(self, box: Box, subscriber: Box) -> set[str]:
        """The names that a container in reach has for the subscriber."""
        configured = {CONFIGURED} if self._is_configured(box) else set[str]()
        if not box.has_run:
            return configured
        project, _, service = box.recipe.compose.partition("/")
        own = {service} if project == subscriber.recipe.compose.partition("/")[0] else set[str]()
        shared = self._networks(subscriber) & set(box.places)
        aliases = {box.places[network].alias for network in shared}
        return {box.name, *box.recipe.names.split(), *aliases, *own, *configured} - {""}

    def _addresses(self, name: str, subscriber: Box) -> tuple[str, ...]:
        return self._of_members(self._members(name, subscriber), subscriber)

    def _of_members(self, members: list[Box], subscriber: Box) -> tuple[str, ...]:
        found = (self.address(subscriber, box) for box in sorted(members, key=_order) if _is_up(box))
        return tuple(dict.fromkeys(address for address in found if address))

    def _members(self, name: str, subscriber: Box) -> list[Box]:
        """The containers of the name: those of the first tier that answers, unless several services claim it there.

        If all containers of a tier have ended, a name from the engine may answer, but no label.
        """
        have_ended = False
        for tier, claimants in self.claims(name, subscriber).items():
            if tier == "configuration" and name == CONFIGURED and self.configuration.has_service:
                return claimants
            if have_ended and tier not in ("container", "alias"):
                continue
            if running := [box for box in claimants if box.running]:
                return running if self._is_one_service(tier, name, subscriber, running) else []
            have_ended |= any(box.has_run for box in claimants)
        return []

    def claims(self, name: str, subscriber: Box) -> dict[str, list[Box]]:
        """The containers that claim the name, by tier."""
        boxes = list(self.engine.boxes.values())
        near = [box for box in boxes if self._in_reach(subscriber, box)]
        project = subscriber.recipe.compose.partition("/")[0]
        own = self._networks(subscriber)
        return {
            "configuration": [box for box in boxes if name == CONFIGURED and self._is_configured(box)],
            "compose": [box for box in boxes if project and box.recipe.compose == f"{project}/{name}"],
            "container": [box for box in near if box.name == name],
            "alias": [box for box in boxes if any(box.places[n].alias == name for n in own & set(box.places))],
            "label": [box for box in near if name in box.recipe.names.split()],
        }

    def _is_one_service(self, tier: str, name: str, subscriber: Box, claimants: list[Box]) -> bool:
        if tier == "compose" or len(claimants) == 1:
            return True
        if len({box.recipe.compose for box in claimants} | {""}) == 2 and all(b.recipe.compose for b in claimants):
            return True
        if all(map(self._is_configured, claimants)):
            return True
        own = self._networks(subscriber)
        return tier == "alias" and any(
            all(network in box.places and box.places[network].alias == name for box in claimants) for network in own
        )

    def _is_configured(self, box: Box) -> bool:
        return self.configuration.has_service and box.recipe.label == CONFIGURED

    def _networks(self, box: Box) -> set[str]:
        root = self.root(box)
        return set(root.places) if root is not None else set()

    def _in_reach(self, subscriber: Box, box: Box) -> bool:
        roots = (self.root(subscriber), self.root(box))
        if None in roots:
            return False
        if any(root is not None and root.recipe.mode == "host" for root in roots):
            return True
        return bool(self._networks(subscriber) & self._networks(box))

    def address(self, subscriber: Box, box: Box) -> str:
        """The address at which the subscriber reaches a container; empty for none."""
        source, target = self.root(subscriber), self.root(box)
        if source is None or target is None or self._has_outlived(subscriber) or self._has_outlived(box):
            return ""
        if target.recipe.mode == "host":
            if source.recipe.mode == "host":
                return "127.0.0.1"
            return next((gateway(network) for network in _by_preference(source.places)), "")
        networks = set(target.places)
        if source.recipe.mode != "host":
            networks &= set(source.places)
        if box.recipe.only:
            networks &= {box.recipe.only}
        found = (target.places[network].address for network in _by_preference(networks))
        return next((address for address in found if address), "")


def _by_preference(networks: Iterable[str]) -> list[str]:
    return sorted(networks, key=lambda name: (name == "bridge", name))


def _order(box: Box) -> tuple[float, str]:
    return (box.created, box.id)


def _is_up(box: Box) -> bool:
    return box.running and (not box.recipe.checked or box.health == "healthy")


@dataclass
class Ever:
    """All that was ever true: the most that may be written, regardless of lost and late events."""

    claims: dict[str, set[ContainerId]] = field(default_factory=dict)
    """The containers that ever claimed a name."""
    networks: dict[ContainerId, set[str]] = field(default_factory=dict)
    """The networks that a container was ever on; `host` for the host's network."""
    addresses: dict[ContainerId, dict[tuple[str, str], float]] = field(default_factory=dict)
    """The networks and addresses that a container ever had, each with the time at which it lost it."""

    def note(self, oracle: Oracle, now: float) -> None:
        """Add the present state."""
        for had in self.addresses.values():
            had |= {place: min(until, now) for place, until in had.items()}
        for box in oracle.engine.boxes.values():
            root = oracle.root(box)
            if root is None:
                continue
            on = {"host"} if root.recipe.mode == "host" else set(root.places)
            self.networks.setdefault(box.id, set()).update(on)
            found = {(network, place.address): math.inf for network, place in root.places.items() if place.address}
            self.addresses.setdefault(box.id, {}).update(found)
            names = {box.name, *box.recipe.names.split(), box.recipe.compose.partition("/")[2], box.recipe.label}
            names |= {place.alias for place in box.places.values()}
            project, _, service = box.recipe.compose.partition("/")
            for name in {*names, *(f"{name}.docker" for name in names), f"{service}.{project}.d"}:
                self.claims.setdefault(name, set()).add(box.id)

    def was_true(self, file: ContainerId, name: str, address: str, since: float = -math.inf) -> bool:
        """Whether a container of that name had the address since then, on a network that the file's readers were on."""
        own = self.networks.get(file, set())
        return any(self._reached(own, box, address, since) for box in self.claims.get(name, ()))

    def _reached(self, own: set[str], box: ContainerId, address: str, since: float) -> bool:
        if "host" in self.networks.get(box, ()):
            return address in {gateway(network) for network in own - {"host"}} | {"127.0.0.1"}
        return any(
            address == had and until >= since and (network in own or "host" in own)
            for (network, had), until in self.addresses[box].items()
        )
