"""What a hosts file should say: inventory and rules in, an outcome for each line out.

The outcome says whether the line has records, or why not, in a form that lets `hostwatch.core.hold` decide what to do
about time: what is gone may linger, what is not known changes nothing, what is refused goes at once.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from hostwatch.core.inventory import Inventory
from hostwatch.core.lookup import Ambiguous, Service, Tier, View
from hostwatch.core.model import Address, Container, ContainerKey, Health, State
from hostwatch.core.names import name_fault, shown
from hostwatch.core.reach import NotKnown, Reached, Unreached, reach
from hostwatch.core.records import Record
from hostwatch.core.references import Attribute, Line, Reference
from hostwatch.core.rules import Subscription


@dataclass(frozen=True, slots=True)
class Published:
    """The line has these records; `owners` are the containers whose addresses they are, one for each record."""

    line: str
    records: tuple[Record, ...]
    owners: tuple[ContainerKey | None, ...]
    of_all: bool = False
    """Whether nobody asked for this line by name (`services: "*"`): no line tells it when the service is gone."""


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
    found: list[Outcome] = []
    sources = [
        (View(inventory, subscriber, subscription.any_scope), subscription)
        for subscriber in inventory.sharers(owner)
        for subscription in inventory.roles(subscriber.key).subscriptions
    ]
    for view, subscription in sources:
        found += taken.claimed(_line_outcome(view, subscription, line) for line in subscription.lines)
    for view, subscription in sources:
        found += taken.claimed(_service_outcomes(view, subscription, taken))
    by_line: dict[str, Outcome] = {}
    for outcome in found:
        by_line.setdefault(outcome.line, outcome)
    return tuple(by_line.values())


class _Names:
    """Which names earlier sources have given already, and to which addresses."""

    def __init__(self) -> None:
        self._given: dict[str, set[Address]] = {}
        self._undecided: set[str] = set()
        """Names of lines of which it is not known what they say."""

    def free(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names that are not given yet."""
        return tuple(name for name in names if name.lower() not in self._given)

    def claimed(self, found: Iterable[Outcome]) -> list[Outcome]:
        """The outcomes without names that an earlier source gave to other addresses."""
        checked = [self._without_given(outcome) for outcome in found]
        for outcome in checked:
            if isinstance(outcome, Unknown):
                self._undecided.update(name.lower() for name in outcome.line.split()[1:])
            elif isinstance(outcome, Published):
                for record in outcome.records:
                    for name in record.names:
                        self._given.setdefault(name.lower(), set()).add(record.address)
        return checked

    def _without_given(self, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Published):
            return outcome
        names = sorted({name for record in outcome.records for name in record.names})
        if undecided := [name for name in names if name.lower() in self._undecided]:
            return Unknown(outcome.line, f"{' '.join(undecided)}: not known yet whether an earlier line has it")
        kept = [
            (Record(record.address, free), owner)
            for record, owner in zip(outcome.records, outcome.owners, strict=True)
            if (free := tuple(name for name in record.names if self._is_free(name, record.address)))
        ]
        if not kept:
            return Refused(outcome.line, f"{' '.join(names)}: already given to another address")
        return _published(outcome.line, kept, outcome.of_all)

    def _is_free(self, name: str, address: Address) -> bool:
        return address in self._given.get(name.lower(), {address})


Owned = tuple[Record, ContainerKey | None]
"""A record and the container whose address it is, `None` where it is nobody's."""


def _published(line: str, owned: Iterable[Owned], of_all: bool = False) -> Published:
    records, owners = zip(*owned, strict=True)
    return Published(line, records, owners, of_all)


# The containers behind a name.


@dataclass(frozen=True, slots=True)
class _NotHealthy:
    reason: str


@dataclass(frozen=True, slots=True)
class _NotRunning:
    reason: str


_Missing = Unreached | NotKnown | _NotHealthy | _NotRunning
_NOWHERE = Reached(None, None)


@dataclass(frozen=True, slots=True)
class _Member:
    """A container behind a name, and where this subscriber finds it, or why it does not."""

    container: Container
    owner: Container
    """The container whose network it uses, itself as a rule."""
    reached: Reached
    missing: _Missing | None
    """Why it cannot be published; `None` if it can."""

    @property
    def in_doubt(self) -> bool:
        """Whether more of its addresses may come to be known."""
        return self.owner.state is State.UNKNOWN


def _member(view: View, service: Service, container: Container, addressed: bool) -> _Member:
    owner = view.inventory.sandbox(container) or container
    place = _place(view, service, container, addressed)
    if isinstance(place, Reached):
        return _Member(container, owner, place, None)
    return _Member(container, owner, _NOWHERE, place)


