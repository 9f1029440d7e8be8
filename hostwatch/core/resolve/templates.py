"""Fills in a template line: once for each replica, or once with the replicas that its indexes name."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from hostwatch.core.block.records import Record
from hostwatch.core.model import Address, Container, State
from hostwatch.core.names import name_fault, shown
from hostwatch.core.references import Attribute, Line, Reference
from hostwatch.core.resolve.host_address import Undecided, host_reach
from hostwatch.core.resolve.lookup import Resolver
from hostwatch.core.resolve.members import (
    Member,
    NotRunning,
    addresses,
    answer_for,
    as_far_as_known,
    awaits_replicas,
    member_of,
    source_of,
    unanswered,
    why_no_member,
    why_none,
)
from hostwatch.core.resolve.outcome import Gone, Origin, Outcome, Owned, Refused, Source, Unknown, published
from hostwatch.core.resolve.reached import NotKnown, Reached, Unreached
from hostwatch.core.resolve.services import Service
from hostwatch.core.rules import Subscription


class _NoValueError(Exception):
    """A reference has no value, so its line has no record."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


_BY_NETWORK = (Attribute.IP, Attribute.IP6, Attribute.MAC)
"""Attributes that depend on the network."""


@dataclass(frozen=True, slots=True)
class _Filler:
    """Fills in a line. A reference with an index takes its member from the slots, any other from the row."""

    resolver: Resolver
    subscription: Subscription
    line: Line
    slots: tuple[Member, ...]
    source: Source | None = None
    """The service that its references look up."""

    def record(self, row: Member | None) -> Owned:
        """The line's record. Raises `_NoValueError`."""
        match self.line.address:
            case (Reference() as reference,):
                return Record(self._address(reference, row), self._names(row)), self._origin(reference, row)
            case field:
                literal = "".join(part for part in field if isinstance(part, str))
                return Record(ipaddress.ip_address(literal), self._names(row)), Origin()

    def _origin(self, reference: Reference, row: Member | None) -> Origin:
        member = self._member(reference, row)
        # No container has an address of the host, so that none can lose it to another.
        return Origin(service_container=member.container.name) if reference.attribute.is_of_host else member.origin

    def _names(self, row: Member | None) -> tuple[str, ...]:
        names = []
        for field in self.line.names:
            name = "".join(part if isinstance(part, str) else self._text(part, row) for part in field)
            if (fault := name_fault(name)) is not None:
                raise _NoValueError(Refused(self.line.text, f"{shown(name)}: {fault}"))
            names.append(name)
        return tuple(dict.fromkeys(names))

    def _member(self, reference: Reference, row: Member | None) -> Member:
        name, index = reference.name, reference.index
        if row is not None and index is None:
            return row
        if index is None or index >= len(self.slots):
            raise _NoValueError(Gone(self.line.text, f"{name}: no replica {index} (there are {len(self.slots)})"))
        member = self.slots[index]
        if isinstance(member.missing, NotRunning):
            raise _NoValueError(Gone(self.line.text, f"{name}: {member.missing.reason}"))
        if member.missing is not None:
            raise _NoValueError(why_none(name, self.line.text, [member]))
        return member

    def _address(self, reference: Reference, row: Member | None) -> Address:
        member = self._member(reference, row)
        match reference.attribute:
            case Attribute.PUBLIC_IP | Attribute.HOST_IP:
                return self._of_host(reference, member.container)
            case Attribute.IP6:
                found: Address | None = member.reached.ipv6
                what = "IPv6 address"
            case _:
                found = next(iter(addresses(member.reached, self.subscription)), None)
                what = "address of the families that are asked for"
        if found is None:
            raise self._without(member, what)
        return found

    def _without(self, member: Member, what: str) -> _NoValueError:
        kind = Unknown if member.is_stale else Gone
        return _NoValueError(kind(self.line.text, f"{self.line.service}: {member.container.name} has no {what}"))

    def _of_host(self, reference: Reference, container: Container) -> Address:
        place = host_reach(self.resolver.lister, self.resolver.context, container, reference)
        what = reference.name if reference.attribute is Attribute.HOST_IP else reference.attribute.value
        if not isinstance(place, Reached):
            raise _NoValueError(_WITHOUT[type(place)](self.line.text, f"{what}: {place.reason}"))
        found = addresses(place, self.subscription)
        if not found:
            known = " and ".join(str(address) for address in (place.ipv4, place.ipv6) if address is not None)
            raise _NoValueError(Gone(self.line.text, f"{what}: {known} is not of the families that are asked for"))
        return found[0]

    def _text(self, reference: Reference, row: Member | None) -> str:
        member = self._member(reference, row)
        container = member.container
        match reference.attribute:
            case Attribute.NAME:
                return container.name
            case Attribute.HOSTNAME:
                return container.own_hostname
            case Attribute.MAC:
                if member.reached.mac is None:
                    raise self._without(member, "MAC address")
                return member.reached.mac
            case _:
                return str(self._address(reference, row))


_WITHOUT: dict[type[Unreached | NotKnown | Undecided], type[Gone | Unknown | Refused]] = {
    Unreached: Gone,
    NotKnown: Unknown,
    Undecided: Refused,
}
"""The outcome of a line without an address of the host."""


def is_addressed(line: Line) -> bool:
    """Whether a line asks for something that depends on the network."""
    return any(reference.attribute in _BY_NETWORK for reference in line.references)


def line_outcome(resolver: Resolver, own: Container | None, subscription: Subscription, line: Line) -> Outcome:
    """The outcome of a template's line. `own` is the subscriber, if a line names it."""
    if line.service is None:
        return _filled(_Filler(resolver, subscription, line, ()), [None])
    service = answer_for(resolver, own, line.service, line.of_host)
    if not isinstance(service, Service):
        return unanswered(resolver, service, line.service, line.text)
    addressed = is_addressed(line)
    members = [member_of(resolver, service, container, addressed) for container in service.containers]
    filler = _Filler(resolver, subscription, line, _slots(members), source_of(service))
    if all(reference.index is not None for reference in line.references):
        if awaits_replicas(resolver, service):  # which may come first
            return Unknown(line.text, f"{line.service}: the replicas of other hosts are not known yet")
        return _filled(filler, [None])
    found = [member for member in members if member.missing is None]
    if not found:
        return why_no_member(resolver, service, line.service, line.text, members)
    return as_far_as_known(resolver, service, _filled(filler, found))


def _filled(filler: _Filler, rows: Iterable[Member | None]) -> Outcome:
    """The line, filled in once for each row that has all values. At least one row is given."""
    owned: list[Owned] = []
    faults: list[Outcome] = []
    for row in rows:
        try:
            owned.append(filler.record(row))
        except _NoValueError as error:
            faults.append(error.outcome)
    if owned:
        return published(filler.line.text, owned, filler.source)
    return next((fault for fault in faults if isinstance(fault, Unknown)), faults[0])


def _slots(members: Iterable[Member]) -> tuple[Member, ...]:
    """The replicas that `[N]` counts. A replica keeps its index while it is restarted, or replaced under its number."""
    slots: dict[object, Member] = {}
    for member in members:
        container = member.container
        number = container.labels.get("com.docker.compose.container-number")
        # Two hosts count their containers independently.
        is_numbered = number is not None and container.remote is None
        slot = (container.project, container.compose_service, number) if is_numbered else container.key
        if slot not in slots or slots[slot].container.state is State.STOPPED:
            slots[slot] = member
    return tuple(slots.values())
