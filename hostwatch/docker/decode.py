"""Docker's JSON, turned into the core's values. Pure; the only module that knows Docker's field names.

Read from `Type`, `Action`, `Actor`, `timeNano` and `NetworkSettings.Networks`, which every API version from 1.41
(engine 20.10) to 1.52 (engine 29) has. A field that is missing or of another form is unknown, never an error, but
for an id: what has no id cannot be named. Where Podman (4.3) says the same in other words, it is told by the words:
nothing here asks which engine it is.
"""

import ipaddress
import json
import re
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from hostwatch.control.source import Event
from hostwatch.core.model import (
    Address,
    Claim,
    Container,
    ContainerId,
    ContainerKey,
    Endpoint,
    EngineId,
    Health,
    Network,
    NetworkId,
    NetworkKey,
    NetworkMode,
    State,
    Subnet,
)

Json = Mapping[str, Any]

_FRAME = struct.Struct(">BxxxL")
_EVENT_HEAD = re.compile(rb'"Type":"container","Action":"([a-z_]+)[^"]*","Actor":\{"ID":"([0-9a-f]{64})"')
_LISTED_HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)$")
_RUNNING = ("running", "paused")
_NEVER_STARTED = ("created", "configured", "initialized")
"""Docker's word and Podman's."""
_BRIDGE = "com.docker.network.bridge"
"""What the names of the bridge driver's options begin with."""
_TRUE = ("1", "t", "true")
"""What Docker takes for true in an option."""
_SMALLEST = 4
"""Addresses of a subnet that has room for a gateway and a container."""
_BETWEEN = re.compile(r"[\s,]*")


def items(text: str) -> Iterator[Any]:
    """The items of a JSON array, each parsed when it is asked for. Raises `ValueError` where it is none.

    A list of 10,000 containers takes a third of a second to parse and decode: too long for one step.
    """
    text = text.lstrip()
    if not text.startswith("["):
        raise ValueError(f"no list: {text[:40]!r}")
    decoder = json.JSONDecoder()
    place = _end(text, 1)
    while not text.startswith("]", place):
        item, place = decoder.raw_decode(text, place)
        yield item
        place = _end(text, place)


def _end(text: str, place: int) -> int:
    """Where what stands between two items ends."""
    found = _BETWEEN.match(text, place)
    return found.end() if found is not None else place


def listed_container(engine: EngineId, data: Json) -> Container:
    """A container of `GET /containers/json`: no aliases, host name or certain health, but no lock is waited for.

    A healthcheck is told at the end of a running one's `Status`, as in `Up 2 minutes (healthy)`, unless it is paused.
    """
    names = data.get("Names") or []
    mode, joined = _network_mode(_dict(data.get("HostConfig")).get("NetworkMode"))
    return Container(
        key=ContainerKey(engine, ContainerId(data["Id"])),
        # Links add names of the form /other/alias; the container's own has one slash.
        name=next((name[1:] for name in names if name.count("/") == 1), data["Id"][:12]),
        state=State.RUNNING if data.get("State") in _RUNNING else State.STOPPED,
        labels=_dict(data.get("Labels")),
        image=data.get("Image") or "",
        created=float(data.get("Created") or 0),
        claim=Claim.NONE if data.get("State") in _NEVER_STARTED else Claim.FULL,
        health=_listed_health(data.get("Status")),
        network_mode=mode,
        joined=joined,
        endpoints=_endpoints(data),
        hosts_mount=_hosts_mount(data),
    )


def inspected_container(engine: EngineId, data: Json) -> Container:
    """A container of `GET /containers/{id}/json`."""
    config, state = _dict(data.get("Config")), _dict(data.get("State"))
    mode, joined = _network_mode(_dict(data.get("HostConfig")).get("NetworkMode"))
    running = bool(state.get("Running")) and not state.get("Restarting") and not state.get("Dead")
    name, hostname = str(data.get("Name") or data["Id"][:12]).removeprefix("/"), config.get("Hostname") or None
    names = _OwnNames(name, frozenset(filter(None, (data["Id"][:12], hostname))))
    return Container(
        key=ContainerKey(engine, ContainerId(data["Id"])),
        name=name,
        state=State.RUNNING if running else State.STOPPED,
        labels=_dict(config.get("Labels")),
        image=config.get("Image") or "",
        created=_moment(data.get("Created")) or 0.0,
        started=_moment(state.get("StartedAt")) or 0.0,
        claim=Claim.NONE if not running and state.get("Status") in _NEVER_STARTED else Claim.FULL,
        health=_health(state, config),
        hostname=hostname,
        network_mode=mode,
        joined=joined,
        # Podman lists those of the other one, which would have two containers hold each of its addresses.
        endpoints=_endpoints(data, names) if joined is None else (),
        hosts_mount=_hosts_mount(data),
    )


