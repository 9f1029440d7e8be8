"""The grammar of hosts templates: `@{NAME.ATTRIBUTE}`, `@{NAME.ATTRIBUTE[N]}`, and the lines that hold them.

It decides what a line means, not what it resolves to (that is `hostwatch.core.resolve.desired`).
"""

import enum
import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from hostwatch.core.names import folded, name_fault

SELF = "self"
"""A reference to this name means the subscriber itself."""
MAX_TEMPLATE_LINES = 1_000
MAX_LINE_LENGTH = 4_096
_MAX_PORT = 65_535


class Attribute(enum.Enum):
    """The attribute of a container that a reference names."""

    IP = "ip"
    IP6 = "ip6"
    PUBLIC_IP = "PublicIp"
    HOST_IP = "HostIp"
    MAC = "mac"
    HOSTNAME = "hostname"
    NAME = "name"

    @property
    def is_address(self) -> bool:
        """Whether it is an address, so that a line may begin with it."""
        return self in (Attribute.IP, Attribute.IP6) or self.is_of_host

    @property
    def is_of_host(self) -> bool:
        """Whether it is an address of the host."""
        return self in (Attribute.PUBLIC_IP, Attribute.HOST_IP)


SPELLINGS = {attribute.value: attribute for attribute in Attribute} | {
    "PrivateIpAddress": Attribute.IP,
    "MacAddress": Attribute.MAC,
}
"""Each attribute by its spellings."""


@dataclass(frozen=True, slots=True)
class Reference:
    """`@{name.attribute[index]}`; without an index it stands for each replica. `HostIp` has a port in its place."""

    name: str
    """In its folded form."""
    attribute: Attribute
    index: int | None
    text: str
    """As it was written."""
    port: int | None = None
    """The container's port whose published address is meant; `None`: that of all its ports."""


Field = tuple[str | Reference, ...]
"""A field of a line: literal text and references, one after the other."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a template."""

    text: str
    """As it was written, its fields separated by single spaces, without a comment."""
    address: Field
    names: tuple[Field, ...]
    row: int = field(default=0, compare=False)
    """Its place in the template, counted from 0."""
    references: tuple[Reference, ...] = field(init=False, repr=False, compare=False)
    """All references of the line, in order."""

    def __post_init__(self) -> None:
        found = (part for parts in (self.address, *self.names) for part in parts)
        object.__setattr__(self, "references", tuple(part for part in found if isinstance(part, Reference)))

    def __hash__(self) -> int:
        return hash(self.text)

    @property
    def of_host(self) -> Reference | None:
        """The reference to an address of the host, if the line has one."""
        return next((reference for reference in self.references if reference.attribute.is_of_host), None)

    @property
    def service(self) -> str | None:
        """The name that the line's references look up; `None` for a literal line."""
        return self.references[0].name if self.references else None


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """A fault of a template's line. `row` and `column` count from 0 inside the template."""

    row: int
    column: int
    value: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.row + 1}: {self.value!r}: {self.reason}"


Parsed = tuple[tuple[Line, ...], tuple[TemplateFault, ...]]
"""The lines of a template, and the faults of those that cannot be read."""


class FaultError(Exception):
    """A line of a template cannot be read."""

    def __init__(self, column: int, value: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.value = value
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a template's line, with its references."""

    column: int
    text: str
    parts: Field


def parsed_template(text: str) -> Parsed:
    """The lines of a hosts template, blank ones and comments left out, and the faults of those that cannot be read."""
    return parsed_lines(text, _parsed_line)


def parsed_lines(text: str, parsed: Callable[[int, Sequence[Word]], Line]) -> Parsed:
    """The lines of a template of any kind. `parsed` makes a line of its row and words, and may raise `FaultError`."""
    lines: list[Line] = []
    faults: list[TemplateFault] = []
    # Only \n ends a line, as in a YAML block: \x85 or U+2028 inside a line is refused as a bad name.
    rows = text.removesuffix("\n").split("\n")
    for row, source in enumerate(rows[:MAX_TEMPLATE_LINES]):
        try:
            words = _words(source.removesuffix("\r"))
            if words:
                lines.append(parsed(row, words))
        except FaultError as fault:
            faults.append(TemplateFault(row, fault.column, fault.value[:200], fault.reason))
    if len(rows) > MAX_TEMPLATE_LINES:
        faults.append(TemplateFault(MAX_TEMPLATE_LINES, 0, "", f"more than {MAX_TEMPLATE_LINES} lines"))
    return tuple(lines), tuple(faults)


_FIELD = re.compile(r"[^ \t]+")
_REFERENCE = re.compile(r"@\{([^{}]*)\}")
_BODY = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*)\.([A-Za-z0-9]+)(?:\[([0-9]{1,6})\])?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}", re.ASCII)


