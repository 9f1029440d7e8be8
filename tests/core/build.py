"""Short ways to make containers, networks and stores."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from hostwatch.core.model import (
    Address,
    Binding,
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
)
from hostwatch.core.patterns import Pattern, parsed_pattern
from hostwatch.core.references import Line, parsed_template
from hostwatch.core.resolve import desired
from hostwatch.core.resolve.linger import Desired
from hostwatch.core.resolve.outcome import Memory, Outcome, Published
from hostwatch.core.rules import Match, Rules, ServiceRule, SubscriberRule, Subscription
from hostwatch.core.store.store import Store

ENGINE = EngineId("engine")
RUNNING, STOPPED, UNKNOWN = State.RUNNING, State.STOPPED, State.UNKNOWN


def key(name: str, engine: EngineId = ENGINE) -> ContainerKey:
    """A container's key. Its id is made from its name."""
    return ContainerKey(engine, ContainerId(name.encode().hex().ljust(64, "0")))


def ip(text: str) -> Address:
    """An address."""
    return ipaddress.ip_address(text)


def on(
    network: str,
    *addresses: str,
    aliases: tuple[str, ...] | None = (),
    gateways: tuple[str, ...] = (),
    mac: str | None = None,
    known: bool = True,
) -> Endpoint:
    """An endpoint; `aliases=None`: not read yet; `known=False`: without the network's id."""
    found = [ipaddress.ip_address(address) for address in addresses]
    return Endpoint(
        network=NetworkId(f"id-{network}" if known else ""),
        network_name=network,
        ipv4=next((address for address in found if isinstance(address, ipaddress.IPv4Address)), None),
        ipv6=next((address for address in found if isinstance(address, ipaddress.IPv6Address)), None),
        mac=mac,
        gateways=tuple(map(ip, gateways)),
        aliases=None if aliases is None else frozenset(aliases),
    )


def box(
    name: str,
    *endpoints: Endpoint,
    state: State = RUNNING,
    labels: Mapping[str, str] | None = None,
    compose: str | None = None,
    number: int = 1,
    mode: NetworkMode | None = NetworkMode.OWN,
    join: str | None = None,
    health: Health | None = Health.NONE,
    created: float = 0.0,
    image: str = "",
    hostname: str | None = None,
    engine: EngineId = ENGINE,
    claim: Claim = Claim.FULL,
    ports: tuple[str, ...] | None = (),
) -> Container:
    """A container; `compose` is `project/service`, `join` the name of the container whose network it uses.

    Each port is as in `5432/tcp 192.0.2.1`, its address on the host; with another number there as in
    `80/tcp 192.0.2.1 8080`; `None`: not known.
    """
    own = {}
    if compose is not None:
        project, _, service = compose.partition("/")
        own = {
            "com.docker.compose.project": project,
            "com.docker.compose.service": service,
            "com.docker.compose.container-number": str(number),
        }
    return Container(
        key=key(name, engine),
        name=name,
        state=state,
        labels=own | dict(labels or {}),
        image=image,
        created=created,
        claim=claim,
        health=health,
        hostname=hostname,
        network_mode=NetworkMode.CONTAINER if join is not None else mode,
        joined=key(join, engine).id if join is not None else None,
        endpoints=endpoints,
        bindings=None if ports is None else frozenset(_binding(port) for port in ports),
    )


def _binding(text: str) -> Binding:
    port, address, *other = text.split(" ")
    return port, address, not other


def hosts(*lines: str, **labels: str) -> dict[str, str]:
    """The labels of a subscriber with these template lines."""
    return {"hostwatch.hosts": "\n".join(lines)} | {f"hostwatch.{label}": value for label, value in labels.items()}


def net(
    name: str,
    *subnets: str,
    gateways: tuple[str, ...] = (),
    compose: str | None = None,
    engine: EngineId = ENGINE,
    driver: str = "bridge",
    **options: Any,
) -> Network:
    """A network, a bridge as a rule; `compose` is `project/key`."""
    ranges = tuple(ipaddress.ip_network(subnet) for subnet in subnets)
    project, _, own_key = (compose or "/").partition("/")
    return Network(
        NetworkKey(engine, NetworkId(f"id-{name}")),
        name,
        ranges,
        tuple(ip(gateway) for gateway in gateways),
        own_key or None,
        project or None,
        driver,
        firsts=tuple(subnet.network_address + 1 for subnet in ranges),
        **options,
    )


def store(*lister: Container | Network, rules: Rules | None = None) -> Store:
    """A store of these."""
    made = Store(rules if rules is not None else Rules())
    for fact in lister:
        if isinstance(fact, Container):
            made.put(fact)
        else:
            made.put_network(fact)
    return made


def lines(*sources: str) -> tuple[Line, ...]:
    """Template lines, which must be valid."""
    found, faults = parsed_template("\n".join(sources))
    assert not faults
    return found


def patterns(*texts: str) -> tuple[Pattern, ...]:
    """Patterns of `publish_as`, which must be valid."""
    return tuple(map(parsed_pattern, texts))


def service(name: str, names: tuple[str, ...] = (), network: str | None = None, healthy: bool = False) -> ServiceRule:
    """A service of the configuration: the containers `NAME-*`."""
    return ServiceRule(name, Match(name=(f"{name}-*",)), names or (name,), network, healthy)


def subscriber(name: str, subscription: Subscription) -> SubscriberRule:
    """A subscriber of the configuration: the container of that name."""
    return SubscriberRule(name, Match(name=(name,)), subscription)


def outcomes(made: Store, file: ContainerKey) -> tuple[Outcome, ...]:
    """The outcome of each line that is requested for a file."""
    return desired.outcomes(made, made.sharing(file).requests)


def desired_block(made: Store, file: ContainerKey, memory: Memory, now: float, linger_seconds: float) -> Desired:
    """The desired block of a file."""
    return desired.desired_block(made, made.sharing(file).requests, memory, now, linger_seconds)


def told(made: Store, name: str | ContainerKey) -> list[str]:
    """The desired lines of a container's hosts file: `ADDRESS NAMES`, or `KIND reason` for a line without records."""
    found = []
    for outcome in outcomes(made, key(name) if isinstance(name, str) else name):
        if isinstance(outcome, Published):
            found += [" ".join((str(record.address), *record.names)) for record in outcome.records]
        else:
            found.append(f"{type(outcome).__name__} {outcome.reason}")
    return found


def only(made: Store, name: str) -> Outcome:
    """The one outcome in the hosts file of a container."""
    (outcome,) = outcomes(made, key(name))
    return outcome