def network(engine: EngineId, data: Json) -> Network:
    """A network of `GET /networks` or `GET /networks/{id}`."""
    configs = [_dict(config) for config in _dict(data.get("IPAM")).get("Config") or []]
    subnets = (_subnet(config.get("Subnet")) for config in configs)
    gateways = (_address(config.get("Gateway")) for config in configs)
    return Network(
        key=NetworkKey(engine, NetworkId(data["Id"])),
        name=data.get("Name") or "",
        subnets=tuple(subnet for subnet in subnets if subnet is not None),
        gateways=tuple(gateway for gateway in gateways if gateway is not None),
        compose_name=_dict(data.get("Labels")).get("com.docker.compose.network"),
        compose_project=_dict(data.get("Labels")).get("com.docker.compose.project"),
        driver=data.get("Driver") or "",
        internal=data.get("Internal") is True,
        auxiliary=frozenset(address for config in configs for address in _auxiliary(config)),
        firsts=tuple(address for config in configs if (address := _first(config)) is not None),
        hostless=_hostless(_dict(data.get("Options"))),
    )


def _auxiliary(config: Json) -> Iterator[Address]:
    """The `--aux-address`es of a subnet, the one that its containers are told as their gateway among them."""
    for text in _dict(config.get("AuxiliaryAddresses")).values():
        if (address := _address(text)) is not None:
            yield address


def _first(config: Json) -> Address | None:
    """The first address that the engine gives away of a subnet, or of the range in it that it is to keep to."""
    subnet, given = _subnet(config.get("Subnet")), _subnet(config.get("IPRange"))
    if subnet is None or subnet.num_addresses < _SMALLEST:
        return None
    start = given.network_address if given is not None else subnet.network_address
    return start if start != subnet.network_address else start + 1


def _hostless(options: Json) -> frozenset[int]:
    """The IP versions of which a bridge is given no address."""
    found = {4} if str(options.get(f"{_BRIDGE}.inhibit_ipv4")).lower() in _TRUE else set()
    found |= {version for version in (4, 6) if options.get(f"{_BRIDGE}.gateway_mode_ipv{version}") == "isolated"}
    return frozenset(found)


def network_endpoint(data: Json, container: ContainerId) -> Endpoint | None:
    """The container's endpoint in `GET /networks/{id}`, where it stands before it can be inspected."""
    found = _dict(_dict(data.get("Containers")).get(container))
    if not found:
        return None
    return Endpoint(
        network=NetworkId(data["Id"]),
        network_name=data.get("Name") or "",
        ipv4=_ipv4(found.get("IPv4Address")),
        ipv6=_ipv6(found.get("IPv6Address")),
        mac=found.get("MacAddress") or None,
    )


def event(engine: EngineId, data: Json) -> Event | None:
    """A line of `GET /events`; `None` for one that is of no interest. Raises `ValueError` where it names nothing."""
    actor = _dict(data.get("Actor"))
    identity, attributes = actor.get("ID"), _dict(actor.get("Attributes"))
    kind, action, moment = data.get("Type"), data.get("Action"), data.get("timeNano")
    member = attributes.get("container")
    if not (identity and action) or not all(isinstance(word, str) for word in (identity, action, member or "")):
        raise ValueError(f"no event: {kind} {action} {identity} {member}")
    moment = moment if isinstance(moment, int) else None
    if kind == "container":
        return Event(kind, _plain(action), ContainerKey(engine, ContainerId(identity)), None, attributes, moment)
    if kind == "network":
        if action in ("connect", "disconnect") and "container" not in attributes:
            # Podman's actor is the container; which network it is about is not said.
            return Event("container", action, ContainerKey(engine, ContainerId(identity)), None, attributes, moment)
        container = ContainerKey(engine, ContainerId(member)) if member else None
        return Event(kind, action, container, NetworkKey(engine, NetworkId(identity)), attributes, moment)
    return None


def event_of_head(engine: EngineId, head: bytes) -> Event | None:
    """What the beginning of a container's event tells, where the whole is too long; `None` where it is none."""
    found = _EVENT_HEAD.search(head)
    if found is None:
        return None
    key = ContainerKey(engine, ContainerId(found[2].decode()))
    return Event("container", _plain(found[1].decode()), key, None, {})


def created_container(happened: Event) -> Container | None:
    """What a `create` event tells of the new container: its name, image, age and all its labels, without a request."""
    if happened.action != "create" or happened.kind != "container" or happened.container is None:
        return None
    attributes = happened.attributes
    if "name" not in attributes:
        return None
    labels = {name: value for name, value in attributes.items() if name not in ("name", "image")}
    return Container(
        key=happened.container,
        name=attributes.get("name", ""),
        state=State.STOPPED,
        labels=labels,
        image=attributes.get("image", ""),
        created=(happened.clock or 0) / 1e9,
        claim=Claim.NONE,
    )


def clock(info: Json) -> int | None:
    """The engine's own time in `GET /info`, in nanoseconds, the last whole second: a little early rather than late."""
    found = _moment(info.get("SystemTime"))
    return int(found) * 10**9 if found is not None else None


