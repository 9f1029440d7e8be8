"""The keys of the configuration as values: read from its JSON Schema, and so from the models themselves."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hostwatch.config.settings import Settings, schema

NAME = "NAME"
"""Stands for a name of the user's choice in a path."""
_EXAMPLES = Path(__file__).resolve().parent / "examples"
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """A key."""

    path: tuple[str, ...]
    """As in `services`, `NAME`, `names`."""
    kind: str
    """Its type, in words."""
    default: str
    """What counts without it; empty if nothing does."""
    text: str
    is_required: bool
    is_section: bool
    """Whether it has keys of its own."""
    alike: tuple[str, ...] = ()
    """The section that has the same keys, where they are told."""

    @property
    def dotted(self) -> str:
        """The path as people write it."""
        return ".".join(self.path)


def keys() -> tuple[Key, ...]:
    """All keys, in the order of the models. A section of the same form as an earlier one is not told again."""
    whole = schema()
    return tuple(_below((), whole, whole, {}))


def _below(path: tuple[str, ...], section: Schema, whole: Schema, told: dict[str, tuple[str, ...]]) -> Iterator[Key]:
    for name, given in section["properties"].items():
        forms = [form for form in given.get("anyOf", [given]) if form != {"type": "null"}]
        here, inner = (*path, name), _reference(forms[0])
        if inner is None and "additionalProperties" in forms[0]:
            inner = _reference(forms[0]["additionalProperties"])
            here = (*here, NAME) if inner is not None else here
        yield Key(
            path=here,
            kind=_kind(given, forms),
            default=_default(given, forms),
            text=given["description"],
            is_required=name in section.get("required", ()),
            is_section=inner is not None,
            alike=told.get(inner, ()) if inner is not None else (),
        )
        if inner is not None and inner not in told:
            told[inner] = here
            yield from _below(here, whole["$defs"][inner], whole, told)


def _reference(form: Any) -> str | None:
    found = form.get("$ref") if isinstance(form, Mapping) else None
    return found.rpartition("/")[2] if found is not None else None


def _kind(given: Schema, forms: list[Any]) -> str:
    kinds = list(dict.fromkeys(map(_form, given.get("oneOf", forms))))
    if forms[0].get("type") == "number":  # a text of the form of a duration comes with it
        kinds = [f"duration, at least {_duration(forms[0]['minimum'])}" if forms[0].get("minimum") else "duration"]
    if {"type": "null"} in given.get("anyOf", ()) and given.get("default") is not None:
        kinds.append("`null`")
    return ", or ".join(kinds)


def _form(form: Any) -> str:
    match form:
        case {"enum": choices}:
            return "one of " + ", ".join(f"`{choice}`" for choice in choices)
        case {"const": value}:
            return f"`{json.dumps(value)}`"
        case {"anyOf": inner}:
            return ", or ".join(map(_form, inner))
        case {"type": "array", "items": {"enum": _}}:
            return "a list of these"
        case {"type": "string", "pattern": "^/"}:
            return "path that begins with `/`"
        case _:
            return _TYPES[form.get("type", "object")]


_TYPES = {
    "array": "a list of texts",
    "boolean": "`true` or `false`",
    "integer": "number",
    "object": "mapping",
    "number": "number",
    "string": "text",
}


def _default(given: Schema, forms: list[Any]) -> str:
    value = given.get("default")
    if value is None or value in ("", []):
        return ""
    if forms[0].get("type") == "number":
        return _duration(value)
    return value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True).split("\n")[0]


def _duration(seconds: float) -> str:
    """Seconds as a user writes them: in the largest unit of which there are two at least, else in seconds."""
    for unit, length in _UNITS:
        if seconds >= 2 * length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


def examples() -> Mapping[str, str]:
    """Whole configurations by their file names. Together they have every key."""
    return {path.name: path.read_text() for path in sorted(_EXAMPLES.iterdir())}


def example(key: Key) -> str:
    """The key in one of these configurations, with all that is around, and the fewest keys beside it that make a valid
    configuration of it. Raises `LookupError` for none.
    """
    for text in examples().values():
        whole = yaml.safe_load(text)
        for path, _ in _found(whole, key.path):
            return "\n".join(_written(whole, path, _beside(whole, path)))
    raise LookupError(f"no configuration in {_EXAMPLES} has {key.dotted}")


_Paths = frozenset[tuple[str, ...]]
_MOST_BESIDE = 4
_NEEDED: Mapping[str, Sequence[str]] = {
    "http.allow_remote": ("listen",),
    "http.hosts": ("listen",),
    "http.mode": ("listen",),
    "history.keep": ("file",),
    "log.rotation": ("file",),
    "log.retention": ("file",),
}
"""What a key means nothing without, though it is valid."""


def _beside(whole: Any, path: tuple[str, ...]) -> _Paths:
    """The fewest keys with which a key is valid."""
    others = [(*path[:depth], name) for depth in range(1, len(path)) for name in _at(whole, path[:depth])]
    others = [other for other in others if other != path[: len(other)] and _is_apart(path, other)]
    needed = frozenset((*path[:-1], name) for name in _NEEDED.get(".".join(path), ()))
    for count in range(_MOST_BESIDE):
        for chosen in combinations(others, count):
            found = needed.union(chosen)
            with suppress(ValidationError):
                Settings.model_validate(yaml.safe_load("\n".join(_written(whole, path, found))))
                return found
    raise LookupError(f"no few keys make a valid configuration of {'.'.join(path)}")


def _is_apart(path: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether a key belongs to the same entry: other services and subscribers are others."""
    return len(other) > 2 or path[0] not in ("services", "subscribers")


def _at(whole: Any, path: tuple[str, ...]) -> Any:
    return _at(whole[path[0]], path[1:]) if path else whole


def _written(whole: Any, path: tuple[str, ...], beside: _Paths, depth: int = 0) -> Iterator[str]:
    """The lines of a key and of those beside it, in the order of the whole."""
    for name, value in _at(whole, path[:depth]).items():
        here = (*path[:depth], name)
        if here == path or here in beside:
            yield textwrap.indent(_shown(name, value).rstrip("\n"), "  " * depth)
        elif here == path[: depth + 1]:
            yield f"{'  ' * depth}{name}:"
            yield from _written(whole, path, beside, depth + 1)


def _found(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values at a path, each with the path that has the names of the configuration."""
    if not path:
        yield (), value
    elif isinstance(value, Mapping):
        for name in value if path[0] == NAME else value.keys() & {path[0]}:
            yield from (((name, *rest), found) for rest, found in _found(value[name], path[1:]))


def _shown(name: str, value: Any) -> str:
    if isinstance(value, str) and "\n" in value:
        return f"{name}: |\n{textwrap.indent(value, '  ')}"
    shown = yaml.safe_dump(value, default_flow_style=True, width=1_000, sort_keys=False)
    return f"{name}: {shown.removesuffix(_END)}"


_END = "...\n"
"""What YAML puts behind a document that is one value."""
