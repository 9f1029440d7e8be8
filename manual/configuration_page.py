"""The page of the configuration: each key with its type, default, meaning and an example."""

import re
from collections.abc import Iterator

from manual import markdown
from manual.keys import NAME, Key, example, keys
from manual.template import filled


def page() -> str:
    """The page."""
    return filled("configuration.md", {"index": _index(), "keys": "\n\n".join(map(_section, keys()))})


def _index() -> str:
    """All keys in one table."""
    rows = ((f"[`{key.dotted}`](#{_anchor(key.path)})", key.kind, _default(key)) for key in keys())
    return markdown.table(("key", "type", "default"), rows)


def _section(key: Key) -> str:
    return "\n\n".join(_parts(key))


def _parts(key: Key) -> Iterator[str]:
    level = "##" if len([step for step in key.path if step != NAME]) == 1 else "###"
    yield f"{level} `{key.dotted}`"
    facts = [f"Type: {key.kind}."]
    facts += ["Required."] if key.is_required else []
    facts += [f"Default: {_default(key)}."] if key.default else []
    yield markdown.paragraph(" ".join(facts))
    yield markdown.paragraph(_plain(key.text))
    if key.alike:
        yield markdown.paragraph(f"Its keys are those of [`{'.'.join(key.alike)}`](#{_anchor(key.alike)}).")
    if not key.is_section or key.alike:
        yield markdown.code(example(key), "yaml")


def _default(key: Key) -> str:
    return f"`{key.default}`" if key.default else "required" if key.is_required else ""


def _anchor(path: tuple[str, ...]) -> str:
    """The anchor that a heading gets."""
    return re.sub(r"[^a-z0-9_-]", "", "".join(path).lower())


def _plain(text: str) -> str:
    """Text outside of `code` in which no asterisk or bracket means anything."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if at % 2 else re.sub(r"([*\[\]<>])", r"\\\1", part) for at, part in enumerate(parts))
