"""What would change a line that is not published: for people who want it to be."""

from collections.abc import Iterator

from hostwatch.core.block.records import Withheld
from hostwatch.core.model import State
from hostwatch.core.names import told
from hostwatch.core.references import Attribute, Line
from hostwatch.core.resolv_template import KEYWORDS, NAMESERVER, OPTIONS, SEARCH, ResolvLine
from hostwatch.core.resolve.lookup import Resolver
from hostwatch.core.resolve.members import Missing, NotHealthy, NotRunning, member_of
from hostwatch.core.resolve.outcome import Gone, Outcome, Unknown
from hostwatch.core.resolve.reached import NotKnown, Unreached
from hostwatch.core.resolve.services import Ambiguous, Service, Tier
from hostwatch.core.resolve.steps import LookUp, listed


def remedy(outcome: Outcome, look_up: LookUp | None, line: Line | None) -> Iterator[str]:
    """What would change the outcome of a line, one way a sentence."""
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


_BOUND = "take that name out of the file's own lines, as of the container's `extra_hosts`: these always win"
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
    "connect {} and the subscriber to one network (`docker network connect NETWORK CONTAINER`), or give the"
    " subscriber's entry in the configuration `scope: any`"
)


def _of_service(look_up: LookUp, service: Service) -> Iterator[str]:
    if not service.containers:
        yield _of_empty(look_up.resolver, service)
        return
    members = [member_of(look_up.resolver, service, c, look_up.is_addressed) for c in service.containers]
    places = [look_up.on_host(member.container) for member in members if member.missing is None]
    if look_up.of_host is not None and any(isinstance(place, Unreached) for place in places):
        yield _ON_HOST[look_up.of_host.attribute]
    for kind, words in _BY_FAULT.items():
        found = [member.container for member in members if isinstance(member.missing, kind)]
        if own := [container for container in found if container.remote is None]:
            yield words.format(listed(own))
    if others := [member.container for member in members if member.missing is not None and member.container.remote]:
        yield _ELSEWHERE.format(listed(others))


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
    Unreached: _TOGETHER,
    NotKnown: "{} is read by the engine",
}


def _of_nothing(resolver: Resolver, name: str) -> str:
    context = resolver.context
    if (stranger := resolver.stranger(name)) is not None:
        return f"start {told(name)}" if stranger.state is State.STOPPED else _TOGETHER.format(told(name))
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
