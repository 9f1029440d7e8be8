"""A simulated engine: a real HTTP server on a unix socket, with any number of containers, made from a seed.

It answers the requests of hostwatch (`/_ping`, `/version`, `/info`, `/events`, containers and networks). The answers
are the recorded ones of a real engine with other names, ids and addresses, and `validated` compares their form with
these. They are filled in as bytes, because the simulation must be faster than a real engine. The last 256 events are
replayed for `since=`. Filters of events are ignored, as there are no other events.

Projects have ten containers each and a network of their own. One container of each project is a subscriber.
"""

import asyncio
import contextlib
import ipaddress
import json
import random
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web

RECORDINGS = Path(__file__).parent / "recordings"
PROJECT = 10
_MARK = "10.99.0.6"
_KEPT_EVENTS = 256


def recorded(name: str) -> Any:
    """A recorded answer, which the caller may change."""
    return json.loads(_text(name))


@cache
def _text(name: str) -> str:
    return (RECORDINGS / f"{name}.json").read_text()


@dataclass
class Box:
    """A container of the simulation, on one network or on none at the moment."""

    id: str
    name: str
    project: str
    service: str
    network: str
    network_id: str
    gateway: str
    address: str | None
    labels: dict[str, str]


@dataclass
class World:
    """All containers and networks, the last events, and their listeners."""

    boxes: dict[str, Box] = field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_service: dict[tuple[str, str], Box] = field(default_factory=dict)
    members: defaultdict[str, list[Box]] = field(default_factory=lambda: defaultdict(list))
    """The containers of each network, by its id."""
    events: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=_KEPT_EVENTS))
    listeners: list[asyncio.Queue[bytes]] = field(default_factory=list)

    @property
    def subscribers(self) -> list[Box]:
        """The containers that request lines."""
        return [box for box in self.boxes.values() if "hostwatch.hosts" in box.labels]

    def add(self, box: Box) -> None:
        """Add a container."""
        self.boxes[box.id] = self.by_service[box.project, box.service] = box
        self.members[box.network_id].append(box)

    def tell(self, happened: dict[str, Any]) -> None:
        """Send an event to all listeners."""
        line = _json(happened) + b"\n"
        self.events.append((happened["timeNano"], line))
        for queue in self.listeners:
            queue.put_nowait(line)


