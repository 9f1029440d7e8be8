"""What a hosts file should say: inventory and rules in, an outcome for each line out.

The outcome says whether the line has records, or why not, in a form that lets `hostwatch.core.hold` decide what to do
about time: what is gone may linger, what is not known changes nothing, what is refused goes at once.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hostwatch.core.inventory import Inventory
from hostwatch.core.lookup import Ambiguous, Service, Tier, View
from hostwatch.core.model import Address, Container, ContainerKey, Health, State
from hostwatch.core.names import name_fault
from hostwatch.core.reach import NotKnown, Reach, Reached, Unreached, reach
from hostwatch.core.records import Record
from hostwatch.core.references import Attribute, Field, Line, Reference
from hostwatch.core.rules import Subscription


@dataclass(frozen=True, slots=True)
class Published:
    """The line has these records; `owners` are the containers whose addresses they are, one for each record."""

    line: str
    records: tuple[Record, ...]
    owners: tuple[ContainerKey | None, ...]


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing that answers to the line runs or can be reached; its last records may linger."""

    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The line must not be published as things are."""

    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Whether the line has records cannot be told now; its last records stay."""

    line: str
    reason: str


Outcome = Published | Gone | Refused | Unknown


def outcomes(inventory: Inventory, owner: ContainerKey) -> tuple[Outcome, ...]:
    """The outcome of each line that anybody wants in the hosts file of `owner`.

    The file's own container comes first, then those that share it; the configuration before labels. A name that an
    earlier source gave to another service stays with it, and lines that name their names win over `services:`.
    """
    taken = _Names()
    explicit: list[Outcome] = []
    generated: list[Outcome] = []
    sources = [
        (View(inventory, subscriber, subscription.any_scope), subscription)
        for subscriber in inventory.sharers(owner)
        for subscription in inventory.roles(subscriber.key).subscriptions
    ]
    for view, subscription in sources:
        explicit += taken.claimed(_line_outcomes(view, subscription))
    for view, subscription in sources:
        generated += taken.claimed(_service_outcomes(view, subscription, taken))
    return tuple({outcome.line: outcome for outcome in reversed([*explicit, *generated])}.values())[::-1]


