"""Turns the errors of pydantic into problems that a user can mend: the place in the file, and what would be right."""

import difflib
import inspect
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hostwatch.config.document import Document, Found, Loc, Mapping, Node, Problem, Scalar, Sequence, shown
from hostwatch.config.section import Section
from hostwatch.config.settings import Settings
from hostwatch.config.values import RepeatedError, SecretError, TemplateError


def problems(error: ValidationError, document: Document) -> list[Problem]:
    """All problems of a failed validation of the document's root, in no particular order."""
    return [problem for details in error.errors(include_url=False) for problem in _explained(details, document)]


def _explained(details: ErrorDetails, document: Document) -> Iterator[Problem]:
    loc = details["loc"]
    found = document.found(loc)
    match details["type"], details.get("ctx", {}).get("error"):
        case _, TemplateError() as error if isinstance(found.node, Scalar):
            yield from _template_problems(error, found.node, document)
        case _, RepeatedError() as error if isinstance(found.node, Sequence):
            item = found.node.items[error.index]
            yield Problem(item.index, str(item), str(error))
        case _, SecretError() as error:
            yield Problem(found.node.index, "", str(error))
        case "extra_forbidden", _:
            yield _unknown_key(loc, found)
        case "missing", _:
            yield _missing(loc, found, document)
        case _ if loc[-1:] == ("[key]",) or found.absent[:1] == ("names",):
            yield _at_key(_reason(details, loc, found.node), found)
        case "value_error", _ if isinstance(found.node, Mapping) and found.node.entries and _section(loc) is not None:
            # It is about several keys, so that no value is wrong.
            yield Problem(found.node.index, "", _reason(details, loc, found.node))
        case _:
            yield Problem(found.node.index, str(found.node), _reason(details, loc, found.node))


def _at_key(reason: str, found: Found) -> Problem:
    # The fault is in the key itself, or in a default that was derived from it.
    key = found.key
    if found.absent[:1] == ("names",):
        reason = f"published under its key, which cannot be: {reason}; choose another, or give `names`"
    return Problem(0, "", reason) if key is None else Problem(key.index, str(key), reason)


def _template_problems(error: TemplateError, scalar: Scalar, document: Document) -> Iterator[Problem]:
    starts = [0]
    for row in str(scalar.value).split("\n"):
        starts.append(starts[-1] + len(row) + 1)
    offsets = [starts[fault.row] + fault.column for fault in error.faults]
    for fault, index in zip(error.faults, document.inside(scalar, offsets), strict=True):
        yield Problem(index, shown(fault.value) if fault.value else "", fault.reason)


def _unknown_key(loc: Loc, found: Found) -> Problem:
    key = str(loc[-1])
    section = _section(loc[:-1])
    place = found.node.index if found.key is None else found.key.index
    known = list(_fields(section)) if section is not None else []
    near = difflib.get_close_matches(key[:40], known, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return Problem(place, shown(key), f"unknown key; {meant}known here: {', '.join(known)}")


def _missing(loc: Loc, found: Found, document: Document) -> Problem:
    parent = document.found(loc[:-1]).node
    place = parent.index if found.key is None else found.key.index
    key = str(loc[-1])
    return Problem(place, "", f"`{key}` is missing" + _MISSING.get(key, ""))


_MISSING = {
    "etcd": ': give the URLs of the servers, as in etcd: ["https://10.0.0.1:2379"]',
}


_REASONS = {
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number, 0 or more",
    "greater_than_equal": "must be a whole number, 0 or more",
}


def _reason(details: ErrorDetails, loc: Loc, node: Node) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error" | "enum":
            return f"must be {context['expected'].replace('True', 'true, or not be there')}"
        case "string_type":
            return _not_text(node)
        case "model_type" | "dict_type":
            return _not_a_mapping(_section(loc))
        case other:
            return _REASONS.get(other, details["msg"])


def _not_a_mapping(section: type[Section] | None) -> str:
    keys = "" if section is None else f" with any of the keys {', '.join(_fields(section))}"
    return f"must be a mapping{keys}"


def _not_text(node: Node) -> str:
    if isinstance(node, Mapping):
        return "must be text; one that begins with { is quoted"
    if not isinstance(node, Scalar) or not node.written:
        return "must be text"
    kind = "nothing" if node.value is None else "true or false" if isinstance(node.value, bool) else "a number"
    return f'must be text, and YAML takes this for {kind}: quote it, as in "{node.written}"'


def _section(loc: Loc) -> type[Section] | None:
    """The section of the settings that `loc` leads to."""
    current: Any = Settings
    for step in loc:
        if _is_section(current):
            field = _fields(current).get(str(step))
            current = None if field is None else field.annotation
        else:
            current = (get_args(current) or (None,))[-1]
        # An optional section is a union with None.
        current = next(filter(_is_section, get_args(current)), current) if type(None) in get_args(current) else current
    return current if _is_section(current) else None


def _fields(section: type[Section]) -> dict[str, FieldInfo]:
    """The fields by their keys in the file."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def _is_section(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, Section)
