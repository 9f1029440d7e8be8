"""The types of values in a configuration, for pydantic's models. Each checks and converts the value in the file.

The `ValueError` of a validator says what would be right. `hostwatch.config.explain` adds the place and the offending
value.
"""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, PlainValidator, StrictStr, WithJsonSchema

from hostwatch.core.durations import seconds_of
from hostwatch.core.model import Address
from hostwatch.core.names import folded, name_fault
from hostwatch.core.notifications import command_of, signal_named
from hostwatch.core.references import Parsed, TemplateFault, parsed_template
from hostwatch.core.resolv_template import parsed_resolv
from hostwatch.core.rules import AUTO

LOOKUP_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""The names that a reference may have. Anchored, because JSON Schema searches for a pattern anywhere in a text."""
MAX_SECONDS = 10 * 365 * 24 * 3600.0


class TemplateError(ValueError):
    """A template or a pattern with faults, each with its row and column inside the text."""

    def __init__(self, faults: tuple[TemplateFault, ...]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


class RepeatedError(ValueError):
    """A list with a value that occurs twice; `index` is the position of the second one."""

    def __init__(self, index: int, first: str) -> None:
        super().__init__(f"listed twice; the first is {first!r}")
        self.index = index


class SecretError(ValueError):
    """A value that may hold a secret, so that no message shows it."""


def listed(value: object) -> object:
    """The value as a list: a single text stands for a list of one."""
    match value:
        case list() | tuple():
            if not value:
                raise ValueError("an empty list; give at least one, or leave the key out")
            return value
        case None | Mapping():
            raise ValueError("must be text or a list of texts")
        case _:
            return [value]


def each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    """The values, if each occurs once. Case does not count, as in host names."""
    seen: dict[str, str] = {}
    for index, value in enumerate(values):
        if folded(value) in seen:
            raise RepeatedError(index, seen[folded(value)])
        seen[folded(value)] = value
    return values


def _duration(value: object) -> float:
    seconds = math.nan
    match value:
        case bool():
            pass
        case int() | float():
            seconds = _finite(value)
        case str() if (found := seconds_of(value)) is not None:
            seconds = found
    if not 0 <= seconds <= MAX_SECONDS:
        raise ValueError("must be a duration: seconds, or as in 500ms, 2s, 5m, 1h30m, 30d; at most ten years")
    return seconds


def _finite(number: float) -> float:
    # An int of YAML may be longer than any float.
    return float(number) if abs(number) <= MAX_SECONDS else math.nan


def _at_least_a_second(seconds: float) -> float:
    if seconds < 1:
        raise ValueError("must be at least 1s, as each comparison asks the engine for everything")
    return seconds


def _size(value: object) -> str:
    # loguru would take `10 Mb` for bits and `10` for bytes, which no user means.
    pattern = r"(?=[0-9.]*[1-9])[0-9]{1,9}(\.[0-9]{1,9})? *([kKMGT]i?)?B"
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ValueError("must be a size with its unit, as in 10 MB or 512 KiB")
    return value


def _glob(value: str) -> str:
    if not value:
        raise ValueError("an empty glob, which means no container")
    return _balanced(value)


_BALANCED = re.compile(r"(?:[^\[]|\[(?:!.|[^!])[^\]]*\])*", re.DOTALL)
"""Without possessive quantifiers, which match too much in Debian 12's Python 3.11.2; 3.11.7 has that mended."""


def _balanced(value: str) -> str:
    # To the shell a lone `[` is a literal; in a configuration it is a mistake. A `]` behind `[` or `[!` is a member.
    if not _BALANCED.fullmatch(value):
        raise ValueError("a bad glob: `[` without `]`; a literal one is written `[[]`")
    return value


def _label_key(value: str) -> str:
    if not value:
        raise ValueError("an empty label key")
    if "=" in value:
        key, _, label_value = value.partition("=")
        raise ValueError(f"a label key holds no `=`; for a value write a map, as in {{{key}: {label_value}}}")
    return value


def _name(value: str) -> str:
    if (fault := name_fault(value)) is not None:
        right = "; letters, digits, `-`, `_` and `.` make one, as in db.internal" if fault == "not a host name" else ""
        raise ValueError(fault + right)
    return value


def is_lookup_name(value: str) -> bool:
    """Whether a reference may have this name."""
    return re.fullmatch(LOOKUP_PATTERN, value) is not None


def _lookup_name(value: str) -> str:
    if not is_lookup_name(value):
        remedy = '; "*" stands alone, outside a list' if value == "*" else ""
        remedy = remedy or ("; several are a list, as in [db, cache]" if "," in value else "")
        raise ValueError(f"not a name; one begins with a letter or digit and goes on with these or `_.-`{remedy}")
    return value


def _service_key(value: str) -> str:
    if value == "self":
        raise ValueError("`self` is the subscriber in references, so no service can be called that")
    return _lookup_name(value)


def _template(value: str) -> str:
    return _without_faults(value, parsed_template)