class _Names:
    """Which names are given already, and to which line."""

    def __init__(self) -> None:
        self._given: dict[str, set[Address]] = {}

    def free(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names that are not given yet."""
        return tuple(name for name in names if name.lower() not in self._given)

    def claimed(self, found: Iterable[Outcome]) -> list[Outcome]:
        """The outcomes without names that an earlier source gave to other addresses."""
        checked = [self._without_given(outcome) for outcome in found]
        for outcome in checked:
            if isinstance(outcome, Published):
                for record in outcome.records:
                    for name in record.names:
                        self._given.setdefault(name.lower(), set()).add(record.address)
        return checked

    def _without_given(self, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Published):
            return outcome
        kept = [
            (Record(record.address, names), owner)
            for record, owner in zip(outcome.records, outcome.owners, strict=True)
            if (names := tuple(name for name in record.names if self._free(name, record.address)))
        ]
        if not kept:
            given = " ".join(sorted({name for record in outcome.records for name in record.names}))
            return Refused(outcome.line, f"{given}: already given to another address")
        return Published(outcome.line, tuple(r for r, _ in kept), tuple(o for _, o in kept))

    def _free(self, name: str, address: Address) -> bool:
        return address in self._given.get(name.lower(), {address})


def _line_outcomes(view: View, subscription: Subscription) -> Iterator[Outcome]:
    for line in subscription.lines:
        yield _outcome(view, subscription, line)


def _service_outcomes(view: View, subscription: Subscription, taken: _Names) -> Iterator[Outcome]:
    """A line for each service that is asked for by name, or with `*` for each one that is in reach."""
    if not subscription.everything:
        for name in subscription.services:
            service = view.service(name)
            names = view.published_names(service) if isinstance(service, Service) else ()
            yield _service_outcome(view, subscription, name, service, taken.free(names) or names or (name,))
        return
    for service, names in _services_in_reach(view):
        if isinstance(service, Ambiguous):
            yield Refused(" ".join((f"@{{{names[0]}.ip}}", *names)), service.reason)
        elif free := taken.free(names):
            outcome = _service_outcome(view, subscription, free[0], service, free)
            if not isinstance(outcome, Gone):
                yield outcome


def _services_in_reach(view: View) -> Iterator[tuple[Service | Ambiguous, tuple[str, ...]]]:
    """Each service in reach with all the names that stand for it, and each ambiguous name."""
    found: dict[object, tuple[Service | Ambiguous, list[str]]] = {}
    for name in view.names_in_reach():
        match view.service(name):
            case None:
                pass
            case Ambiguous() as ambiguous:
                found[name] = (ambiguous, [name])
            case service:
                found.setdefault((service.rule, service.ids), (service, []))[1].append(name)
    for service, names in found.values():
        yield service, tuple(names)


def _service_outcome(
    view: View, subscription: Subscription, name: str, service: Service | Ambiguous | None, names: tuple[str, ...]
) -> Outcome:
    text = " ".join((f"@{{{name}.ip}}", *names))
    found = _members(view, service, name, text)
    if not isinstance(found, list):
        return found
    published = [
        (Record(address, names), member.container.key)
        for member in found
        for address in _addresses(member.reached, subscription)
    ]
    if not published:
        return Gone(text, f"{name}: no address of the families that are asked for")
    return Published(text, tuple(record for record, _ in published), tuple(owner for _, owner in published))


# One line of a template.


@dataclass(frozen=True, slots=True)
class _Member:
    """A container that a line can be filled in with."""

    container: Container
    reached: Reached


class _NoValueError(Exception):
    """A reference has no value, so that its line has none."""


def _outcome(view: View, subscription: Subscription, line: Line) -> Outcome:
    if line.service is None:
        return _filled(view, subscription, line, [None])
    found = _members(view, view.service(line.service), line.service, line.text)
    if isinstance(found, list):
        single = all(reference.index is not None for reference in line.references)
        return _filled(view, subscription, line, found[:1] if single else found, found)
    return found


def _filled(
    view: View,
    subscription: Subscription,
    line: Line,
    rows: Iterable[_Member | None],
    members: list[_Member] | None = None,
) -> Outcome:
    """The line filled in once for each row; references with an index take their member from all of them."""
    published: list[tuple[Record, ContainerKey | None]] = []
    filler = _Filler(view, subscription, members or [])
    try:
        for row in rows:
            record = Record(filler.address(line.address, row), filler.names(line.names, row))
            published.append((record, filler.owner(line.address, row)))
    except _NoValueError as error:
        return Gone(line.text, str(error))
    return Published(line.text, tuple(record for record, _ in published), tuple(owner for _, owner in published))


@dataclass(frozen=True, slots=True)
class _Filler:
    view: View
    subscription: Subscription
    members: list[_Member]

    def address(self, field: Field, row: _Member | None) -> Address:
        match field:
            case (Reference() as reference,):
                return self._address(reference, row)
            case _:
                return _literal(field)

    def names(self, fields: Iterable[Field], row: _Member | None) -> tuple[str, ...]:
        names = []
        for field in fields:
            name = "".join(part if isinstance(part, str) else self._text(part, row) for part in field)
            if (fault := name_fault(name)) is not None:
                raise _NoValueError(f"{name}: {fault}")
            names.append(name)
        return tuple(dict.fromkeys(names))

    def owner(self, field: Field, row: _Member | None) -> ContainerKey | None:
        match field:
            case (Reference(attribute=Attribute.IP | Attribute.IP6) as reference,):
                return self._member(reference, row).container.key
            case _:
                return None

    def _member(self, reference: Reference, row: _Member | None) -> _Member:
        if reference.index is None:
            if row is None:
                raise _NoValueError(f"{reference.name}: no running container")
            return row
        if reference.index >= len(self.members):
            raise _NoValueError(f"{reference.name}: no replica {reference.index} ({len(self.members)} running)")
        return self.members[reference.index]

    def _address(self, reference: Reference, row: _Member | None) -> Address:
        if reference.attribute is Attribute.PUBLIC_IP:
            advertised = self.view.inventory.rules.advertise
            if advertised is None:
                raise _NoValueError("PublicIp: `advertise` is not set in the configuration")
            return advertised
        member = self._member(reference, row)
        if reference.attribute is Attribute.IP6:
            found: Address | None = member.reached.ipv6
        else:
            found = next(iter(_addresses(member.reached, self.subscription)), None)
        if found is None:
            kind = "IPv6 address" if reference.attribute is Attribute.IP6 else "address of the families asked for"
            raise _NoValueError(f"{reference.name}: {member.container.name} has no {kind}")
        return found

    def _text(self, reference: Reference, row: _Member | None) -> str:
        member = self._member(reference, row)
        container = member.container
        match reference.attribute:
            case Attribute.NAME:
                return container.name
            case Attribute.HOSTNAME:
                return container.hostname or container.key.id[:12]
            case Attribute.MAC:
                value = member.reached.mac
                if value is None:
                    raise _NoValueError(f"{reference.name}: {container.name} has no MAC address")
                return value
            case _:
                return str(self._address(reference, row))


def _literal(field: Field) -> Address:
    return ipaddress.ip_address("".join(part for part in field if isinstance(part, str)))


def _addresses(reached: Reached, subscription: Subscription) -> list[Address]:
    found: list[Address] = []
    if reached.ipv4 is not None and subscription.ipv4:
        found.append(reached.ipv4)
    if reached.ipv6 is not None and subscription.ipv6:
        found.append(reached.ipv6)
    return found[::-1] if subscription.ipv6_first else found


# The containers behind a name.


def _members(view: View, service: Service | Ambiguous | None, name: str, line: str) -> list[_Member] | Outcome:
    """The containers of the service that can be published to this subscriber, or why there is none."""
    match service:
        case None:
            if view.may_be_unread():
                return Unknown(line, f"{name}: not all containers have been read")
            return Gone(line, f"{name}: no running container")
        case Ambiguous(reason):
            return Refused(line, reason)
        case Service():
            found = [(container, _reached(view, service, container)) for container in service.containers]
            members = [_Member(container, place) for container, place in found if isinstance(place, Reached)]
            return members or _why_none(name, line, [place for _, place in found])


@dataclass(frozen=True, slots=True)
class _NotHealthy:
    reason: str


@dataclass(frozen=True, slots=True)
class _NotRunning:
    reason: str = "no running container"


def _reached(view: View, service: Service, container: Container) -> Reach | _NotHealthy | _NotRunning:
    if container.state is State.STOPPED and service.tier is not Tier.SELF:
        return _NotRunning()
    roles = view.inventory.roles(container.key)
    rule = service.rule or (roles.services[0] if roles.services else None)
    if roles.health_required or (rule is not None and rule.health_required):
        if container.health is None:
            return NotKnown(f"the health of {container.name} is not known yet")
        if container.health not in (Health.HEALTHY, Health.NONE):
            return _NotHealthy(f"{container.name} is {container.health.value}")
    network = roles.network if rule is None or rule.network is None else rule.network
    return reach(view.inventory, view.subscriber, container, network, view.any_scope)


def _why_none(name: str, line: str, places: list[Reach | _NotHealthy | _NotRunning]) -> Outcome:
    for kind, outcome in ((NotKnown, Unknown), (_NotHealthy, Refused), (Unreached, Gone)):
        for place in places:
            if isinstance(place, kind) and not isinstance(place, Reached):
                return outcome(line, f"{name}: {place.reason}")
    return Gone(line, f"{name}: no running container")
