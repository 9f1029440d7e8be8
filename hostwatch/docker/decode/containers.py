"""Containers: from the list, from an inspection, from a `create` event, and their endpoints.

Podman's other names for the same facts are recognised, so no code here needs to know the engine.
"""

import hashlib
import re
from pathlib import Path
from typing import Any, NamedTuple

from hostwatch.control.source import Event
from hostwatch.core.model import (
    Binding,
    Claim,
    Container,
    ContainerId,
    ContainerKey,
    Endpoint,
    EngineId,
    FileKind,
    Health,
    NetworkId,
    NetworkMode,
    State,
)
from hostwatch.docker.decode.fields import Json, address, ipv4, ipv6, mapping, moment

_LISTED_HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)$")
_RUNNING = ("running", "paused")
_PODMANS_DEFAULT = hashlib.sha256(b"podman").hexdigest()
"""The id of Podman's default network: it makes ids from names."""
_NEVER_STARTED = ("created", "configured", "initialized")
"""Docker's name and Podman's."""


def listed_container(engine: EngineId, data: Json) -> Container:
    """A container of `GET /containers/json`: no aliases, host name or certain health, but it waits for no lock.

    The `Status` of a running container ends with its health, as in `Up 2 minutes (healthy)`, unless it is paused.
    """
    names = data.get("Names") or []
    mode, joined = _network_mode(mapping(data.get("HostConfig")).get("NetworkMode"))
    return Container(
        key=ContainerKey(engine, ContainerId(data["Id"])),
        # Links add names of the form /other/alias; the container's own has one slash.
        name=next((name[1:] for name in names if name.count("/") == 1), data["Id"][:12]),
        state=State.RUNNING if data.get("State") in _RUNNING else State.STOPPED,
        labels=mapping(data.get("Labels")),
        image=data.get("Image") or "",
        created=float(data.get("Created") or 0),
        claim=Claim.NONE if data.get("State") in _NEVER_STARTED else Claim.FULL,
        health=_listed_health(data.get("Status")),
        network_mode=mode,
        joined=joined,
        endpoints=_endpoints(data),
        hosts_mount=_mount(data, FileKind.HOSTS),
        resolv_mount=_mount(data, FileKind.RESOLV),
        bindings=_listed_bindings(data.get("Ports")),
    )


def inspected_container(engine: EngineId, data: Json) -> Container:
    """A container of `GET /containers/{id}/json`."""
    config, state = mapping(data.get("Config")), mapping(data.get("State"))
    mode, joined = _network_mode(mapping(data.get("HostConfig")).get("NetworkMode"))
    running = bool(state.get("Running")) and not state.get("Restarting") and not state.get("Dead")
    name, hostname = str(data.get("Name") or data["Id"][:12]).removeprefix("/"), config.get("Hostname") or None
    names = _OwnNames(name, frozenset(filter(None, (data["Id"][:12], hostname))))
    return Container(
        key=ContainerKey(engine, ContainerId(data["Id"])),
        name=name,
        state=State.RUNNING if running else State.STOPPED,
        labels=mapping(config.get("Labels")),
        image=config.get("Image") or "",
        created=moment(data.get("Created")) or 0.0,
        started=moment(state.get("StartedAt")) or 0.0,
        claim=Claim.NONE if not running and state.get("Status") in _NEVER_STARTED else Claim.FULL,
        health=_health(state, config),
        hostname=hostname,
        network_mode=mode,
        joined=joined,
        # Podman repeats the joined container's endpoints here: two containers would hold each of its addresses.
        endpoints=_endpoints(data, names) if joined is None else (),
        hosts_mount=_mount(data, FileKind.HOSTS),
        resolv_mount=_mount(data, FileKind.RESOLV),
        bindings=_bindings(mapping(data.get("NetworkSettings")).get("Ports")),
    )


def created_container(happened: Event) -> Container | None:
    """The new container of a `create` event: name, image, age and all labels, without a request."""
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


def _network_mode(mode: Any) -> tuple[NetworkMode | None, ContainerId | None]:
    if not isinstance(mode, str):
        return None, None
    if mode == "host":
        return NetworkMode.HOST, None
    if mode.startswith("container:"):
        return NetworkMode.CONTAINER, ContainerId(mode.removeprefix("container:"))
    return NetworkMode.OWN, None


