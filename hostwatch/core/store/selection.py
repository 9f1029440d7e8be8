"""The roles of a container: the services it stands behind, and the lines it requests in its own hosts file.

Both follow from the container and the rules alone, without any other container.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from hostwatch.core.likeness import differs_by_a_letter, nearest_of
from hostwatch.core.model import Container, FileKind
from hostwatch.core.names import name_fault, shown
from hostwatch.core.notifications import Notification, notification_of_label
from hostwatch.core.patterns import ALIKE, GIVEN_NAMES, MOST_PATTERNS, Pattern, PatternError, parsed_pattern
from hostwatch.core.references import Line, Parsed, is_service_name, parsed_template
from hostwatch.core.resolv_template import parsed_resolv
from hostwatch.core.rules import Rules, ServiceRule, Subscription

MAX_LABEL_LENGTH = 65_536
"""A longer label is refused unread: it would make a hosts file that the engine's own parser fails on (64 KiB)."""

MAX_NAMES = 64
"""More names are refused: each name is looked up for every subscriber that may see it, some 10 µs each time."""
MAX_SERVICES = 1_000
MAX_WORDS = 6_000
"""More words in a template are refused: 900 lines have six words each, and ten times as many took 0.2 s each time."""
_MAX_NETWORK_NAME = 255
_MAX_UNKNOWN = 10
"""At most this many unknown labels are reported, as a container may have any number of them."""

_HEAD = "hostwatch"
_PREFIX = "hostwatch."

_YES = ("true", "1", "yes", "on")
_NO = ("false", "0", "no", "off")

KNOWN_LABELS = ("hosts", "services", "publish_as", "resolv", "notify", "names", "network", "health", "enable")


_WHOLE = "; because of this the whole label counts for nothing"
_NO_SUBSCRIPTION = "this container does not subscribe; add hostwatch.hosts, hostwatch.services or hostwatch.resolv"


@dataclass(frozen=True, slots=True)
class LabelFault:
    """A label that is refused."""

    label: str
    reason: str
    is_caution: bool = False
    """Whether the label is valid and probably a mistake."""

    def __str__(self) -> str:
        return f"label {self.label} {'does nothing' if self.is_caution else 'is refused'}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Roles:
    """A container's roles as a service and as a subscriber."""

    services: tuple[ServiceRule, ...] = ()
    """The services of the configuration that it stands behind."""
    names: tuple[str, ...] = ()
    """Names it is also published under (`hostwatch.names`)."""
    network: str | None = None
    """Publish only the addresses on this network (`hostwatch.network`)."""
    health_required: bool = False
    subscriptions: tuple[Subscription, ...] = ()
    """Its requests for lines in its files; empty if it does not subscribe."""
    notifications: tuple[Notification, ...] = ()
    """The notifications of its application after a change, in this order."""
    faults: tuple[LabelFault, ...] = ()
    enabled: bool = True
    """Whether it has any role at all; false with `hostwatch.enable: false`."""


def roles(container: Container, rules: Rules) -> Roles:
    """The container's roles under the rules. A refused label counts as absent. A remote endpoint has none."""
    if container.remote is not None:
        return Roles()
    labels = _own_labels(container.labels) if rules.labels else {}
    faults: list[LabelFault] = []
    reader = _LabelReader(labels, faults)
    if not reader.enabled():
        return Roles(enabled=False, faults=tuple(faults))
    subscriptions = [each for rule in rules.subscribers if rule.holds(container) for each in rule.subscriptions]
    subscriptions += filter(None, [reader.subscription(), reader.resolv_subscription()])
    own_notification = reader.notification()  # read in any case, so that faults of all labels are reported
    notifications = (
        [*(subscription.notification for subscription in subscriptions), own_notification] if subscriptions else []
    )
    if own_notification is not None and not subscriptions and not faults:
        faults.append(LabelFault("hostwatch.notify", _NO_SUBSCRIPTION, is_caution=True))
    services = tuple(rule for rule in rules.services if _is_behind(container, rule))
    names = reader.names()
    return Roles(
        services=services,
        # A container of `docker compose run` has its service's labels, but is no replica unless a rule says so.
        names=names if services or not container.is_one_off else (),
        network=reader.network(),
        health_required=reader.health_required(),
        subscriptions=tuple(subscriptions),
        notifications=tuple(dict.fromkeys(notification for notification in notifications if notification is not None)),
        faults=(*faults, *islice(_unknown_labels(container.labels if rules.labels else {}), _MAX_UNKNOWN)),
    )


def _is_behind(container: Container, rule: ServiceRule) -> bool:
    """Whether a container stands behind a service of the configuration."""
    if rule.is_from_catalog or container.host_file is not None:
        return False
    if container.is_one_off and not rule.match.means_one_offs:
        return False
    return rule.match.holds(container)


def _own_labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {label.removeprefix(_PREFIX): value for label, value in labels.items() if label.startswith(_PREFIX)}


