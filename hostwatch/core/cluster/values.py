"""The keys and values by which hosts tell each other of their services, and what another host's mean here.

Below the prefix of the configuration, `v1` is the version of this layout:

| key | value |
| --- | --- |
| `v1/nodes/NODE` | whose engine the node's name belongs to, the host's own addresses, the version of its hostwatch |
| `v1/services/NODE/config/KEY` | the replicas of a service of the configuration |
| `v1/services/NODE/compose/PROJECT/SERVICE` | those of a compose service |
| `v1/services/NODE/container/NAME` | a container on its own |

Values are JSON. Unknown fields are ignored, and missing ones have defaults, so that hosts of two versions understand
each other. Anybody who may write to the store chooses these texts: each is checked, and a value with one that is not
valid counts for nothing.
"""

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hostwatch.core.model import EngineId, HostAddresses
from hostwatch.core.names import name_fault, shown
from hostwatch.core.remote import RemoteEndpoint

LAYOUT = "v1/"
NODES = f"{LAYOUT}nodes/"
SERVICES = f"{LAYOUT}services/"
VALUE_LIMIT = 64 << 10
"""Bytes of a value: some 200 replicas. A longer one is refused unread."""
_VERSION = 1
"""The version of the values, for people: what a reader needs is in the fields."""
_LONGEST_NAME = 253
_MOST_NAMES = 2_000
"""Names in a value, of all replicas: each is checked and becomes an entry of an index, which takes some 2 µs."""
_MOST_REPLICAS = 1_000
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
"""A name of a node, a service, a project or a container."""
_NUMBER = re.compile(r"[0-9]{1,9}")
_GROUPS = {"config": 1, "compose": 2, "container": 1}
"""The kinds of services, and the parts that each has in its key."""


class BadValueError(ValueError):
    """A key or a value of another host that counts for nothing. The message says why."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A container of a published service, with the address for other hosts."""

    id: str
    """The container's; that of a host (`HOST`) if others are told the host's own address."""
    name: str
    names: tuple[str, ...] = ()
    project: str | None = None
    service: str = ""
    number: str = ""
    ipv4: ipaddress.IPv4Address | None = None
    ipv6: ipaddress.IPv6Address | None = None


HOST = "host"
"""The id of the one replica of a service that is published with the host's own address."""


@dataclass(frozen=True, slots=True)
class Node:
    """A host of the cluster, as it tells of itself."""

    engine: EngineId
    addresses: HostAddresses
    version: str = ""
    """Of its hostwatch."""


def is_word(text: object) -> bool:
    """Whether a text may be a part of a key."""
    return isinstance(text, str) and _WORD.fullmatch(text) is not None


# What this host writes.


def value_of(replicas: Iterable[Replica]) -> bytes:
    """The value of a service. Replicas that it has no room for are left out, the last first."""
    parts: list[str] = []
    head = f'{{"version":{_VERSION},"replicas":['
    size, names = len(head) + 2, 0
    for replica in replicas:
        part = json.dumps(_fields(replica), separators=(",", ":"))
        size, names = size + len(part) + 1, names + len(replica.names)
        if size > VALUE_LIMIT or names > _MOST_NAMES:
            break
        parts.append(part)
    return f"{head}{','.join(parts)}]}}".encode()


def _fields(replica: Replica) -> dict[str, Any]:
    fields = {
        "id": replica.id,
        "name": replica.name,
        "names": list(replica.names),
        "project": replica.project,
        "service": replica.service,
        "number": replica.number,
        "ipv4": str(replica.ipv4 or ""),
        "ipv6": str(replica.ipv6 or ""),
    }
    return {name: value for name, value in fields.items() if value}


def node_value(node: Node) -> bytes:
    """The value of a node."""
    fields = {
        "version": _VERSION,
        "engine": node.engine,
        "ipv4": str(node.addresses.ipv4 or ""),
        "ipv6": str(node.addresses.ipv6 or ""),
        "hostwatch": node.version,
    }
    return json.dumps({name: value for name, value in fields.items() if value}, separators=(",", ":")).encode()


# What others wrote.


def node_name(key: str) -> str | None:
    """The node that a key, without its prefix, belongs to; `None` if it is no node's."""
    for head in (NODES, SERVICES):
        if key.startswith(head):
            node = key.removeprefix(head).partition("/")[0]
            return node if is_word(node) else None
    return None


def subject(key: str) -> str:
    """What a key, without its prefix, tells of, for people: `db on host-b`, or `host-b` alone."""
    node = node_name(key) or "a host"
    name = key.rpartition("/")[2] if key.startswith(SERVICES) else ""
    return f"{shown(name)} on {node}" if name else node


def service_name(tail: str) -> str:
    """What people call a service by the end of its key, as in `config/db`, `compose/shop/db` or `container/db`."""
    return ".".join(reversed(tail.split("/")[1:]))