class _OwnNames(NamedTuple):
    """The names that a container has by itself, without an alias."""

    name: str
    by_dns: frozenset[str]
    """Short id and host name: the engine's DNS answers to them, too, on each user-defined network."""


def _endpoints(data: Json, names: _OwnNames | None = None) -> tuple[Endpoint, ...]:
    """The endpoints; without `names`, as in the list, their aliases are unknown."""
    networks = mapping(mapping(data.get("NetworkSettings")).get("Networks"))
    found = (_endpoint(name, mapping(settings), names) for name, settings in networks.items())
    # `host` and `none` are listed like networks, but no container has an address there.
    return tuple(endpoint for endpoint in found if endpoint.network_name not in ("host", "none"))


def _endpoint(name: str, settings: Json, names: _OwnNames | None) -> Endpoint:
    identity = settings.get("NetworkID") or ""
    is_default = name == "podman" and identity in (name, _PODMANS_DEFAULT)
    if identity == name:  # Podman 4.3 repeats the name in place of the id
        identity = ""
    if is_default:
        name = "bridge"  # as the list of networks calls it
    gateways = (address(settings.get(key)) for key in ("Gateway", "IPv6Gateway"))
    name = "bridge" if name == "default" else name
    return Endpoint(
        network=NetworkId(identity),
        network_name=name,
        ipv4=ipv4(settings.get("IPAddress")),
        ipv6=ipv6(settings.get("GlobalIPv6Address")),
        mac=settings.get("MacAddress") or None,
        gateways=tuple(gateway for gateway in gateways if gateway is not None),
        aliases=_aliases(name, settings, names) if names is not None else None,
    )


def _aliases(network_name: str, settings: Json, names: _OwnNames) -> frozenset[str]:
    """The names that the engine's DNS answers to on a network, except the container's name: that is not an alias.

    Engines from 26.0 on list them in `DNSNames`. Older ones and Podman answer to the aliases, the short id and the
    host name as well, but list only some of them in `Aliases`. On the default bridge no engine answers to any name.
    """
    if dns_names := settings.get("DNSNames"):
        return frozenset(dns_names) - {names.name}
    own = names.by_dns if network_name != "bridge" else frozenset()
    return own.union(settings.get("Aliases") or ()) - {names.name}


_NO_BINDINGS: frozenset[Binding] = frozenset()
_EVERYWHERE = "0.0.0.0"  # noqa: S104 (an address that is read, not bound)
"""Podman leaves out the address of a port that is bound to all."""


def _bindings(ports: Any) -> frozenset[Binding] | None:
    """The published ports of an inspection: `{"53/udp": [{"HostIp": …}]}`, `null` for a port that is only exposed."""
    if not ports:
        return _NO_BINDINGS
    try:  # a container may publish thousands, so no function is called for each
        found = [
            (port, each["HostIp"] or _EVERYWHERE, port.startswith(each["HostPort"] + "/"))
            for port, bound in ports.items()
            if bound
            for each in bound
            if each["HostPort"]
        ]
        return frozenset(found)
    except (AttributeError, KeyError, TypeError):
        return None


def _listed_bindings(ports: Any) -> frozenset[Binding] | None:
    """The published ports of a list; one that is only exposed has no `PublicPort`."""
    if not ports:
        return _NO_BINDINGS
    try:
        found = [
            (
                f"{each['PrivatePort']}/{each['Type']}",
                each.get("IP") or _EVERYWHERE,
                each["PrivatePort"] == each["PublicPort"],
            )
            for each in ports
            if each.get("PublicPort")
        ]
        return frozenset(found)
    except (AttributeError, KeyError, TypeError):
        return None


def _health(state: Json, config: Json) -> Health | None:
    status = mapping(state.get("Health")).get("Status")
    if status in ("healthy", "unhealthy", "starting"):
        return Health(status)
    test = mapping(config.get("Healthcheck")).get("Test")
    # Before the first start a healthcheck is configured but has no state yet.
    return Health.NONE if not test or test == ["NONE"] or status == "none" else Health.STARTING


def _listed_health(status: Any) -> Health | None:
    found = _LISTED_HEALTH.search(status) if isinstance(status, str) else None
    return Health(found[1]) if found is not None else None


def _mount(data: Json, kind: FileKind) -> Path | None:
    for mount in data.get("Mounts") or []:
        if mapping(mount).get("Destination") == str(kind.path):
            return Path(mount.get("Source") or "/")
    return None
