"""The page of the JSON that commands print, and its JSON Schemas."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from manual import markdown
from manual.answers import ANSWERS, Part
from manual.template import filled

_TITLES = {
    "status": "`status --json`",
    "why": "`why --json`",
    "history": "`history --json`",
    "history-at": "`history --at TIME --json`",
    "plan": "`plan --json`",
}


def page() -> str:
    """The page."""
    return filled("json.md", {"answers": "\n\n".join(_answers())})


def schema(name: str) -> str:
    """The JSON Schema of an answer."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"hostwatch {name}"}
    found = ANSWERS[name].model_json_schema()
    return json.dumps(head | _plain({key: value for key, value in found.items() if key != "title"}), indent=2) + "\n"


_CLOSED = ("additionalProperties", False)


def _plain(found: Any) -> Any:
    """The same without titles that repeat the names of fields, and open to fields of later versions."""
    match found:
        case {"properties": fields, **others}:
            own = {key: {k: v for k, v in value.items() if k != "title"} for key, value in fields.items()}
            return _plain(others) | {"properties": own}
        case dict():
            return {key: _plain(value) for key, value in found.items() if (key, value) != _CLOSED}
        case _:
            return found


def _answers() -> Iterator[str]:
    told: set[str] = set()
    for name, model in ANSWERS.items():
        found = model.model_json_schema()
        yield f"## {_TITLES[name]}"
        yield markdown.paragraph(f"{_said(model)} Its schema: [{name}.json](schemas/{name}.json).")
        yield _fields(found)
        for part, inner in _parts(found):
            if part not in told:
                told.add(part)
                yield f"### {part}"
                yield markdown.paragraph(inner["description"])
                yield _fields(inner)


def _said(model: type[Part]) -> str:
    return " ".join((model.__doc__ or "").split())


def _parts(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The parts of an answer, in the order in which its fields come to them."""
    known, waiting = list[str](), [*_references(schema["properties"])]
    while waiting:
        part = waiting.pop(0)
        if part in known:
            continue
        known.append(part)
        yield part, schema["$defs"][part]
        waiting = [*_references(schema["$defs"][part]["properties"]), *waiting]


def _references(found: Any) -> Iterator[str]:
    match found:
        case {"$ref": str() as reference}:
            yield reference.rpartition("/")[2]
        case dict():
            for value in found.values():
                yield from _references(value)
        case list():
            for value in found:
                yield from _references(value)


def _fields(schema: Mapping[str, Any]) -> str:
    rows = ((f"`{name}`", _kind(field), field["description"]) for name, field in schema["properties"].items())
    return markdown.table(("field", "type", "is"), rows)


def _kind(field: Any) -> str:
    match field:
        case {"$ref": reference}:
            part = reference.rpartition("/")[2]
            return f"[{part}](#{part.lower()})"
        case {"anyOf": forms}:
            return " or ".join(map(_kind, forms))
        case {"enum": choices}:
            return ", ".join(f"`{choice}`" for choice in choices)
        case {"type": "array", "items": inner}:
            return f"list of {_kind(inner)}"
        case {"type": "object", "additionalProperties": inner}:
            return f"mapping to {_kind(inner)}"
        case _:
            return f"`{field['type']}`" if field["type"] == "null" else str(field["type"])
