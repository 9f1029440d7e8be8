"""A simulated engine: a real HTTP server on a unix socket, with as many containers as are asked for, from a seed.

It speaks what hostwatch asks (`/version`, `/info`, `/_ping`, `/events`, containers and networks); its answers are the
recorded ones of a real engine with other names, ids and addresses, and `validated` compares their form with these.
Projects of ten containers each, every project on a network of its own, and one of its containers a subscriber.
"""

import asyncio
import copy
import ipaddress
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from aiohttp import web

RECORDINGS = Path(__file__).parent / "recordings"
PROJECT = 10
_MARK = "10.99.0.6"


def recorded(name: str) -> Any:
    """A recorded answer, to be changed at will."""
    return json.loads(_text(name))


@lru_cache
def _text(name: str) -> str:
    return (RECORDINGS / f"{name}.json").read_text()


@dataclass
class Box:
    """A container of the simulation."""

    id: str
    name: str
    project: str
    service: str
    network: str
    network_id: str
    address: str
    labels: dict[str, str]
    inspected: bytes = b""


@dataclass
class World:
    """All containers and networks, and who follows the events."""

    boxes: dict[str, Box] = field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    listeners: list[asyncio.Queue[bytes]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    by_service: dict[tuple[str, str], Box] = field(default_factory=dict)

    @property
    def subscribers(self) -> list[Box]:
        """The containers that want lines."""
        return [box for box in self.boxes.values() if "hostwatch.hosts" in box.labels]


def world(count: int, root: Path, seed: int = 1) -> World:
    """So many containers, with their hosts files below `root`."""
    chance = random.Random(seed)
    made = World()
    subnets = ipaddress.ip_network("10.0.0.0/8").subnets(new_prefix=27)
    for number in range(-(-count // PROJECT)):
        project, subnet = f"shop{number}", next(subnets)
        hosts = list(subnet.hosts())
        network = recorded("networks")
        network_id = f"{chance.getrandbits(256):064x}"
        network |= {"Name": f"{project}_default", "Id": network_id, "Containers": {}}
        network["IPAM"]["Config"] = [{"Subnet": str(subnet), "Gateway": str(hosts[0])}]
        made.networks[network_id] = network
        for place in range(min(PROJECT, count - number * PROJECT)):
            service = "web" if place == 0 else "db" if place == 1 else f"app{place}"
            labels = recorded("listed")["Labels"] | {
                "com.docker.compose.project": project,
                "com.docker.compose.service": service,
            }
            labels["hostwatch.hosts"] = "@{db.ip} db\n@{app2.ip} app2"
            if place:
                del labels["hostwatch.hosts"]
            identity = f"{chance.getrandbits(256):064x}"
            box = Box(
                identity,
                f"{project}-{service}-1",
                project,
                service,
                network["Name"],
                network_id,
                str(hosts[place + 1]),
                labels,
            )
            made.boxes[identity] = made.by_service[project, service] = box
            hosts_file = root / "containers" / identity / "hosts"
            hosts_file.parent.mkdir(parents=True)
            hosts_file.write_text(f"127.0.0.1\tlocalhost\n{box.address}\t{identity[:12]}\n")
    return made


def wanted(made: World, box: Box) -> str:
    """The block that a subscriber's file is to have."""
    lines = [f"{made.by_service[box.project, name].address:<16}{name}" for name in ("db", "app2")]
    return "\n".join(["# hostwatch: begin", *lines, "# hostwatch: end"])


# Answers.


def _attachment(base: dict[str, Any], box: Box, gateway: str) -> dict[str, Any]:
    (found,) = copy.deepcopy(base).values()
    found |= {"NetworkID": box.network_id, "IPAddress": box.address, "Gateway": gateway, "IPPrefixLen": 27}
    if found["Aliases"] is not None:
        found["Aliases"] = [box.name, box.service]
        found["DNSNames"] = [box.name, box.service, box.id[:12]]
    return {box.network: found}


def listed(made: World, box: Box) -> dict[str, Any]:
    """The container as the list has it."""
    answer = recorded("listed")
    gateway = made.networks[box.network_id]["IPAM"]["Config"][0]["Gateway"]
    answer |= {
        "Id": box.id,
        "Names": [f"/{box.name}"],
        "Labels": box.labels,
        "HostConfig": {"NetworkMode": box.network},
    }
    answer["NetworkSettings"]["Networks"] = _attachment(answer["NetworkSettings"]["Networks"], box, gateway)
    return answer


def inspected(made: World, box: Box) -> dict[str, Any]:
    """The container as an inspection has it."""
    answer = recorded("inspected")
    gateway = made.networks[box.network_id]["IPAM"]["Config"][0]["Gateway"]
    answer |= {"Id": box.id, "Name": f"/{box.name}"}
    answer["HostsPath"] = f"/var/lib/docker/containers/{box.id}/hosts"
    answer["Config"] |= {"Hostname": box.id[:12], "Labels": box.labels}
    answer["HostConfig"]["NetworkMode"] = box.network
    answer["NetworkSettings"]["Networks"] = _attachment(answer["NetworkSettings"]["Networks"], box, gateway)
    return answer


def network_inspected(made: World, identity: str) -> dict[str, Any]:
    """A network with its containers."""
    answer = recorded("network") | made.networks[identity]
    (one,) = recorded("network")["Containers"].values()
    members = (box for box in made.boxes.values() if box.network_id == identity)
    answer["Containers"] = {box.id: one | {"Name": box.name, "IPv4Address": f"{box.address}/27"} for box in members}
    return answer


def event(name: str, box: Box) -> dict[str, Any]:
    """An event about a container, as recorded: `event-network-connect` and the like."""
    answer = recorded(name)
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


def moved(made: World, box: Box, address: str) -> None:
    """Give a container another address, and tell it as an engine does."""
    for name, changed in (("event-network-disconnect", None), ("event-network-connect", address)):
        box.address = changed or box.address
        box.inspected = b""
        for queue in made.listeners:
            queue.put_nowait(json.dumps(event(name, box)).encode() + b"\n")


# The server.


class Server:
    """The simulated engine, on a socket."""

    def __init__(self, made: World, root: Path) -> None:
        self.world = made
        info = recorded("info") | {"DockerRootDir": str(root), "Containers": len(made.boxes)}
        self._fixed = {"version": _json(recorded("version")), "info": _json(info)}
        self._listed = _json([listed(made, box) for box in made.boxes.values()])
        self._networks = _json(list(made.networks.values()))

    def application(self) -> web.Application:
        """The routes."""

        @web.middleware
        async def counted(request: web.Request, handler: Any) -> web.StreamResponse:
            self.world.requests.append(request.path)
            response: web.StreamResponse = await handler(request)
            return response

        app = web.Application(middlewares=[counted])
        app.router.add_get("/_ping", self._ping)
        app.router.add_get("/version", self._answer("version"))
        app.router.add_get("/{api}/info", self._answer("info"))
        app.router.add_get("/{api}/events", self._events)
        app.router.add_get("/{api}/containers/json", self._containers)
        app.router.add_get("/{api}/containers/{id}/json", self._container)
        app.router.add_get("/{api}/networks", self._all_networks)
        app.router.add_get("/{api}/networks/{id}", self._network)
        return app

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")

    def _answer(self, name: str) -> Any:
        async def handler(_: web.Request) -> web.Response:
            return _response(self._fixed[name])

        return handler

    async def _containers(self, request: web.Request) -> web.Response:
        filters = json.loads(request.query.get("filters", "{}"))
        if "id" in filters:
            found = [self.world.boxes[identity] for identity in filters["id"] if identity in self.world.boxes]
            return _response(_json([listed(self.world, box) for box in found]))
        return _response(self._listed)

    async def _container(self, request: web.Request) -> web.Response:
        box = self.world.boxes.get(request.match_info["id"])
        if box is None:
            return web.json_response({"message": "No such container"}, status=404)
        return _response(_json(inspected(self.world, box)))

    async def _all_networks(self, _: web.Request) -> web.Response:
        return _response(self._networks)

    async def _network(self, request: web.Request) -> web.Response:
        return _response(_json(network_inspected(self.world, request.match_info["id"])))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.world.listeners.append(queue)
        try:
            while True:
                await response.write(await queue.get())
        finally:
            self.world.listeners.remove(queue)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _response(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


# Validation.


def form(value: Any) -> Any:
    """The keys and types of an answer, without its values; of a list or a map of ids, those of its first."""
    if isinstance(value, dict):
        return {key: form(item) for key, item in value.items()}
    if isinstance(value, list):
        return [form(item) for item in value[:1]]
    return type(value).__name__


def validated() -> Iterator[str]:
    """Each answer of the simulation whose form is not that of the recorded one."""
    made = World()
    network = recorded("networks")
    made.networks[network["Id"]] = network
    gateway = recorded("inspected")["NetworkSettings"]["Networks"]["shop_default"]["Gateway"]
    made.networks[network["Id"]]["IPAM"]["Config"] = [{"Subnet": "10.99.0.0/24", "Gateway": gateway}]
    recording = recorded("inspected")
    box = Box(
        recording["Id"], "shop-db-1", "shop", "db", "shop_default", network["Id"], _MARK, recording["Config"]["Labels"]
    )
    made.boxes[box.id] = box
    for name, answer in {
        "listed": listed(made, box),
        "inspected": inspected(made, box),
        "event-network-connect": event("event-network-connect", box),
        "event-container-start": event("event-container-start", box),
    }.items():
        if form(answer) != form(recorded(name)):
            yield name


def free_address(box: Box, number: int) -> str:
    """An address of the container's network that nobody has, a different one for each number of a row."""
    subnet = ipaddress.ip_interface(f"{box.address}/27").network
    return str(list(subnet.hosts())[PROJECT + 1 + number % (subnet.num_addresses - PROJECT - 4)])
