"""Whether what a machine shows is what a page shows: the same words, with other ids, times and addresses."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ANY = "..."
"""A line that stands for any number of lines."""

_SPAN = r"(?:\b\d+|\bAbout an?|\bLess than a) (?:second|minute|hour|day|week)s?\b"
_VOLATILE = {
    "time": r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d)\b)?)?"
    r"|\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\b"
    r"|\b[012]\d:[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?\b(?!:)",
    "id": r"\b(?:sha256:)?(?:[0-9a-f]{64}|[0-9a-f]{12})\b|\b(?=[a-z]*\d)[a-z0-9]{25}\b",
    "duration": rf"(?<=\"ms\": )[\d.]+|\b\d+(?:\.\d+)? ?(?:ms|µs)\b|\b\d+\.\d+ ?s\b|\b\d+ ?s ago\b|{_SPAN}",
    "process": r"(?<=[a-z])\[\d+\]|(?<=\bpid )\d+\b|(?<=\bprocess )\d+\b",
    "engine": r"(?<=\bengine )\d+\.\d+\.\d+\S*",
}
_ADDRESS = r"\b\d{1,3}(?:\.\d{1,3}){3}\b|(?<![\w:.])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?![\w:])"
_TOKEN = re.compile(
    "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in (*_VOLATILE.items(), ("address", _ADDRESS)))
    + r"|(?P<blank>[ \t]+)|(?P<rule>[─═-]{3,})"
)
_FIXED = tuple(
    ipaddress.ip_network(each)
    for each in (
        "127.0.0.0/8",
        "0.0.0.0/32",
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "::/127",
        "2001:db8::/32",
    )
)


@dataclass(frozen=True)
class Token:
    """A part of a line. One that differs from run to run has no text."""

    kind: str
    text: str = ""


@dataclass(frozen=True)
class Bindings:
    """Which address of the machine stands behind which address of the page: one behind one."""

    fixed: frozenset[str] = frozenset()
    """Those that the page has its reader write, which are the same on the machine."""
    real: Mapping[str, str] = field(default_factory=dict)
    """By the address on the page."""

    def bound(self, shown: str, real: str) -> "Bindings | None":
        """With these two together; none if either is another's already."""
        if shown == real and (shown in self.fixed or is_fixed(shown)):
            return self
        if {shown, real} & self.fixed or is_fixed(shown) or is_fixed(real):
            return None
        if shown in self.real:
            return self if self.real[shown] == real else None
        if real in self.real.values():
            return None
        return Bindings(self.fixed, {**self.real, shown: real})

    def shown(self, text: str) -> str:
        """A text of the machine with the addresses of the page."""
        return _replaced(text, {real: shown for shown, real in self.real.items()})

    def told(self, text: str) -> str:
        """A text of the page with the addresses of the machine."""
        return _replaced(text, self.real)


def is_fixed(address: str) -> bool:
    """Whether an address is the same on every machine, as one of the loopback."""
    return any(ipaddress.ip_address(address) in network for network in _FIXED)


def addresses(text: str) -> frozenset[str]:
    """All addresses in a text."""
    return frozenset(found[0] for found in re.finditer(_ADDRESS, text) if _is_address(found[0]))


def matched(shown: Sequence[str], real: Sequence[str], bindings: Bindings) -> Bindings | None:
    """The bindings with which the machine's lines are the page's; none if they are not."""
    if not shown:
        return None if real else bindings
    first, *others = shown
    if first.strip() == ANY:
        tries = (matched(others, real[skipped:], bindings) for skipped in range(len(real) + 1))
        return next((found for found in tries if found is not None), None)
    if not real or (found := alike(first, real[0], bindings)) is None:
        return None
    return matched(others, real[1:], found)


def alike(shown: str, real: str, bindings: Bindings) -> Bindings | None:
    """The bindings with which one line is the other."""
    ours, theirs = tokens(shown), tokens(real)
    if len(ours) != len(theirs):
        return None
    for our, their in zip(ours, theirs, strict=True):
        if our.kind == their.kind == "address":
            if (found := bindings.bound(our.text, their.text)) is None:
                return None
            bindings = found
        elif our != their:
            return None
    return bindings


def tokens(line: str) -> list[Token]:
    """The parts of a line, whose columns may have any width."""
    parts: list[Token] = []
    end = 0
    line = line.rstrip()
    for found in _TOKEN.finditer(line):
        kind = found.lastgroup or ""
        if kind == "address" and not _is_address(found[0]):
            continue
        if end < found.start():
            parts.append(Token("text", line[end : found.start()]))
        parts.append(Token(kind, found[0] if kind == "address" else ""))
        end = found.end()
    if end < len(line):
        parts.append(Token("text", line[end:]))
    return parts


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _replaced(text: str, by: Mapping[str, str]) -> str:
    return re.sub(_ADDRESS, lambda found: by.get(found[0], found[0]), text)
