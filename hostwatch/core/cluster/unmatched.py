"""What the configuration publishes and this engine has not, or not in a way that other hosts can use."""

import ipaddress
from collections.abc import Iterator
from itertools import islice

from hostwatch.core.likeness import neighbours
from hostwatch.core.model import Binding, Container, EngineId, NetworkMode, State
from hostwatch.core.names import folded
from hostwatch.core.store.lister import Lister

_MOST_REPLICAS = 20
"""Containers of one name that are looked at: they are alike, and each may publish thousands of ports."""


def is_publishable(lister: Lister, engine: EngineId, name: str) -> bool:
    """Whether a published name means anything: a service of the configuration, a compose service, or a container.

    A service of the configuration that no container matches is another mistake than a wrong name.
    """
    return bool(lister.rules.service(name) or _behind(lister, engine, name))


def near_publishable(lister: Lister, engine: EngineId, name: str) -> str | None:
    """The name that is probably meant by one that means nothing."""
    near = (other for other in neighbours(name) if lister.rules.service(other) or _may_be(lister, engine, other))
    return next((other for other in near if is_publishable(lister, engine, other)), None)


def unknown_networks(lister: Lister, names: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
    """The networks of which the engine has none, each with the name that is probably meant."""
    known = {name for network in lister.networks for name in (network.name, network.compose_name) if name is not None}
    for name in names if known else ():
        if name not in known:
            yield name, next((other for other in neighbours(name) if other in known), None)


def unreachable_ports(lister: Lister, engine: EngineId, name: str) -> Iterator[str]:
    """Why other hosts reach nothing at this host's address by the name, for each container behind it."""
    for container in islice(_behind(lister, engine, name), _MOST_REPLICAS):
        service = lister.joins.sandbox(container)
        if service is None or service.state is not State.RUNNING or service.network_mode is NetworkMode.HOST:
            continue
        if service.bindings is not None and (fault := _fault(service.bindings)) is not None:
            yield f"{container.name} {fault}"


def _may_be(lister: Lister, engine: EngineId, folded_name: str) -> bool:
    """Whether a container may have the name; it is quick, for the hundreds of names that are similar to another one."""
    return any(lister.by_index(index, engine, folded_name) for index in ("name", "called", "qualified"))


def _behind(lister: Lister, engine: EngineId, name: str) -> list[Container]:
    rules = lister.rules.service(name)
    if rules:
        return [container for rule in rules for container in lister.behind_rule(rule)]
    of_service = [
        container
        for container in lister.called(engine, name)
        if container.compose_service is not None and folded(container.compose_service) == folded(name)
    ]
    return of_service or lister.qualified(engine, name) or lister.named(engine, name)


def _fault(bindings: frozenset[Binding]) -> str | None:
    if not bindings:
        return "publishes no port, so that others reach nothing at this host's address"
    loopback = {address for address in {each[1] for each in bindings} if _is_loopback(address)}
    others = [each for each in bindings if each[1] not in loopback]
    if not others:
        return "publishes its ports on a loopback address, which no other host reaches"
    if not any(is_same for *_, is_same in others):
        port = min(each[0] for each in others)
        number = port.partition("/")[0]
        return (
            f"publishes its port {port} under another number, which no hosts file tells;"
            f" publish it as {number}:{number}, or have the others use that number"
        )
    return None


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
