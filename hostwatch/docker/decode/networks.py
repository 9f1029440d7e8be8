"""Networks, and the endpoints that a network's inspection shows before a container's own does."""

from collections.abc import Iterator

from hostwatch.core.model import Address, ContainerId, Endpoint, EngineId, Network, NetworkId, NetworkKey
from hostwatch.docker.decode.fields import Json, address, ipv4, ipv6, mapping, subnet

_BRIDGE = "com.docker.network.bridge"
"""The prefix of the bridge driver's options."""
_UNJOINED = "ep-"
"""The prefix of an endpoint's own id, where a network lists it without its container."""
_TRUE = ("1", "t", "true")
"""Docker takes these for true in an option."""
_FALSE = ("0", "f", "false")
_SMALLEST = 4
"""Addresses of the smallest subnet that has room for a gateway and a container."""


def network(engine: EngineId, data: Json) -> Network:
    """A network of `GET /networks` or `GET /networks/{id}`."""
    configs = [mapping(config) for config in mapping(data.get("IPAM")).get("Config") or []]
    subnets = (subnet(config.get("Subnet")) for config in configs)
    gateways = (address(config.get("Gateway")) for config in configs)
    return Network(
        key=NetworkKey(engine, NetworkId(data["Id"])),
        name=data.get("Name") or "",
        subnets=tuple(found for found in subnets if found is not None),
        gateways=tuple(found for found in gateways if found is not None),
        compose_name=mapping(data.get("Labels")).get("com.docker.compose.network"),
        compose_project=mapping(data.get("Labels")).get("com.docker.compose.project"),
        driver=data.get("Driver") or "",
        internal=data.get("Internal") is True,
        auxiliary=frozenset(found for config in configs for found in _auxiliary(config)),
        firsts=tuple(found for config in configs if (found := _first(config)) is not None),
        hostless=_hostless(mapping(data.get("Options"))),
        secluded=_is_secluded(mapping(data.get("Options"))),
    )


def network_endpoint(data: Json, container: ContainerId, name: str) -> Endpoint | None:
    """The container's endpoint in `GET /networks/{id}`, which shows it before an inspection of the container does.

    Until the engine has joined an endpoint to its container, it lists it by an id of its own, with the container's name
    (moby: daemon/network.go, api/server/router/network).
    """
    members = mapping(data.get("Containers"))
    unjoined = (mapping(member) for key, member in members.items() if key.startswith(_UNJOINED))
    found = mapping(members.get(container)) or next((member for member in unjoined if member.get("Name") == name), {})
    if not found:
        return None
    return Endpoint(
        network=NetworkId(data["Id"]),
        network_name=data.get("Name") or "",
        ipv4=ipv4(found.get("IPv4Address")),
        ipv6=ipv6(found.get("IPv6Address")),
        mac=found.get("MacAddress") or None,
    )


def _auxiliary(config: Json) -> Iterator[Address]:
    """The `--aux-address`es of a subnet; the containers' gateway may be among them (`DefaultGatewayIPv4`)."""
    for text in mapping(config.get("AuxiliaryAddresses")).values():
        if (found := address(text)) is not None:
            yield found


def _first(config: Json) -> Address | None:
    """The first address that the engine assigns in a subnet, or in its `--ip-range`."""
    whole, part = subnet(config.get("Subnet")), subnet(config.get("IPRange"))
    if whole is None or whole.num_addresses < _SMALLEST:
        return None
    start = part.network_address if part is not None else whole.network_address
    return start if start != whole.network_address else start + 1


def _hostless(options: Json) -> frozenset[int]:
    """The IP versions in which the bridge itself gets no address."""
    found = {4} if str(options.get(f"{_BRIDGE}.inhibit_ipv4")).lower() in _TRUE else set()
    found |= {version for version in (4, 6) if options.get(f"{_BRIDGE}.gateway_mode_ipv{version}") == "isolated"}
    return frozenset(found)


def _is_secluded(options: Json) -> bool:
    if str(options.get(f"{_BRIDGE}.enable_icc")).lower() in _FALSE:
        return True
    return "private" in (options.get("macvlan_mode"), options.get("ipvlan_flag"))
