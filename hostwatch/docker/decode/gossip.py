"""What a swarm's gossip tells of an overlay network, from `GET /networks/{id}?verbose=true`.

The answer has the containers and services of all nodes that are on the network. It may have thousands of tasks, so it
is decoded in steps. Names come from whoever starts a container anywhere in the swarm, so each is checked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

from hostwatch.core.gossip import Gossip
from hostwatch.core.model import Address, NetworkKey
from hostwatch.core.names import folded, name_fault, shown, told
from hostwatch.core.remote import RemoteEndpoint
from hostwatch.docker.decode.fields import Json, address, mapping
from hostwatch.docker.decode.framing import Cursor

MOST_ENDPOINTS = 10_000
"""Endpoints of a network that are taken in."""
_MAX_ID_LENGTH = 64
"""Characters of an endpoint's id: it has 64 hexadecimal digits."""
_MAX_NUMBER_LENGTH = 9
_STACK = "com.docker.stack.namespace"
"""The label of a stack's own networks, with the stack's name."""


class _Task(NamedTuple):
    """One of `Services[…].Tasks[]`."""

    service: str
    """Empty: a container outside services."""
    name: str
    id: str
    address: Address | None
    host: str


@dataclass(slots=True)
class _Answer:
    """What was read of an answer so far."""

    is_joined: bool = False
    name: str = ""
    stack: str = ""
    nodes: set[str] = field(default_factory=set)
    local: dict[str, Json] = field(default_factory=dict)
    """This node's own endpoints, by their ids."""
    virtual: dict[str, Address] = field(default_factory=dict)
    """The virtual addresses of services."""
    services: set[str] = field(default_factory=set)
    tasks: list[_Task] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


