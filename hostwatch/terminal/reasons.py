"""The content of `why --json`, as lines for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from hostwatch.terminal.lines import BAD, CHANGING, FAINT, GOOD, HEAD, line
from hostwatch.terminal.status import local_time

_STATES = {"published": GOOD, "lingers": CHANGING, "unknown": CHANGING, "withheld": BAD}
_KINDS = {
    "taken": GOOD,
    "passed": FAINT,
    "published": GOOD,
    "lingers": CHANGING,
    "unknown": CHANGING,
    "withheld": BAD,
    "shadowed": BAD,
    "lost": BAD,
}
_MARKS = {"would_change": "to change it: "}


def reason_lines(found: Mapping[str, Any]) -> Iterator[Text]:
    """The lines, those of each subscriber under its name."""
    for number, subscriber in enumerate(found["subscribers"]):
        if number:
            yield line()
        verdict = ("right", GOOD) if subscriber["in_sync"] else (subscriber["error"] or "not right yet", BAD)
        yield line((subscriber["name"], HEAD), ": ", verdict, (f"  {subscriber['path']}", FAINT))
        for each in subscriber["lines"]:
            yield line()
            yield from _explained(each)
        if not subscriber["lines"]:
            yield line("  it asks for no line")
    for note in found["notes"]:
        yield line()
        yield line((f"note: {note}", FAINT))


def _explained(explained: Mapping[str, Any]) -> Iterator[Text]:
    yield line((explained["line"], HEAD), ": ", (explained["state"], _STATES.get(explained["state"], "")))
    for record in explained["records"]:
        since = f" (since {local_time(record['since'])})" if record["since"] else ""
        yield line("  ", (f"{record['address']} {' '.join(record['names'])}", GOOD), since)
    for step in explained["steps"]:
        indent = "  " * (step["depth"] + 1)
        yield line(f"{indent}- ", (_MARKS.get(step["kind"], "") + step["text"], _KINDS.get(step["kind"], "")))