def _place(view: View, service: Service, container: Container, addressed: bool) -> Reached | _Missing:
    if container.state is State.STOPPED and service.tier is not Tier.SELF:
        return _NotRunning(f"{container.name} is not running")
    roles = view.inventory.roles(container.key)
    rule = service.rule or (roles.services[0] if roles.services else None)
    network = roles.network if rule is None or rule.network is None else rule.network
    place = reach(view.inventory, view.subscriber, container, network, view.any_scope) if addressed else _NOWHERE
    if isinstance(place, Reached) and (roles.health_required or (rule is not None and rule.health_required)):
        return _if_healthy(container, place)
    return place


def _if_healthy(container: Container, place: Reached) -> Reached | _Missing:
    if container.health is None:
        return NotKnown(f"the health of {container.name} is not known yet")
    if container.health not in (Health.HEALTHY, Health.NONE):
        return _NotHealthy(f"{container.name} is {container.health.value}")
    return place


def _unanswered(view: View, service: Ambiguous | None, name: str, line: str) -> Outcome:
    """Why no one service answers to a name."""
    if isinstance(service, Ambiguous):
        return Refused(line, service.reason)
    if not view.whole():
        return Unknown(line, f"{name}: not all containers have been read")
    if (stranger := view.stranger(name)) is not None:
        place = _place(view, Service(name, Tier.CONTAINER, (stranger,)), stranger, addressed=True)
        if isinstance(place, Unreached):
            return Gone(line, f"{name}: {place.reason}")
    return Gone(line, f"{name}: no running container")


def _why_none(name: str, line: str, members: Iterable[_Member]) -> Outcome:
    """Why none of the containers can be published; what is not known counts most."""
    reasons = [member.missing for member in members if member.missing is not None]
    for kind, outcome in ((NotKnown, Unknown), (_NotHealthy, Refused), (Unreached, Gone)):
        for missing in reasons:
            if isinstance(missing, kind):
                return outcome(line, f"{name}: {missing.reason}")
    return Gone(line, f"{name}: no running container")


# Services that are asked for by name, or with `*`.


def _service_outcomes(view: View, subscription: Subscription, taken: _Names) -> Iterator[Outcome]:
    """A line for each service that is asked for by name, or with `*` for each one that is in reach."""
    if not subscription.everything:
        for name in subscription.services:
            yield _service_outcome(view, subscription, name, taken)
        return
    for service, names in _services_in_reach(view):
        line = _service_line(names[0], names)
        if isinstance(service, Ambiguous):
            yield Refused(line, service.reason)
        elif free := taken.free(names):
            outcome = _addressed(view, subscription, service, dict.fromkeys(free, service.ids), line)
            if isinstance(outcome, Published):
                yield replace(outcome, of_all=True)
            elif not isinstance(outcome, Gone):
                yield outcome


def _service_outcome(view: View, subscription: Subscription, name: str, taken: _Names) -> Outcome:
    service = view.service(name)
    # The line is the service's identity while containers and their labels come and go.
    line = _service_line(name, service.own_names if isinstance(service, Service) else (name,))
    if not isinstance(service, Service):
        return _unanswered(view, service, name, line)
    names = view.published_names(service)
    if not names:
        return Refused(line, f"{name}: {name_fault(name) or 'its names belong to several services'}")
    free = taken.free(names) or tuple(names)
    return _addressed(view, subscription, service, {name: names[name] for name in free}, line)


def _service_line(name: str, names: Iterable[str]) -> str:
    return " ".join((f"@{{{name}.ip}}", *names))


def _services_in_reach(view: View) -> Iterator[tuple[Service | Ambiguous, tuple[str, ...]]]:
    """Each service, as far as it is in reach, with all the names that stand for it, and each ambiguous name."""
    found: dict[object, tuple[Service | Ambiguous, list[str]]] = {}
    for name in view.names_in_reach():
        match view.service(name):
            case None:
                pass
            case Ambiguous() as ambiguous:
                found[name] = (ambiguous, [name])
            case service:
                near = replace(service, containers=tuple(filter(view.reaches, service.containers)))
                found.setdefault((service.rule, service.ids), (near, []))[1].append(name)
    for service, names in found.values():
        yield service, tuple(names)


def _addressed(
    view: View, subscription: Subscription, service: Service, names: Mapping[str, frozenset[str]], line: str
) -> Outcome:
    """The service's addresses, each with those of the names that stand for its container."""
    own = {c.key: tuple(name for name, ids in names.items() if c.key.id in ids) for c in service.containers}
    members = [
        _member(view, service, container, addressed=True) for container in service.containers if own[container.key]
    ]
    owned = [
        (Record(address, own[member.container.key]), member.owner.key)
        for member in members
        for address in _addresses(member.reached, subscription)
    ]
    if owned:
        return _published(line, owned)
    found = [member for member in members if member.missing is None]
    if not found:
        return _why_none(service.name, line, members)
    kind = Unknown if any(member.in_doubt for member in found) else Gone
    return kind(line, f"{service.name}: no address of the families that are asked for")


# One line of a template.


