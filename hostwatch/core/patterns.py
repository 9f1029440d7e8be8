"""The grammar of `publish_as`: patterns of the names that `services: "*"` publishes, as in `{name}.docker`.

It decides what a pattern means, not what it makes of a container (that is `hostwatch.core.resolve.publishing`).
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from hostwatch.core.likeness import nearest_of
from hostwatch.core.names import folded, name_fault

MOST_PATTERNS = 6
"""More patterns are refused: each is one more name for each name in reach, some 40 µs when that changes."""


GIVEN_NAMES = "a service that is asked for by its name has the names of its own"
"""Why patterns are for `services: "*"` alone."""
ALIKE = (
    "this makes one name of all containers of a network or project, which stands for none of them unless they are"
    " replicas; {name}, {service} and {hostname} tell them apart"
)
"""What is to be said of a pattern that does not tell containers apart."""


class Part(enum.StrEnum):
    """A part of a pattern, which stands for what a container has. A text, whose hash is quick."""

    NAME = "name"
    """Each name that `*` publishes without patterns."""
    SERVICE = "service"
    """The compose service."""
    PROJECT = "project"
    """The compose project."""
    NETWORK = "network"
    """The network on which the subscriber reaches the container."""
    HOSTNAME = "hostname"
    """The host name that the container itself has."""


class PatternError(ValueError):
    """A fault of a pattern; `column` counts from 0, `value` is what is wrong there."""

    def __init__(self, column: int, value: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.value = value


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern of `publish_as`."""

    text: str
    """As it was written."""
    pieces: tuple[str | Part, ...] = field(compare=False, repr=False)
    parts: frozenset[Part] = field(init=False, compare=False, repr=False)
    """The parts among its pieces."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", frozenset(piece for piece in self.pieces if isinstance(piece, Part)))

    def made_of(self, values: Mapping[str, str]) -> str | None:
        """The name that it makes of these values; `None` if one of its parts has none."""
        return self.text.format_map(values) if values.keys() >= self.parts else None

    def name_in(self, name: str) -> str | None:
        """The folded text that `{name}` must stand for if the pattern makes a folded name; `None` if that is open."""
        if self.pieces.count(Part.NAME) != 1 or len(self.parts) > 1:
            return None
        place = self.pieces.index(Part.NAME)
        before, after = (
            "".join(map(str, pieces)).lower() for pieces in (self.pieces[:place], self.pieces[place + 1 :])
        )
        inside = name.removeprefix(before).removesuffix(after)
        return inside if inside and before + inside + after == name else None

    @property
    def tells_apart(self) -> bool:
        """Whether different containers have different names by it, as a rule."""
        return not self.parts <= {Part.PROJECT, Part.NETWORK}

    @property
    def suffix(self) -> str:
        """The folded domain below which it puts every name, as in `.docker`; empty if it has none."""
        _, dot, domain = ("" if isinstance(self.pieces[-1], Part) else self.pieces[-1]).partition(".")
        return folded(dot + domain)


_PIECE = re.compile(r"\{([^{}]*)\}|[^{}]+|[{}]")
_NO_SIGN = "; a part is written {name}, without `@` or `$`"


def parsed_pattern(text: str) -> Pattern:
    """The pattern that a text means. Raises `PatternError`."""
    pieces = tuple(_piece(found, text) for found in _PIECE.finditer(text))
    if not any(isinstance(piece, Part) for piece in pieces):
        meant = f"{{name}}{text}" if text.startswith(".") and name_fault(f"x{text}") is None else "{name}.docker"
        raise PatternError(0, text, f"a pattern has a part that differs by container, as in {meant}")
    # The values of parts are not known yet: a sample value shows whether the text around them is valid.
    if (fault := name_fault("".join("x" if isinstance(piece, Part) else piece for piece in pieces))) is not None:
        is_reference = "@{" in text or "${" in text
        raise PatternError(0, text, f"{fault}{_NO_SIGN if is_reference else ''}")
    return Pattern(text, pieces)


def _piece(found: re.Match[str], text: str) -> str | Part:
    fault = partial(PatternError, found.start())
    if found[0] in ("{", "}"):
        raise fault(text[found.start() :], "a part stands between `{` and `}`, as in {name}")
    if found[1] is None:
        return found[0]
    known = [part.value for part in Part]
    if found[1] not in known:
        near = nearest_of(found[1], known)
        meant = f"did you mean {{{near}}}? " if near is not None else ""
        raise fault(found[0], f"unknown part; {meant}known are {', '.join(f'{{{name}}}' for name in known)}")
    return Part(found[1])
