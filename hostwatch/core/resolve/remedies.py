"""What would change a line that is not published: for people who want it to be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hostwatch.core.block.records import Withheld
from hostwatch.core.model import Container, NetworkMode, State
from hostwatch.core.names import told
from hostwatch.core.references import Attribute, Line
from hostwatch.core.resolv_template import KEYWORDS, NAMESERVER, OPTIONS, SEARCH, ResolvLine
from hostwatch.core.resolve.lookup import Resolver
from hostwatch.core.resolve.members import Member, Missing, NotHealthy, NotRunning, member_of, network_of, rule_of
from hostwatch.core.resolve.outcome import Gone, Outcome, Unknown
from hostwatch.core.resolve.reach import is_on_named
from hostwatch.core.resolve.reached import NotKnown, Unreached
from hostwatch.core.resolve.services import Ambiguous, Service, Tier
from hostwatch.core.resolve.steps import LookUp, listed
from hostwatch.core.resolve.unanswered import Nearest
from hostwatch.core.store.lister import Lister


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for a line."""

    line: Line | None
    """The line as it was asked for; `None` for a service."""
    place: str | None
    """Where it was asked for, as in `hostwatch.yaml:14`."""
    nearest: Nearest
    """Finds what a mistyped name probably means."""


def remedy(outcome: Outcome, look_up: LookUp | None, asking: Asking) -> Iterator[str]:
    """What would change the outcome of a line, one way a sentence."""
    line = asking.line
    if isinstance(line, ResolvLine) and line.is_of_host:
        if isinstance(outcome, Gone):
            yield _OF_HOST[line.keyword]
        return
    if isinstance(outcome, Unknown):
        yield _of_unknown(look_up)
    if look_up is None:
        return
    match look_up.answer:
        case Ambiguous():
            yield f"an entry under `services` of the configuration, called {told(look_up.name)}, decides who is meant"
        case Service() as service:
            yield from _of_service(look_up, service)
        case None:
            yield from _of_slip(look_up, asking)
            yield _of_nothing(look_up.resolver, look_up.name)


_OF_HOST = {
    NAMESERVER: "a nameserver in the host's resolv.conf that is not the host's own loopback address; or the address of"
    " a server, one that the container reaches, in the place of `host`",
    SEARCH: "a line `search` in the host's resolv.conf; or domains in the place of `host`",
}


def of_shadow(shadow: Withheld) -> str | None:
    """What would bring back what a file has no place for."""
    keyword = shadow.line.partition(" ")[0]
    if keyword not in KEYWORDS:
        return _BOUND if ": shadowed by " in shadow.reason else None
    return _LATER.get(keyword) if shadow.reason.startswith("shadowed by ") else _FEWER.get(keyword)


_BOUND = (
    "take that name out of the file's own lines, which always win; those of `extra_hosts` and `--add-host` stay until"
    " the container is made anew without them"
)
_LATER = {
    SEARCH: "take the file's own `search` away, with `--dns-search=.` (`dns_search: .` in a compose file), or give the"
    " domains to the container in that way",
    OPTIONS: "give the option to the container itself (`--dns-option`, `dns_opt` in a compose file): what stands later"
    " in the file wins",
}
"""By the keyword of a line that a later one of the file overrides."""
_FEWER = {
    NAMESERVER: "leave out another nameserver, or write `ip[0]` in the place of `ip`, which is one replica alone",
    SEARCH: "write all domains into one line `search`",
}


def _of_unknown(look_up: LookUp | None) -> str:
    if look_up is not None and _awaits_others(look_up):
        return "it is decided once other hosts have answered; `hostwatch status` has the state of each source of names"
    if look_up is None or look_up.of_host is None or look_up.resolver.lister.host_addresses is not None:
        return "it is decided once the engine has told what is not known yet"
    return "`hostwatch doctor` says what keeps this host's address from being known"


def _awaits_others(look_up: LookUp) -> bool:
    answer, lister = look_up.answer, look_up.resolver.lister
    rule = answer.rule if isinstance(answer, Service) else None
    return look_up.resolver.awaits_others or (rule is not None and lister.remotes.awaits(rule.source))


_TOGETHER = (
    "connect {} and the subscriber to one network (`docker network connect NETWORK CONTAINER`); `scope: any` in the"
    " subscriber's entry of the configuration publishes the address without one, which leads there only by a route that"
    " you have made"
)
_BRIDGE = "connect {} to a network of the driver bridge (`docker network connect NETWORK CONTAINER`)"


def _of_service(look_up: LookUp, service: Service) -> Iterator[str]:
    if not service.containers:
        yield _of_empty(look_up.resolver, service)
        return
    members = [member_of(look_up.resolver, service, c, look_up.is_addressed) for c in service.containers]
    places = [look_up.on_host(member.container) for member in members if member.missing is None]
    if look_up.of_host is not None and any(isinstance(place, Unreached) for place in places):
        yield _ON_HOST[look_up.of_host.attribute]
    for kind, words in _BY_FAULT.items():
        if own := _missing(members, kind):
            yield words.format(listed(own))
    by_way: dict[str, list[Container]] = {}
    for container in _missing(members, Unreached):
        by_way.setdefault(_way_to(look_up.resolver, service, container), []).append(container)
    yield from (way.replace("{}", listed(found)) for way, found in by_way.items())
    if others := [member.container for member in members if member.missing is not None and member.container.remote]:
        yield _ELSEWHERE.format(listed(others))


