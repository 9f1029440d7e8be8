"""The page of the configuration: each key with its type, default, meaning and an example."""

import re
from collections.abc import Iterator, Mapping

from manual import markdown
from manual.keys import NAME, Key, example, keys
from manual.template import filled

_DROP_IN = "[{0}](../../config/hostwatch.service.d/{0})"
UNIT: Mapping[str, str] = {
    "docker.host": "by TCP or HTTP `PrivateNetwork=no`, `RestrictAddressFamilies=AF_INET AF_INET6` and"
    " `IPAddressAllow=` with the address.",
    "services.NAME.from": f"{_DROP_IN.format('cluster.conf')}, with the addresses of your servers.",
    "subscribers.NAME.file": "`ReadWritePaths=/etc/hosts` ([the host's file](../how-to/names.md)). If programs replace"
    " the file by a new one, its directory.",
    "subscribers.NAME.notify.command": "`SystemCallFilter=sched_setscheduler`. The command has the rights of the unit.",
    "advertise": f"{_DROP_IN.format('advertise.conf')} for `auto`; an address needs none.",
    "cluster": f"{_DROP_IN.format('cluster.conf')}, with the addresses of your servers.",
    "http.listen": f"{_DROP_IN.format('http.conf')} for an address. It sets `HOSTWATCH_HTTP_LISTEN`, which comes before"
    " this key, and `allow_remote` needs its `IPAddressAllow=`. A socket in `/run/hostwatch` needs none.",
    "history.file": f"{_DROP_IN.format('history.conf')} for a file in `/var/lib/hostwatch`.",
    "log.file": "nothing for a file in `/var/log/hostwatch`; else `ReadWritePaths=` and the file's directory.",
}
"""What the unit needs for a key in a drop-in."""


def page() -> str:
    """The page. Raises `LookupError` if something is said of a key that there is not."""
    if unknown := UNIT.keys() - {key.dotted for key in keys()}:
        raise LookupError(f"there is no key {', '.join(unknown)}")
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
    if key.dotted in UNIT:
        yield markdown.paragraph(f"[Under the unit](#under-systemd): {UNIT[key.dotted]}")
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