def output(stream: bytes) -> tuple[bytes, bytes]:
    """Standard output and standard error of a command, from the frames of the engine's raw stream.

    A frame is its stream's number (1 output, 2 errors), three zeros, its length in four bytes, and its content.
    """
    found: dict[int, list[bytes]] = {1: [], 2: []}
    place = 0
    while place + _FRAME.size <= len(stream):
        number, length = _FRAME.unpack_from(stream, place)
        place += _FRAME.size + length
        found.setdefault(number, []).append(stream[place - length : place])
    return b"".join(found[1]), b"".join(found[2])


def _plain(action: str) -> str:
    # `health_status: healthy` is the whole action; Podman says `died` and `remove`.
    name = action.partition(":")[0]
    return {"died": "die", "remove": "destroy"}.get(name, name)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _network_mode(mode: Any) -> tuple[NetworkMode | None, ContainerId | None]:
    if not isinstance(mode, str):
        return None, None
    if mode == "host":
        return NetworkMode.HOST, None
    if mode.startswith("container:"):
        return NetworkMode.CONTAINER, ContainerId(mode.removeprefix("container:"))
    return NetworkMode.OWN, None


class _OwnNames(NamedTuple):
    """What a container is called by itself."""

    name: str
    by_dns: frozenset[str]
    """By which the engine's DNS answers on each user-defined network besides its name: short id and host name."""


def _endpoints(data: Json, names: _OwnNames | None = None) -> tuple[Endpoint, ...]:
    """The endpoints; without the container's own names (a list) their aliases are not known."""
    networks = _dict(_dict(data.get("NetworkSettings")).get("Networks"))
    found = (_endpoint(name, _dict(settings), names) for name, settings in networks.items())
    # `host` and `none` are listed like networks, but nothing has an address there.
    return tuple(endpoint for endpoint in found if endpoint.network_name not in ("host", "none"))


def _endpoint(name: str, settings: Json, names: _OwnNames | None) -> Endpoint:
    identity = settings.get("NetworkID") or ""
    if identity == name:
        # Podman repeats the name, while its networks have ids; its default one, listed as `bridge`, is `podman` here.
        identity, name = "", "bridge" if name == "podman" else name
    gateways = (_address(settings.get(key)) for key in ("Gateway", "IPv6Gateway"))
    name = "bridge" if name == "default" else name
    return Endpoint(
        network=NetworkId(identity),
        network_name=name,
        ipv4=_ipv4(settings.get("IPAddress")),
        ipv6=_ipv6(settings.get("GlobalIPv6Address")),
        mac=settings.get("MacAddress") or None,
        gateways=tuple(gateway for gateway in gateways if gateway is not None),
        aliases=_aliases(name, settings, names) if names is not None else None,
    )


def _aliases(network_name: str, settings: Json, names: _OwnNames) -> frozenset[str]:
    """What the engine's DNS answers to on a network, but for the container's name, which is more than an alias.

    Engines from 26.0 on say it (`DNSNames`). Older ones and Podman answer to the aliases, the short id and the host
    name all the same, and have some of them in `Aliases`. On the default bridge none answers to anything.
    """
    if told := settings.get("DNSNames"):
        return frozenset(told) - {names.name}
    own = names.by_dns if network_name != "bridge" else frozenset()
    return own.union(settings.get("Aliases") or ()) - {names.name}


def _health(state: Json, config: Json) -> Health | None:
    status = _dict(state.get("Health")).get("Status")
    if status in ("healthy", "unhealthy", "starting"):
        return Health(status)
    test = _dict(config.get("Healthcheck")).get("Test")
    # Before the first start there is a healthcheck but no state of it yet.
    return Health.NONE if not test or test == ["NONE"] or status == "none" else Health.STARTING


def _listed_health(status: Any) -> Health | None:
    found = _LISTED_HEALTH.search(status) if isinstance(status, str) else None
    return Health(found[1]) if found is not None else None


def _hosts_mount(data: Json) -> Path | None:
    for mount in data.get("Mounts") or []:
        if _dict(mount).get("Destination") == "/etc/hosts":
            return Path(mount.get("Source") or "/")
    return None


def _moment(timestamp: Any) -> float | None:
    """Seconds since the epoch. Engines write RFC 3339 with nanoseconds, in UTC or with an offset of their own."""
    try:
        found = datetime.fromisoformat(timestamp)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _address(text: Any) -> Address | None:
    try:
        return ipaddress.ip_address(str(text).partition("/")[0]) if text else None
    except ValueError:
        return None


def _ipv4(text: Any) -> ipaddress.IPv4Address | None:
    address = _address(text)
    return address if isinstance(address, ipaddress.IPv4Address) else None


def _ipv6(text: Any) -> ipaddress.IPv6Address | None:
    address = _address(text)
    return address if isinstance(address, ipaddress.IPv6Address) else None


def _subnet(text: Any) -> Subnet | None:
    try:
        return ipaddress.ip_network(str(text), strict=False) if text else None
    except ValueError:
        return None