def world(count: int, root: Path, seed: int = 1) -> World:
    """So many containers, with their hosts files below `root`."""
    chance = random.Random(seed)
    made = World()
    subnets = ipaddress.IPv4Network("10.0.0.0/8").subnets(new_prefix=27)
    for number in range(-(-count // PROJECT)):
        project, subnet = f"shop{number}", next(subnets)
        gateway, *addresses = map(str, subnet.hosts())
        network = recorded("networks")
        network |= {"Name": f"{project}_default", "Id": f"{chance.getrandbits(256):064x}", "Containers": {}}
        network["IPAM"]["Config"] = [{"Subnet": str(subnet), "Gateway": gateway}]
        made.networks[network["Id"]] = network
        for place in range(min(PROJECT, count - number * PROJECT)):
            service = "web" if place == 0 else "db" if place == 1 else f"app{place}"
            box = Box(
                id=f"{chance.getrandbits(256):064x}",
                name=f"{project}-{service}-1",
                project=project,
                service=service,
                network=network["Name"],
                network_id=network["Id"],
                gateway=gateway,
                address=addresses[place],
                labels=_labels(project, service),
            )
            made.add(box)
            hosts_file = root / "containers" / box.id / "hosts"
            hosts_file.parent.mkdir(parents=True)
            hosts_file.write_text(f"127.0.0.1\tlocalhost\n{box.address}\t{box.id[:12]}\n")
    return made


def _labels(project: str, service: str) -> dict[str, str]:
    labels: dict[str, str] = recorded("listed")["Labels"]
    labels |= {"com.docker.compose.project": project, "com.docker.compose.service": service}
    labels |= {"hostwatch.hosts": "@{db.ip} db\n@{app2.ip} app2"}
    if service != "web":
        del labels["hostwatch.hosts"]
    return labels


def wanted(made: World, box: Box) -> str:
    """The desired block of a subscriber's file."""
    lines = [f"{made.by_service[box.project, name].address:<16}{name}" for name in ("db", "app2")]
    return "\n".join(["# hostwatch: begin", *lines, "# hostwatch: end"])


def free_address(made: World, box: Box, number: int) -> str:
    """A free address of the container's network, a different one for each number in a row."""
    (config,) = made.networks[box.network_id]["IPAM"]["Config"]
    free = list(ipaddress.IPv4Network(config["Subnet"]).hosts())[PROJECT + 1 :]
    return str(free[number % len(free)])


def disconnect(made: World, box: Box) -> None:
    """Disconnect a container from its network, with the engine's event."""
    box.address = None
    made.tell(event("event-network-disconnect", box))


def connect(made: World, box: Box, address: str) -> None:
    """Connect a container to its network again."""
    box.address = address
    made.tell(event("event-network-connect", box))


# Answers.


def listed(box: Box) -> dict[str, Any]:
    """The container in the form of the list."""
    answer: dict[str, Any] = recorded("listed")
    answer |= {"Id": box.id, "Names": [f"/{box.name}"], "Labels": box.labels}
    answer["HostConfig"] |= {"NetworkMode": box.network}
    answer["NetworkSettings"]["Networks"] = _networks("listed", box)
    return answer


def inspected(box: Box) -> dict[str, Any]:
    """The container in the form of an inspection."""
    answer: dict[str, Any] = recorded("inspected")
    answer |= {"Id": box.id, "Name": f"/{box.name}", "HostsPath": f"/var/lib/docker/containers/{box.id}/hosts"}
    answer["Config"] |= {"Hostname": box.id[:12], "Labels": box.labels}
    answer["HostConfig"] |= {"NetworkMode": box.network}
    answer["NetworkSettings"]["Networks"] = _networks("inspected", box)
    return answer


def _networks(kind: str, box: Box) -> dict[str, Any]:
    if box.address is None:
        return {}
    (found,) = recorded(kind)["NetworkSettings"]["Networks"].values()
    found |= {"NetworkID": box.network_id, "IPAddress": box.address, "Gateway": box.gateway, "IPPrefixLen": 27}
    if found["Aliases"] is not None:
        found["Aliases"] = [box.name, box.service]
        found["DNSNames"] = [box.name, box.service, box.id[:12]]
    return {box.network: found}


def network_inspected(made: World, identity: str) -> dict[str, Any]:
    """A network with its containers."""
    answer: dict[str, Any] = recorded("network") | made.networks[identity]
    (one,) = recorded("network")["Containers"].values()
    members = (box for box in made.members[identity] if box.address is not None)
    answer["Containers"] = {box.id: one | {"Name": box.name, "IPv4Address": f"{box.address}/27"} for box in members}
    return answer


def event(name: str, box: Box) -> dict[str, Any]:
    """An event about a container, as recorded: `event-network-connect` and the like."""
    answer: dict[str, Any] = recorded(name)
    now = time.time_ns()
    answer |= {"time": now // 10**9, "timeNano": now}
    if answer["Type"] == "network":
        answer["Actor"] = {
            "ID": box.network_id,
            "Attributes": answer["Actor"]["Attributes"] | {"container": box.id, "name": box.network},
        }
    else:
        answer |= {"id": box.id}
        answer["Actor"] = {"ID": box.id, "Attributes": box.labels | {"image": "busybox", "name": box.name}}
    return answer


class _Form:
    """An inspection as bytes with placeholders. Filling it in is a hundred times faster than making it."""

    def __init__(self) -> None:
        unlike = Box("%ID%", "%NAME%", "", "", "%NETWORK%", "", "", None, {"%LABELS%": ""})
        text = json.dumps(inspected(unlike), separators=(",", ":"))
        text = text.replace('{"%LABELS%":""}', "%LABELS%").replace('"Networks":{}', '"Networks":%NETWORKS%')
        for place in ("ID", "NAME", "NETWORK", "LABELS", "NETWORKS"):
            text = text.replace(f"%{place}%", f"\0{place}\0")
        self._parts = text.split("\0")

    def filled(self, box: Box) -> bytes:
        """The container in the form of an inspection, as bytes."""
        values = {
            "ID": box.id,
            "NAME": box.name,
            "NETWORK": box.network,
            "LABELS": json.dumps(box.labels),
            "NETWORKS": json.dumps(_networks("inspected", box)),
        }
        return "".join([values[part] if number % 2 else part for number, part in enumerate(self._parts)]).encode()


# The server.


class Server:
    """The simulated engine, on a socket."""

    def __init__(self, made: World, root: Path) -> None:
        self.world = made
        self.requests = 0
        """The number of requests for containers and networks, without streams and the pings of each 10 s."""
        self._info = recorded("info") | {"DockerRootDir": str(root), "Containers": len(made.boxes)}
        self._version = _json(recorded("version"))
        self._listed = b"[" + b",".join(_json(listed(box)) for box in made.boxes.values()) + b"]"
        self._networks = _json(list(made.networks.values()))
        self._inspected = _Form()

    @contextlib.asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        """Answer on this socket."""
        # `handler_cancellation` ends a stream without a reader. `shutdown_timeout` ends the server without waiting.
        runner = web.ServerRunner(web.Server(self._handle, handler_cancellation=True), shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.UnixSite(runner, str(path)).start()
            yield
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.endswith("/events"):
            return await self._events(request)
        self.requests += not request.path.endswith(("/_ping", "/version", "/info"))
        body = self._body(request)
        if body is None:
            return web.json_response({"message": f"No such thing: {request.path}"}, status=404)
        return web.Response(body=body, content_type="application/json")

    def _body(self, request: web.BaseRequest) -> bytes | None:
        """The body of the answer; `None` if there is no such object."""
        body = None
        match request.path.split("/")[1:]:
            case ["_ping"]:
                body = b"OK"
            case ["version"]:
                body = self._version
            case [_, "info"]:
                body = _json(self._info | {"SystemTime": datetime.now(UTC).isoformat()})
            case [_, "networks"]:
                body = self._networks
            case [_, "networks", identity] if identity in self.world.networks:
                body = _json(network_inspected(self.world, identity))
            case [_, "containers", "json"]:
                body = self._list(json.loads(request.query.get("filters", "{}")))
            case [_, "containers", identity, "json"] if identity in self.world.boxes:
                body = self._inspected.filled(self.world.boxes[identity])
        return body

    def _list(self, filters: dict[str, list[str]]) -> bytes:
        if not filters:
            return self._listed
        boxes = map(self.world.boxes.get, filters["id"])
        return _json([listed(box) for box in boxes if box is not None])

    async def _events(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        if (since := request.query.get("since")) is not None:
            seconds, _, nanoseconds = since.partition(".")
            begin = int(seconds) * 10**9 + int(nanoseconds or 0)
            for moment, line in self.world.events:
                if moment >= begin:
                    queue.put_nowait(line)
        self.world.listeners.append(queue)
        try:
            while True:
                await response.write(await queue.get())
        finally:
            self.world.listeners.remove(queue)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


# Validation.


def form(value: Any) -> Any:
    """The keys and types of an answer, without its values. A list has the form of its first item."""
    if isinstance(value, dict):
        return {key: form(item) for key, item in value.items()}
    if isinstance(value, list):
        return [form(item) for item in value[:1]]
    return type(value).__name__


def validated() -> Iterator[str]:
    """The answers of the simulation that differ in form from the recorded ones."""
    made = World()
    network, recording = recorded("network"), recorded("inspected")
    made.networks[network["Id"]] = recorded("networks")
    gateway = recording["NetworkSettings"]["Networks"]["shop_default"]["Gateway"]
    labels = recording["Config"]["Labels"]
    box = Box(recording["Id"], "shop-db-1", "shop", "db", "shop_default", network["Id"], gateway, _MARK, labels)
    made.add(box)
    answers = {
        "listed": listed(box),
        "inspected": json.loads(_Form().filled(box)),
        "network": network_inspected(made, network["Id"]),
        "event-network-connect": event("event-network-connect", box),
        "event-network-disconnect": event("event-network-disconnect", box),
        "event-container-start": event("event-container-start", box),
    }
    for name, answer in answers.items():
        if form(answer) != form(recorded(name)):
            yield name
