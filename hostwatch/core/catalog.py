"""The instances of a service as a catalog has them, which others fill: etcd, Consul or ZooKeeper.

Each entry is somebody else's text. It becomes an address that may mean something on this host, or is refused with the
reason. Ports do not matter to a hosts file.
"""

import ipaddress
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hostwatch.core.model import Address
from hostwatch.core.names import name_fault, shown
from hostwatch.core.remote import RemoteEndpoint, catalog_group, own_kind

VALUE_LIMIT = 64 << 10
"""Bytes of one entry. An entry of Nerve, registrator or SkyDNS has some hundred."""
INSTANCE_LIMIT = 10_000
"""Instances of one service. Each is a line in the file of each subscriber, and files have 256 KiB."""
_KEY_LENGTH = 253
"""Characters of a key that are kept and told. One of Consul is the names of a host and a service."""
_WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?|([^:\[\]]+):[0-9]{1,5}")
_FORMS = "neither ADDRESS:PORT, nor ADDRESS, nor JSON with `host`"


@dataclass(frozen=True, slots=True)
class Instance:
    """An address that stands behind a service."""

    key: str
    """Its place in the catalog, for people."""
    address: Address
    name: str
    """Its name, for people."""
    host: str = ""
    """The name of its host, for people; empty: not known."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry that is not believed."""

    key: str
    reason: str


Entry = Instance | Refusal


def etcd_instance(key: str, value: bytes | None) -> Entry:
    """An entry of etcd: `ADDRESS:PORT` or `ADDRESS` (registrator's form), or JSON with `host` (SkyDNS's form).

    `value` is `None` if it is longer than `VALUE_LIMIT`.
    """
    if value is None or len(value) > VALUE_LIMIT:
        return _too_long(key)
    text = value.decode(errors="replace").strip()
    if text.startswith("{"):
        return _of_json(key, text)
    found = _WITH_PORT.fullmatch(text)
    return _judged(key, text if found is None else found[1] or found[2], key.rpartition("/")[2], otherwise=_FORMS)


def looked_at(value: bytes) -> bytes:
    """As much of a value as is looked at, to be kept: each of thousands may have a megabyte."""
    return value[: VALUE_LIMIT + 1]


def zookeeper_instance(child: str, value: bytes) -> Entry:
    """An entry of ZooKeeper: JSON with `host`, and with `name` for people (Nerve's form)."""
    return _too_long(child) if len(value) > VALUE_LIMIT else _of_json(child, value.decode(errors="replace"))


def consul_instance(entry: object) -> Entry:
    """An entry of Consul's answer: `Service.Address`, or `Node.Address` if that is empty."""
    node, service = (_mapping(_mapping(entry).get(part)) for part in ("Node", "Service"))
    host, name = _text(node.get("Node")), _text(service.get("ID"))
    address = _text(service.get("Address")) or _text(node.get("Address"))
    return _judged(f"{host}/{name}", address, name, host, otherwise="it has no address")


def _of_json(key: str, text: str) -> Entry:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return Refusal(shown(key, _KEY_LENGTH), "not JSON")
    fields = _mapping(found)
    name = _text(fields.get("name")) or key.rpartition("/")[2]
    return _judged(key, _text(fields.get("host")), name, otherwise="JSON without a text `host`")


def _judged(key: str, written: str, name: str, host: str = "", *, otherwise: str) -> Entry:
    """The instance, unless what is written means something else here; `otherwise` is the reason if it means nothing."""
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        # Only a name is repeated in the reason: another text may be a secret that was put into the wrong place.
        is_name = name_fault(written) is None
        return Refusal(shown(key, _KEY_LENGTH), f"{shown(written)} is a name, and no address" if is_name else otherwise)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if (fault := _address_fault(address)) is not None:
        return Refusal(shown(key, _KEY_LENGTH), f"{address} {fault}")
    return Instance(shown(key, _KEY_LENGTH), address, shown(name), shown(host))


def _address_fault(address: Address) -> str | None:
    """The reason why another host cannot have told this address as its own; `None` if it can."""
    if getattr(address, "scope_id", None):
        return "has a zone, which each host names differently"
    kind = own_kind(address)
    return None if kind is None else f"is {kind} address, which means another machine on each host"


def endpoints(service: str, instances: Iterable[Instance]) -> Iterator[RemoteEndpoint]:
    """The endpoints of a service: one for each address, whatever the ports, and named by its first instance."""
    seen = set[Address]()
    for each in instances:
        if each.address in seen:
            continue
        seen.add(each.address)
        yield RemoteEndpoint(
            str(each.address),
            each.name,
            each.host,
            group=catalog_group(service),
            service=service,
            ipv4=each.address if isinstance(each.address, ipaddress.IPv4Address) else None,
            ipv6=each.address if isinstance(each.address, ipaddress.IPv6Address) else None,
        )


@dataclass(slots=True)
class Doubt:
    """Says when an answer without any instance is believed: after `grace` seconds without another answer.

    A catalog that has just been restarted, or has lost its data, answers so before the services are back in it.
    """

    grace: float
    until: float | None = None
    """The time at which it is believed; `None`: there is nothing to doubt."""

    def is_believed(self, *, has_instances: bool, now: float) -> bool:
        """Whether an answer that came now is believed."""
        if has_instances:
            self.until = None
            return True
        if self.until is None:
            self.until = now + self.grace
        return now >= self.until

    def wait(self, now: float) -> float | None:
        """Seconds until the empty answer is believed; `None`: it is, or there is none."""
        return None if self.until is None or self.until <= now else self.until - now

    def ended(self) -> None:
        """There is no answer any more, so that the next empty one is doubted for the whole time."""
        self.until = None


def _too_long(key: str) -> Refusal:
    return Refusal(shown(key, _KEY_LENGTH), f"longer than {VALUE_LIMIT >> 10} KiB")


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