def _resolv_template(value: str) -> str:
    return _without_faults(value, parsed_resolv)


def _without_faults(value: str, parsed: Callable[[str], Parsed]) -> str:
    _, faults = parsed(value)
    if faults:
        raise TemplateError(faults)
    return value


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty; leave the key out instead")
    return value


def docker_host(value: str) -> str:
    """The URL of an engine, if hostwatch can use it. Raises `ValueError`."""
    scheme, separator, rest = value.partition("://")
    match scheme if separator else "":
        case "unix":
            if not rest.startswith("/"):
                raise ValueError("must be an absolute path behind unix://, as in unix:///var/run/docker.sock")
        case "tcp" | "http" | "https":
            _check_authority(value)
        case "npipe":
            raise ValueError("named pipes are Windows'; hostwatch needs the hosts files of a Linux engine")
        case "ssh":
            raise ValueError("not supported yet; forward the socket with `ssh -L` and give that as unix://")
        case _:
            remedy = f"; for a socket write unix://{value}" if value.startswith("/") else ""
            raise ValueError(f"must begin with unix://, tcp://, http:// or https://{remedy}")
    return value


def _check_authority(url: str) -> None:
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", url)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("must name a host and, if need be, a port, as in tcp://192.0.2.1:2376")


def _absolute(value: object) -> Path:
    path = Path(value) if isinstance(value, str | Path) and "\0" not in str(value) else Path()
    if not path.is_absolute():
        raise ValueError("must be an absolute path, as text")
    return path


def _host_file(path: Path) -> Path:
    if path.name in ("", "..") or ".." in path.parts:
        raise ValueError("must be the path of a file, without `..`, as in /etc/hosts")
    return path


def _words(value: object) -> object:
    if not isinstance(value, list) or not value:
        raise ValueError("must be a list of words, as in [nginx, -s, reload]")
    return value


def _command(words: tuple[str, ...]) -> tuple[str, ...]:
    return command_of(words).command


def _signal(value: str) -> str:
    return signal_named(value).name


def _own_address(value: object) -> Address | Literal["auto"]:
    if value == AUTO:
        return AUTO
    try:
        address = ipaddress.ip_address(value) if isinstance(value, str) else value
    except ValueError:
        address = None
    if not isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address):
        raise ValueError('must be auto, or an IPv4 or IPv6 address as text, as in "192.0.2.10"')  # noqa: TRY004 (pydantic's way)
    if address.is_unspecified or address.is_multicast or getattr(address, "scope_id", None):
        raise ValueError("must be an address that others reach this host by: no zone, not 0.0.0.0, not a multicast one")
    return address


def _capitals(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


_DURATION_TEXT = {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?|([0-9]+(\.[0-9]+)?(d|h|ms|m|s))+)$"}


def duration_schema(least: int) -> WithJsonSchema:
    """The JSON Schema of a duration of at least so many seconds."""
    return WithJsonSchema({"anyOf": [{"type": "number", "minimum": least}, _DURATION_TEXT]})


TEXTS = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})

Duration = Annotated[float, BeforeValidator(_duration), duration_schema(0)]
ResyncDuration = Annotated[Duration, AfterValidator(_at_least_a_second), duration_schema(1)]
Size = Annotated[str, BeforeValidator(_size)]
Glob = Annotated[StrictStr, AfterValidator(_glob)]
Globs = Annotated[tuple[Glob, ...], BeforeValidator(listed), TEXTS]
ValueGlob = Annotated[StrictStr, AfterValidator(_balanced)]
ValueGlobs = Annotated[tuple[ValueGlob, ...], BeforeValidator(listed), TEXTS]
LabelKey = Annotated[StrictStr, AfterValidator(_label_key)]
LabelKeys = Annotated[tuple[LabelKey, ...], BeforeValidator(listed), TEXTS]
Name = Annotated[StrictStr, AfterValidator(_name)]
Names = Annotated[tuple[Name, ...], BeforeValidator(listed), AfterValidator(each_once), TEXTS]
LookupName = Annotated[StrictStr, AfterValidator(_lookup_name)]
ServiceKey = Annotated[StrictStr, AfterValidator(_service_key)]
Template = Annotated[StrictStr, AfterValidator(_template)]
ResolvTemplate = Annotated[StrictStr, AfterValidator(_resolv_template)]
Text = Annotated[StrictStr, AfterValidator(_text)]
DockerHost = Annotated[StrictStr, AfterValidator(docker_host)]
AbsolutePath = Annotated[Path, PlainValidator(_absolute), WithJsonSchema({"type": "string", "pattern": "^/"})]
HostFile = Annotated[AbsolutePath, AfterValidator(_host_file)]
CommandWords = Annotated[tuple[StrictStr, ...], BeforeValidator(_words), AfterValidator(_command)]
SignalName = Annotated[StrictStr, AfterValidator(_signal)]
OwnAddress = Annotated[Address | Literal["auto"], PlainValidator(_own_address), WithJsonSchema({"type": "string"})]
CAPITALS = BeforeValidator(_capitals)