def _unknown_labels(labels: Mapping[str, str]) -> Iterator[LabelFault]:
    """Unknown labels with our prefix, and known ones with a prefix that differs from it by a letter."""
    for label in labels:
        head, dot, tail = label.partition(".")
        is_ours = head + dot == _PREFIX
        if (is_ours and tail not in KNOWN_LABELS) or (not is_ours and tail in KNOWN_LABELS and _is_nearly(head)):
            near = nearest_of(tail, KNOWN_LABELS)
            known = f"known are {', '.join(_PREFIX + name for name in KNOWN_LABELS)}"
            meant = f"did you mean {_PREFIX}{near}?" if near is not None else known
            yield LabelFault(shown(label), f"unknown label; {meant}")


def _is_nearly(head: str) -> bool:
    return head.lower() == _HEAD or differs_by_a_letter(head.lower(), _HEAD)


@dataclass(frozen=True, slots=True)
class _LabelReader:
    labels: Mapping[str, str]
    faults: list[LabelFault]

    def enabled(self) -> bool:
        value = self.labels.get("enable", "true").strip().lower()
        if value in _YES:
            return True
        if value not in _NO:  # a user who sets this label most likely wants the container to be left alone
            self._refuse("enable", f"{value[:40]!r} is neither true nor false, so the container is left alone")
        return False

    def health_required(self) -> bool:
        value = self.labels.get("health", "ignored").strip()
        if value not in ("required", "ignored"):
            self._refuse("health", f"{value[:40]!r} is neither required nor ignored")
        return value == "required"

    def network(self) -> str | None:
        network = self.labels.get("network", "").strip()
        if len(network) > _MAX_NETWORK_NAME or not network.isprintable():
            self._refuse("network", f"{network[:80]!r} is not the name of a network")
            return None
        return network or None

    def names(self) -> tuple[str, ...]:
        names = self._words("names")
        if len(names) > MAX_NAMES:
            self._refuse("names", f"more than {MAX_NAMES} names")
            return ()
        for name in names:
            if (fault := name_fault(name)) is not None:
                self._refuse("names", f"{name[:80]!r}: {fault}{_WHOLE}")
                return ()
        return names

    def notification(self) -> Notification | None:
        if "notify" not in self.labels or not self._fits("notify"):
            return None
        try:
            return notification_of_label(self.labels["notify"])
        except ValueError as error:
            self._refuse("notify", f"{self.labels['notify'][:80]!r}: {error}")
            return None

    def subscription(self) -> Subscription | None:
        lines = self._lines("hosts", parsed_template)
        services = self._services()
        everything = "*" in services
        publish_as = self._publish_as(everything)
        if not lines and not services:
            return None
        return Subscription(lines, () if everything else services, everything, publish_as)

    def resolv_subscription(self) -> Subscription | None:
        lines = self._lines("resolv", parsed_resolv)
        return Subscription(lines, kind=FileKind.RESOLV) if lines else None

    def _lines(self, label: str, parsed: Callable[[str], Parsed]) -> tuple[Line, ...]:
        if label not in self.labels or not self._fits(label):
            return ()
        if len(self.labels[label].split()) > MAX_WORDS:
            self._refuse(label, f"more than {MAX_WORDS} words")
            return ()
        lines, faults = parsed(self.labels[label])
        if faults:
            self._refuse(label, f"{faults[0]}{_WHOLE}")
            return ()
        return lines

    def _services(self) -> tuple[str, ...]:
        services = self._words("services")
        if len(services) > MAX_SERVICES:
            self._refuse("services", f"more than {MAX_SERVICES} services")
            return ()
        for service in services:
            if service != "*" and not is_service_name(service):
                self._refuse("services", f"{service[:80]!r} is not the name of a service{_WHOLE}")
                return ()
        return services

    def _publish_as(self, everything: bool) -> tuple[Pattern, ...]:
        patterns = self._words("publish_as")
        if patterns and not everything:
            self._refuse("publish_as", f"it is for `hostwatch.services: *`; {GIVEN_NAMES}")
            return ()
        if len(patterns) > MOST_PATTERNS:
            self._refuse("publish_as", f"more than {MOST_PATTERNS} patterns")
            return ()
        try:
            found = tuple(map(parsed_pattern, patterns))
        except PatternError as error:
            self._refuse("publish_as", f"{error.value[:80]!r}: {error}{_WHOLE}")
            return ()
        for pattern in found:
            if not pattern.tells_apart:
                self._refuse("publish_as", f"{pattern.text!r}: {ALIKE}{_WHOLE}")
                return ()
        return found

    def _words(self, label: str) -> tuple[str, ...]:
        if label not in self.labels or not self._fits(label):
            return ()
        return tuple(dict.fromkeys(self.labels[label].replace(",", " ").split()))

    def _fits(self, label: str) -> bool:
        if len(self.labels[label]) <= MAX_LABEL_LENGTH:
            return True
        self._refuse(label, f"longer than {MAX_LABEL_LENGTH} characters")
        return False

    def _refuse(self, label: str, reason: str) -> None:
        self.faults.append(LabelFault(f"hostwatch.{label}", reason))