def is_service_name(name: str) -> bool:
    """Whether a reference may have this name: a container name that Docker allows, or a host name."""
    return _NAME.fullmatch(name) is not None


def _words(source: str) -> list[Word]:
    source = source.partition("#")[0]
    if len(source) > MAX_LINE_LENGTH:
        raise FaultError(0, source[:40] + "…", f"longer than {MAX_LINE_LENGTH} characters")
    found = [(match.start(), match[0]) for match in _FIELD.finditer(source)]
    return [Word(column, text, tuple(_parts(column, text))) for column, text in found]


def _parsed_line(row: int, words: Sequence[Word]) -> Line:
    address, *names = words
    check_address(address, "a line begins with an address")
    if not names:
        raise FaultError(address.column, address.text, "a line needs an address and at least one name")
    for name in names:
        _check_name(name)
    line = Line(" ".join(word.text for word in words), address.parts, tuple(name.parts for name in names), row)
    if len({reference.name for reference in line.references}) > 1:
        raise FaultError(address.column, line.text, "a line holds references to one service")
    return line


def _parts(column: int, word: str) -> Iterator[str | Reference]:
    # `@@{` is a literal `@{`. It is looked for first, so that it opens no reference.
    position = 0
    literal = ""
    while position < len(word):
        if word.startswith("@@{", position):
            literal += "@{"
            position += 3
        elif word.startswith("@{", position):
            if literal:
                yield literal
            literal = ""
            reference = _parsed_reference(column + position, word[position:])
            yield reference
            position += len(reference.text)
        else:
            literal += word[position]
            position += 1
    if literal:
        yield literal


def _parsed_reference(column: int, rest: str) -> Reference:
    match = _REFERENCE.match(rest)
    if match is None:
        raise FaultError(column, rest, "a reference ends with `}` and holds no blank, as in @{db.ip}")
    body = _BODY.fullmatch(match[1])
    if body is None:
        raise FaultError(column, match[0], "a reference is @{NAME.ATTRIBUTE} or @{NAME.ATTRIBUTE[N]}, as in @{db.ip}")
    attribute = SPELLINGS.get(body[2])
    if attribute is None:
        known = ", ".join(SPELLINGS)
        raise FaultError(column, match[0], f"unknown attribute {body[2]!r}; known are {known}")
    name, number = folded(body[1]), None if body[3] is None else int(body[3])
    if attribute is not Attribute.HOST_IP:
        return Reference(name, attribute, number, match[0])
    if number is not None and not 0 < number <= _MAX_PORT:
        raise FaultError(column, match[0], f"HostIp has a port of the container in brackets, from 1 to {_MAX_PORT}")
    return Reference(name, attribute, None, match[0], number)


def check_address(word: Word, rule: str) -> None:
    """Raise `FaultError` with a rule if a word is neither an address nor a reference to one."""
    match word.parts:
        case (Reference() as reference,):
            if not reference.attribute.is_address:
                raise FaultError(word.column, word.text, f"{rule}; {reference.attribute.value!r} is none")
        case (str() as literal,):
            try:
                address = ipaddress.ip_address(literal)
            except ValueError:
                raise FaultError(word.column, word.text, f"{rule} or a reference to one") from None
            if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
                raise FaultError(word.column, word.text, "an address with a zone is not supported")
        case _:
            reason = "an address is one reference or one literal address, nothing joined to it"
            raise FaultError(word.column, word.text, reason)


def _check_name(word: Word) -> None:
    # The values of references are not known yet: a sample value shows whether the text around them is valid.
    sample = "".join(map(_sample, word.parts))
    if (fault := name_fault(sample)) is not None:
        raise FaultError(word.column, word.text, fault)


def _sample(part: str | Reference) -> str:
    match part:
        case str():
            return part
        case Reference():
            return "x"
        case _:
            assert_never(part)
