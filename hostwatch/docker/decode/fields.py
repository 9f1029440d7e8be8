"""Single fields of Docker's JSON: a field that is missing or of another form is unknown, never an error."""

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from hostwatch.core.model import Address, Subnet

Json = Mapping[str, Any]


def mapping(value: Any) -> dict[str, Any]:
    """An object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def moment(timestamp: Any) -> float | None:
    """Seconds since the epoch. Engines write RFC 3339 with nanoseconds, in UTC or with an offset of their own."""
    try:
        found = datetime.fromisoformat(timestamp)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def address(text: Any) -> Address | None:
    """An IP address, with or without the length of its prefix."""
    return _address(str(text)) if text else None


@lru_cache(maxsize=1024)
def _address(text: str) -> Address | None:
    # Each inspection and list has the same addresses again.
    try:
        return ipaddress.ip_address(text.partition("/")[0])
    except ValueError:
        return None


def ipv4(text: Any) -> ipaddress.IPv4Address | None:
    """An IPv4 address."""
    found = address(text)
    return found if isinstance(found, ipaddress.IPv4Address) else None


def ipv6(text: Any) -> ipaddress.IPv6Address | None:
    """An IPv6 address."""
    found = address(text)
    return found if isinstance(found, ipaddress.IPv6Address) else None


def subnet(text: Any) -> Subnet | None:
    """A subnet in CIDR notation."""
    try:
        return ipaddress.ip_network(str(text), strict=False) if text else None
    except ValueError:
        return None
