"""Which strings may stand as a name in a hosts file."""

import ipaddress
import re

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", re.ASCII)


def name_fault(name: str) -> str | None:
    """Why `name` may not be published, `None` if it may.

    Letters, digits, `-`, `_` and `.`; labels of 1 to 63 characters that neither begin nor end with `-`; 253 characters
    at most (RFC 1035, 2.3.4; the underscore is what containers and compose use); not an address, as glibc and musl
    would take that for itself. `localhost` and `ip6-…` belong to the image.
    """
    if len(name) > 253:
        return "longer than 253 characters"
    if not all(_LABEL.fullmatch(label) for label in name.split(".")):
        return "not a host name"
    if _is_address(name):
        return "an address, not a name"
    if is_reserved(name):
        return "never published"
    return None


def is_reserved(name: str) -> bool:
    """Whether the name belongs to the machine itself, so that nobody may publish it."""
    lower = name.lower()
    return lower == "localhost" or lower.startswith("ip6-")


def _is_address(name: str) -> bool:
    # `127.1` and `2130706433` are addresses to inet_aton, which resolvers try before the file: no all-digit names.
    if re.fullmatch(r"[0-9.]+|0[xX][0-9a-fA-F.xX]*", name):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