def _missing(members: Sequence[Member], kind: type[Missing]) -> list[Container]:
    """The containers of this host that lack something of this kind."""
    return [each.container for each in members if isinstance(each.missing, kind) and each.container.remote is None]


def _way_to(resolver: Resolver, service: Service, container: Container) -> str:
    """What would give the subscriber an address of a container, for which `{}` stands."""
    lister, context = resolver.lister, resolver.context
    used = lister.joins.sandbox(container)
    if context.has_lost_network:
        return "make the subscriber anew: the container whose network it used is gone"
    if used is None or lister.joins.has_outlived(container):
        return "make {} anew: the container whose network it used is gone, or was started anew"
    if used.network_mode is NetworkMode.HOST:
        return _BRIDGE.replace("{}", "the subscriber")
    if (network := network_of(lister, service, container)) is not None:
        is_on = is_on_named(lister, container, network)
        joins = "the subscriber" if is_on and context.network_mode is not NetworkMode.HOST else "{}"
        where = "a network of the driver bridge" if is_on and joins == "{}" else _named(lister, container, network)
        return f"connect {joins} to {where}, or change {_choice(resolver, service, container)}"
    return _BRIDGE if context.network_mode is NetworkMode.HOST else _TOGETHER


def _named(lister: Lister, container: Container, network: str) -> str:
    """The engine's name of a network, which may be written as its key in the container's compose file."""
    own = [each.name for each in lister.networks if each.key.engine == container.key.engine]
    keyed = [
        each.name
        for each in lister.networks
        if container.project is not None and (each.compose_project, each.compose_name) == (container.project, network)
    ]
    return told(network if network in own else next(iter(keyed), network))


def _choice(resolver: Resolver, service: Service, container: Container) -> str:
    """Where it is chosen that only the addresses on one network are published."""
    rule = rule_of(resolver.lister, service, container)
    if rule is None or rule.network is None:
        return "the label `hostwatch.network` of {}"
    place = f" ({told(rule.network_place)})" if rule.network_place is not None else ""
    return f"`network:` of the service {told(rule.key)}{place}"


def _of_empty(resolver: Resolver, service: Service) -> str:
    """What would be behind a service of the configuration."""
    if service.rule is not None and service.rule.is_from_catalog:
        return f"an instance of {told(service.name)} in its catalog, with an address"
    found = f"a container that matches the service {told(service.name)} of the configuration"
    return f"{found}, here or on a host that publishes it" if resolver.asks_others(Tier.CLUSTER) else found


_ELSEWHERE = (
    "an address of {} that this host has a route to, and that is on no network of its own; or an overlay network that"
    " the subscriber is on, too"
)
_ON_HOST = {
    Attribute.HOST_IP: "publish the port on an address that the subscriber reaches (`ports:` in a compose file, or"
    " `docker run --publish`)",
    Attribute.PUBLIC_IP: "a default route of this host (`ip route`), or an address as `advertise` in the configuration",
}
_BY_FAULT: dict[type[Missing], str] = {
    NotRunning: "start {}, or make it anew",
    NotHealthy: "{} becomes healthy, or its `health: required` is taken away",
    NotKnown: "{} is read by the engine",
}


def _of_slip(look_up: LookUp, asking: Asking) -> Iterator[str]:
    """The name that was probably meant by one that nothing has."""
    resolver = look_up.resolver
    near = asking.nearest.of(look_up.name) if resolver.is_complete() and not resolver.stranger(look_up.name) else None
    if near is not None:
        place = f" ({told(asking.place)})" if asking.place is not None else ""
        yield f"write {told(near)} in the place of {told(look_up.name)}{place}, if that is meant"


def _of_nothing(resolver: Resolver, name: str) -> str:
    context = resolver.context
    if (stranger := resolver.stranger(name)) is not None:
        if stranger.state is State.STOPPED:
            return f"start {told(name)}"
        return _way_to(resolver, Service(name, Tier.CONTAINER, (stranger,)), stranger).replace("{}", told(name))
    name = told(name)
    ways = [f"a container called {name}", f"`hostwatch.names: {name}` on one"]
    if context.project is not None:
        ways.insert(0, f"a service {name} in the compose project {told(context.project)}")
    networks = told(" or ".join(sorted(a.network_name for a in context.attachments)))
    if networks:
        ways.append(f"the alias {name} on {networks}")
    found = [f"{', '.join(ways)}, in reach of the subscriber"]
    if resolver.asks_others(Tier.OVERLAY):
        found.append(f"a service or container {name} of another host, on an overlay network of the subscriber")
    if resolver.asks_others(Tier.CLUSTER):
        found.append(f"{name} under `cluster.publish` of the host that has it")
    return f"{'; '.join(found)}; or an entry {name} under `services` of the configuration"