class GossipReader:
    """Reads one answer, step by step."""

    def __init__(self, network: NetworkKey, text: str) -> None:
        self._network = network
        self._cursor = Cursor(text)
        self._answer = _Answer()
        self._found: dict[str, RemoteEndpoint] = {}
        self._own: frozenset[str] = frozenset()

    def steps(self) -> Iterator[None]:
        """Read on, a piece at each step. Raises `ValueError` if the answer has another form."""
        yield from self._parsed()
        answer = self._answer
        self._own = frozenset(task.host for task in answer.tasks if task.id in answer.local and task.host)
        plain = {folded(task.name) for task in answer.tasks if not task.service} | set(map(folded, answer.services))
        aliases = {service: _alias(service, answer.stack, plain) for service in answer.services}
        for service, found in answer.virtual.items():
            virtual = _Task(service, service, f"service:{service}", found, "")
            self._put_named(virtual, filter(None, (service, aliases[service])))
        for task in answer.tasks:
            self._put_task(task, aliases.get(task.service, ""))
            yield

    def gossip(self) -> Gossip:
        """The result, once all steps are done."""
        answer = self._answer
        own = (
            address(mapping(each).get(key)) for each in answer.local.values() for key in ("IPv4Address", "IPv6Address")
        )
        local = frozenset(found for found in own if found is not None)
        return Gossip(answer.is_joined, self._found, frozenset(answer.nodes), self._own, local, answer.refused)

    def _parsed(self) -> Iterator[None]:
        cursor, answer = self._cursor, self._answer
        if not cursor.comes("{"):
            raise ValueError("no network")
        for key in cursor.members():
            match key:
                case "Services":
                    answer.is_joined = cursor.comes("{")
                    yield from self._services()
                    continue
                case "Containers":
                    members = mapping(cursor.value()).values()
                    answer.local = {str(mapping(each).get("EndpointID")): each for each in members}
                case "Peers":
                    answer.nodes = peers(cursor.value())
                case "Name":
                    answer.name = str(cursor.value())
                case "Labels":
                    answer.stack = str(mapping(cursor.value()).get(_STACK) or "")
                case _:
                    cursor.value()
            yield

    def _services(self) -> Iterator[None]:
        for service in self._cursor.members():
            if service:
                self._answer.services.add(service)
            fault = name_fault(service) if service else None
            if fault is not None:
                self._answer.services.discard(service)
                self._answer.refused[f"service {shown(service)}"] = fault
            for key in self._cursor.members():
                if key == "Tasks":
                    for _ in self._cursor.items():
                        self._take(service, self._cursor.value(), is_valid=fault is None)
                        yield
                elif key == "VIP" and service and fault is None:
                    found = address(self._cursor.value())
                    if found is not None:
                        self._answer.virtual[service] = found
                else:
                    self._cursor.value()

    def _take(self, service: str, data: Any, *, is_valid: bool) -> None:
        """Take in a task. Without a valid name of its service it is not looked up at all."""
        task = mapping(data)
        name, identity = task.get("Name"), task.get("EndpointID")
        if not (isinstance(name, str) and isinstance(identity, str) and 0 < len(identity) <= _MAX_ID_LENGTH):
            self._answer.refused[f"endpoint {shown(str(identity))}"] = "without a name or an id"
            return
        if is_valid:
            host = _node(str(mapping(task.get("Info")).get("Host IP") or ""))
            self._answer.tasks.append(_Task(service, name, identity, address(task.get("EndpointIP")), host))

    def _put_task(self, task: _Task, alias: str) -> None:
        is_own = task.id in self._answer.local or task.host in self._own
        names = [] if is_own else [task.name]
        if names and (fault := name_fault(task.name)) is not None:
            self._answer.refused[f"container {shown(task.name)}"] = fault
            names = []
        for service in filter(None, (task.service, alias)):
            names += [f"tasks.{service}"] if task.service in self._answer.virtual else [f"tasks.{service}", service]
        if names:
            self._put_named(task, names)

    def _put_named(self, task: _Task, names: Iterable[str]) -> None:
        if task.address is None:
            return
        endpoint = RemoteEndpoint(
            task.id,
            told(task.name),
            task.host,
            tuple(names),
            f"swarm:{task.service}" if task.service else "",
            task.service,
            number=_number(task),
            ipv4=task.address if isinstance(task.address, IPv4Address) else None,
            ipv6=task.address if isinstance(task.address, IPv6Address) else None,
            network=self._network.id,
            network_name=self._answer.name,
        )
        if len(self._found) < MOST_ENDPOINTS:
            self._found[endpoint.id] = endpoint
        else:
            self._answer.refused["the rest"] = f"the network has more than {MOST_ENDPOINTS} endpoints"


def peers(data: Any) -> set[str]:
    """The addresses of the nodes in `Peers`. Their names are random numbers (engines 26.1 and 28.5)."""
    found = (_node(str(mapping(each).get("IP") or "")) for each in (data if isinstance(data, list) else ()))
    return {each for each in found if each}


@lru_cache(maxsize=1024)
def _node(text: str) -> str:
    """A node's address, as text for people; empty if it is none. Each task has one again."""
    found = address(text)
    return shown(str(found)) if found is not None else ""


def _alias(service: str, stack: str, taken: set[str]) -> str:
    """The short name of a stack's service, by which the engine's DNS knows it on the stack's networks, too.

    The gossip does not tell it: `web` of the service `shop_web`. Whoever really has that name comes first.
    """
    prefix, short = f"{stack}_", service.removeprefix(f"{stack}_")
    is_alias = bool(stack) and service.startswith(prefix) and name_fault(short) is None and folded(short) not in taken
    return short if is_alias else ""


def _number(task: _Task) -> str:
    """The number of a replica, as in `web.3.TASKID`; empty for a task of a global service, which has its node's id."""
    number = task.name.removeprefix(f"{task.service}.").partition(".")[0] if task.service else ""
    return number if number.isascii() and number.isdigit() and len(number) <= _MAX_NUMBER_LENGTH else ""
