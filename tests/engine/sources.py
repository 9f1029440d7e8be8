"""The machine's own Debian mirror and signing key, pointed at another suite.

apt is configured by one-line `.list` and by deb822 `.sources` files. The first entry that reads like the Debian archive
itself is copied with all of its options; only its suite and its components change.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.engine.machine import EngineError

_SUITES = {
    "oldoldstable", "oldstable", "stable", "testing", "unstable",
    "buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid",
}  # fmt: skip
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")


@dataclass(frozen=True)
class Entry:
    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    template: str  # the same entry in its own format, with SUITE where the suite belongs
    extension: str  # apt tells the formats apart by the file's name

    def is_debian(self) -> bool:
        return bool(_SUITES.intersection(self.suites)) and "main" in self.components and "security" not in self.uri

    def names_debian(self) -> bool:
        return "debian" in self.uri.lower()


def debian_entry(apt: Path = Path("/etc/apt")) -> Entry:
    """The entry of the Debian archive; others sign with their own keys and lack the suites we need."""
    candidates = [entry for entry in _entries(apt) if entry.is_debian()]
    if not candidates:
        raise EngineError(
            f"no Debian mirror in {apt}/sources.list or {apt}/sources.list.d: "
            "this needs a Debian machine whose apt has an entry with the component `main`"
        )
    return next(filter(Entry.names_debian, candidates), candidates[0])


def _entries(apt: Path) -> Iterator[Entry]:
    parts = sorted((apt / "sources.list.d").glob("*"))
    for path in [apt / "sources.list", *parts]:
        if not path.is_file():
            continue
        if path.suffix == ".list":
            yield from _one_line_entries(path.read_text())
        elif path.suffix == ".sources":
            yield from _deb822_entries(path.read_text())


def _one_line_entries(text: str) -> Iterator[Entry]:
    for line in text.splitlines():
        if not (found := _ONE_LINE.fullmatch(line.split("#")[0].strip())):
            continue
        options = f"[{found['options']}] " if found["options"] else ""
        template = f"deb {options}{found['uri']} SUITE main\n"
        yield Entry(found["uri"], (found["suite"],), tuple(found["components"].split()), template, "list")


def _deb822_entries(text: str) -> Iterator[Entry]:
    lines = [line.rstrip() for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n{2,}", "\n".join(lines).strip()):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in {"no", "false", "0"}:
            continue
        fields |= {"types": "deb", "suites": "SUITE", "components": "main"}
        template = "".join(f"{name}: {value}\n" for name, value in fields.items())
        original = _fields(stanza)
        suites, components = original.get("suites", ""), original.get("components", "")
        yield Entry(fields.get("uris", ""), tuple(suites.split()), tuple(components.split()), template, "sources")


def _fields(stanza: str) -> dict[str, str]:
    """The fields of a stanza; a value may go on in lines that begin with a blank, as an inline key does."""
    found = re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE)
    return {name.lower(): value for name, value in found}
