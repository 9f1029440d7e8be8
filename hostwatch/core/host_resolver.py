"""The nameservers and search domains of the host, as its resolv.conf has them (resolv.conf(5)).

A container reaches no loopback address of the host, and knows none of its interfaces. So servers at such addresses are
left out. The text is the host's own, but any program may have written it: what is no address or no name is left out,
too.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from hostwatch.core.model import Address
from hostwatch.core.names import name_fault, shown

_MOST_SERVERS = 16
"""glibc and musl ask the first three. systemd-resolved lists all of them, and a subscriber may leave a family out."""
_MOST_DOMAINS = 32
"""glibc took six before 2.26, and musl takes 256 bytes."""
_MOST_TOLD = 3
"""Servers that a reason names."""
_STUB = (ipaddress.ip_address("127.0.0.53"), ipaddress.ip_address("127.0.0.54"))
"""Where systemd-resolved listens itself. It writes the servers that it asks into a file of its own."""
_BROADCAST = ipaddress.ip_address("255.255.255.255")
_LOOPBACK = "loopback"


@dataclass(frozen=True, slots=True)
class HostResolver:
    """The nameservers that the host uses, as far as a container can use them, and its search domains."""

    nameservers: tuple[Address, ...] = ()
    search: tuple[str, ...] = ()
    fault: str | None = None
    """Why there is no nameserver, in words; `None` if there is one."""


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """What a resolv.conf says of nameservers and search domains."""

    servers: tuple[str, ...]
    """The nameservers as written."""
    search: tuple[str, ...]

    @property
    def is_stub(self) -> bool:
        """Whether all of its servers are systemd-resolved itself."""
        return bool(self.servers) and all(_address(server) in _STUB for server in self.servers)

    @property
    def resolver(self) -> HostResolver:
        """What a container can use of it."""
        found = dict.fromkeys(_address(server) for server in self.servers if _unfit(server) is None)
        usable = tuple(address for address in found if address is not None)[:_MOST_SERVERS]
        return HostResolver(usable, self.search, None if usable else self._fault)

    @property
    def _fault(self) -> str:
        if not self.servers:
            return "the host's resolv.conf has no nameserver"
        unfit = [(shown(server), _unfit(server)) for server in dict.fromkeys(self.servers)]
        more = ", ..." if len(unfit) > _MOST_TOLD else ""
        if all(reason == _LOOPBACK for _, reason in unfit):
            return f"the host uses only loopback nameservers ({', '.join(s for s, _ in unfit[:_MOST_TOLD])}{more})"
        told = ", ".join(f"{server}: {reason}" for server, reason in unfit[:_MOST_TOLD])
        return f"the host has no nameserver that a container can use ({told}{more})"


def resolv_conf(text: bytes) -> ResolvConf:
    """Parse the text of a resolv.conf, as glibc and musl do: a keyword counts only at the beginning of its line."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    for keyword, values in _entries(text):
        if keyword == "nameserver":
            servers.append(values[0])
        elif keyword == "domain":
            search = _domains(values[:1])
        elif keyword == "search":
            search = _domains(values)
    return ResolvConf(tuple(servers), search)


def _entries(text: bytes) -> Iterator[tuple[str, list[str]]]:
    for line in text.decode("utf-8", "backslashreplace").split("\n"):
        keyword, *values = line.split() or [""]
        if values and line.startswith(keyword):
            yield keyword, values


def _domains(values: list[str]) -> tuple[str, ...]:
    """The domains of a line. A dot by itself means that there is none; others may end with one."""
    names = dict.fromkeys(value.removesuffix(".") for value in values)
    return tuple(name for name in names if name_fault(name) is None)[:_MOST_DOMAINS]


def _address(server: str) -> Address | None:
    try:
        return ipaddress.ip_address(server)
    except ValueError:
        return None


def _unfit(server: str) -> str | None:
    """Why a container cannot use a server; `None` if it can."""
    address = _address(server)
    if address is None:
        return "no address"
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None or address.is_link_local:
            return "known on one interface of the host alone"
        address = address.ipv4_mapped or address
    if address.is_loopback or address.is_unspecified:  # glibc asks this machine at the unspecified address
        return _LOOPBACK
    return "of no one machine" if address.is_multicast or address == _BROADCAST else None