class _NoValueError(Exception):
    """A reference has no value, so that its line has none."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


_BY_NETWORK = (Attribute.IP, Attribute.IP6, Attribute.MAC)
"""What a container has on a network; the rest it has wherever it is."""


@dataclass(frozen=True, slots=True)
class _Filler:
    """Fills in a line; references with an index take their member from the slots, the others from the row."""

    view: View
    subscription: Subscription
    line: Line
    slots: tuple[_Member, ...]

    def record(self, row: _Member | None) -> Owned:
        """The line's record. Raises `_NoValueError`."""
        match self.line.address:
            case (Reference() as reference,):
                owner = None if reference.attribute is Attribute.PUBLIC_IP else self._member(reference, row).owner.key
                return Record(self._address(reference, row), self._names(row)), owner
            case field:
                literal = "".join(part for part in field if isinstance(part, str))
                return Record(ipaddress.ip_address(literal), self._names(row)), None

    def _names(self, row: _Member | None) -> tuple[str, ...]:
        names = []
        for field in self.line.names:
            name = "".join(part if isinstance(part, str) else self._text(part, row) for part in field)
            if (fault := name_fault(name)) is not None:
                raise _NoValueError(Refused(self.line.text, f"{shown(name)}: {fault}"))
            names.append(name)
        return tuple(dict.fromkeys(names))

    def _member(self, reference: Reference, row: _Member | None) -> _Member:
        name, index = reference.name, reference.index
        if row is not None and index is None:
            return row
        if index is None or index >= len(self.slots):
            raise _NoValueError(Gone(self.line.text, f"{name}: no replica {index} (there are {len(self.slots)})"))
        member = self.slots[index]
        if isinstance(member.missing, _NotRunning):
            raise _NoValueError(Gone(self.line.text, f"{name}: {member.missing.reason}"))
        if member.missing is not None:
            raise _NoValueError(_why_none(name, self.line.text, [member]))
        return member

    def _address(self, reference: Reference, row: _Member | None) -> Address:
        member = self._member(reference, row)
        match reference.attribute:
            case Attribute.PUBLIC_IP:
                return self._advertised()
            case Attribute.IP6:
                found: Address | None = member.reached.ipv6
                what = "IPv6 address"
            case _:
                found = next(iter(_addresses(member.reached, self.subscription)), None)
                what = "address of the families that are asked for"
        if found is None:
            raise self._without(member, what)
        return found

    def _without(self, member: _Member, what: str) -> _NoValueError:
        kind = Unknown if member.in_doubt else Gone
        return _NoValueError(kind(self.line.text, f"{self.line.service}: {member.container.name} has no {what}"))

    def _advertised(self) -> Address:
        found = self.view.inventory.rules.advertise
        if found is None:
            raise _NoValueError(Refused(self.line.text, "PublicIp: `advertise` is not set in the configuration"))
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
                if member.reached.mac is None:
                    raise self._without(member, "MAC address")
                return member.reached.mac
            case _:
                return str(self._address(reference, row))


def _line_outcome(view: View, subscription: Subscription, line: Line) -> Outcome:
    if line.service is None:
        return _filled(_Filler(view, subscription, line, ()), [None])
    service = view.service(line.service)
    if not isinstance(service, Service):
        return _unanswered(view, service, line.service, line.text)
    addressed = any(reference.attribute in _BY_NETWORK for reference in line.references)
    members = [_member(view, service, container, addressed) for container in service.containers]
    filler = _Filler(view, subscription, line, _slots(members))
    if all(reference.index is not None for reference in line.references):
        return _filled(filler, [None])
    found = [member for member in members if member.missing is None]
    return _filled(filler, found) if found else _why_none(line.service, line.text, members)


def _filled(filler: _Filler, rows: Iterable[_Member | None]) -> Outcome:
    """The line filled in once for each row that has all values, of at least one row."""
    owned: list[Owned] = []
    faults: list[Outcome] = []
    for row in rows:
        try:
            owned.append(filler.record(row))
        except _NoValueError as error:
            faults.append(error.outcome)
    if owned:
        return _published(filler.line.text, owned)
    return next((fault for fault in faults if isinstance(fault, Unknown)), faults[0])


def _slots(members: Iterable[_Member]) -> tuple[_Member, ...]:
    """The replicas that `[N]` counts: each keeps its number while it is restarted, or replaced under its number."""
    slots: dict[object, _Member] = {}
    for member in members:
        container = member.container
        number = container.labels.get("com.docker.compose.container-number")
        slot = (container.project, container.compose_service, number) if number is not None else container.key
        if slot not in slots or slots[slot].container.state is State.STOPPED:
            slots[slot] = member
    return tuple(slots.values())


def _addresses(reached: Reached, subscription: Subscription) -> list[Address]:
    found: list[Address] = []
    if reached.ipv4 is not None and subscription.ipv4:
        found.append(reached.ipv4)
    if reached.ipv6 is not None and subscription.ipv6:
        found.append(reached.ipv6)
    return found[::-1] if subscription.ipv6_first else found