def parsed_node(value: bytes | None) -> Node:
    """A node by its value. Raises `BadValueError`."""
    fields = _object(value)
    engine = _text(fields, "engine", _LONGEST_NAME)
    if not engine:
        raise BadValueError("it names no engine")
    addresses = HostAddresses(_ipv4(fields), _ipv6(fields))
    return Node(EngineId(engine), addresses, shown(_text(fields, "hostwatch", _LONGEST_NAME)))


def parsed_replicas(value: bytes | None) -> tuple[Replica, ...]:
    """The replicas of a service by its value. Raises `BadValueError`."""
    listed = _object(value).get("replicas", [])
    if not isinstance(listed, list) or len(listed) > _MOST_REPLICAS:
        raise BadValueError(f"`replicas` is no list of at most {_MOST_REPLICAS}")
    names = 0
    found: dict[str, Replica] = {}
    for fields in listed:
        replica = _replica(fields, _MOST_NAMES - names)
        names += len(replica.names)
        found[replica.id] = replica
    return tuple(found.values())


def endpoints_of(key: str, value: bytes | None) -> tuple[RemoteEndpoint, ...]:
    """What another host's key, without its prefix, says. Raises `BadValueError`."""
    node, _, rest = key.removeprefix(SERVICES).partition("/")
    kind, *parts = rest.split("/")
    if kind not in _GROUPS or len(parts) != _GROUPS[kind] or not all(map(is_word, (node, *parts))):
        raise BadValueError("the key is not one of a service")
    # Containers of the same name on two hosts have nothing in common; services have.
    group = f"{kind}:{'/'.join([node, *parts] if kind == 'container' else parts)}"
    return tuple(_endpoint(node, rest, group, parts[-1], each) for each in parsed_replicas(value))


def _endpoint(node: str, key: str, group: str, own: str, replica: Replica) -> RemoteEndpoint:
    # Hosts that were cloned have containers of one id, but not of one address. A host's address has many services.
    identity = f"{HOST} {key}" if replica.id == HOST else replica.id
    return RemoteEndpoint(
        id=f"{node}/{key}/{replica.id}",
        name=replica.name,
        host=node,
        names=replica.names,
        group=group,
        service=replica.service or own,
        project=replica.project,
        number=replica.number,
        ipv4=replica.ipv4,
        ipv6=replica.ipv6,
        twin=f"{identity} {replica.ipv4} {replica.ipv6}",
    )


def _replica(fields: object, most_names: int) -> Replica:
    if not isinstance(fields, Mapping):
        raise BadValueError("a replica is no object")
    project = _word(fields, "project")
    return Replica(
        id=_needed(_word(fields, "id"), "id"),
        name=_needed(_word(fields, "name"), "name"),
        names=_names(fields, most_names),
        project=project or None,
        service=_word(fields, "service"),
        number=number if _NUMBER.fullmatch(number := _text(fields, "number", _LONGEST_NAME)) else "",
        ipv4=_ipv4(fields),
        ipv6=_ipv6(fields),
    )


def _object(value: bytes | None) -> Mapping[str, Any]:
    if value is None or len(value) > VALUE_LIMIT:
        raise BadValueError(f"longer than {VALUE_LIMIT} bytes")
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        raise BadValueError("no JSON") from None
    if not isinstance(found, dict):
        raise BadValueError("no JSON object")
    return found


def _text(fields: Mapping[str, Any], field: str, most: int) -> str:
    value = fields.get(field, "")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise BadValueError(f"`{field}` is no text of at most {most} characters")
    return value


def _word(fields: Mapping[str, Any], field: str) -> str:
    value = _text(fields, field, _LONGEST_NAME)
    if value and not is_word(value):
        raise BadValueError(f"`{field}` is no name: {shown(value)}")
    return value


def _needed(value: str, field: str) -> str:
    if not value:
        raise BadValueError(f"a replica has no `{field}`")
    return value


def _names(fields: Mapping[str, Any], most: int) -> tuple[str, ...]:
    names = fields.get("names") or []
    if not isinstance(names, list):
        raise BadValueError("`names` is no list")
    if len(names) > most:
        raise BadValueError(f"more than {_MOST_NAMES} names")
    for name in names:
        fault = name_fault(name) if isinstance(name, str) else "not a host name"
        if fault is not None:
            raise BadValueError(f"the name {shown(str(name))}: {fault}")
    return tuple(dict.fromkeys(names))


def _ipv4(fields: Mapping[str, Any]) -> ipaddress.IPv4Address | None:
    text = _text(fields, "ipv4", _LONGEST_NAME)
    try:
        return ipaddress.IPv4Address(text) if text else None
    except ValueError:
        raise BadValueError(f"`ipv4` is no IPv4 address: {shown(text)}") from None


def _ipv6(fields: Mapping[str, Any]) -> ipaddress.IPv6Address | None:
    text = _text(fields, "ipv6", _LONGEST_NAME)
    try:
        found = ipaddress.IPv6Address(text) if text else None
    except ValueError:
        found = None
    if text and (found is None or found.scope_id is not None):
        raise BadValueError(f"`ipv6` is no IPv6 address without a zone: {shown(text)}")
    return found
