"""The content of `history --json`, as lines for people. Times are local ones, with their zone."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.text import Text

from hostwatch.core.block.differences import shortened
from hostwatch.terminal.lines import BAD, FAINT, GOOD, HEAD, Part, line
from hostwatch.terminal.status import RESOLV

_GAP = "  "


def change_line(change: Mapping[str, Any]) -> Text:
    """A change: when, whose, what, why, and how long it took."""
    what: list[Part] = []
    for part in _parts(change):
        what += ["; " if what else "", part]
    why = (f" ({change['cause']}, {change['ms']} ms)", FAINT)
    whose = (change["subscriber"], HEAD), _of_file(change), ": "
    return line((local(change["time"]), FAINT), _GAP, *whose, *what, why)


def _parts(change: Mapping[str, Any]) -> Iterator[Part]:
    names = [f"{each['name']} {_listed(each['old'])} → {_listed(each['new'])}" for each in change["changes"]]
    withheld = [f"withheld: {each['line']} ({each['reason']})" for each in change["withheld"]]
    yield from shortened(names)
    yield from ((text, BAD) for text in shortened(withheld))
    yield from ((text, GOOD) for text in shortened([f"no longer withheld: {e}" for e in change["no_longer_withheld"]]))


def _of_file(found: Mapping[str, Any]) -> str:
    """The file, if it is not the subscriber's hosts file."""
    return f": {RESOLV}" if found.get("file") == "resolv" else ""


def _listed(addresses: list[str]) -> str:
    return ",".join(shortened(addresses)) or "-"


def moment_lines(found: Mapping[str, Any]) -> Iterator[Text]:
    """The blocks of a moment."""
    if found["at"] < found["known_since"]:
        yield line(f"nothing is known of {local(found['at'])}: the history begins at {local(found['known_since'])}")
    elif not found["blocks"]:
        yield line(f"no such line stood in any file at {local(found['at'])}")
    for block in found["blocks"]:
        yield line((block["subscriber"], HEAD), _of_file(block), (f" at {local(found['at'])}", FAINT))
        yield from _block_lines(block)


def _block_lines(block: Mapping[str, Any]) -> Iterator[Text]:
    widest = max((len(record["address"]) for record in block["records"]), default=0)
    for record in block["records"]:
        yield line(f"  {record['address']:<{widest}}{_GAP}{' '.join(record['names'])}")
    for each in block.get("lines", ()):
        yield line(f"  {each['line']}")
    for withheld in block["withheld"]:
        yield line(("  withheld", BAD), f"{_GAP}{withheld['line']} ({withheld['reason']})")


def note_lines(found: Mapping[str, Any]) -> Iterable[Text]:
    """What limits the answer."""
    return [line(f"note: {note}") for note in found.get("notes", ())]


def local(instant: str) -> str:
    """A time of the history in local time, as in `2026-01-02 04:04:05.678+01:00`."""
    return datetime.fromisoformat(instant).astimezone().isoformat(" ", "milliseconds")
