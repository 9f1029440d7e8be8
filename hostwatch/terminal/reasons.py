"""The content of `why --json`, as lines for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from hostwatch.terminal.lines import BAD, CHANGING, FAINT, GOOD, HEAD, line
from hostwatch.terminal.status import RESOLV, local_time, verdict

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
File = Mapping[str, Any]
"""A file of the answer: a subscriber is its hosts file."""
_MARKS = {"would_change": "to change it: "}


def reason_lines(found: Mapping[str, Any]) -> Iterator[Text]:
    """The lines, those of each subscriber under its name."""
    for number, subscriber in enumerate(found["subscribers"]):
        if number:
            yield line()
        yield from _of_subscriber(subscriber)
    for note in found["notes"]:
        yield line()
        yield line((f"note: {note}", FAINT))


def _of_subscriber(subscriber: File) -> Iterator[Text]:
    resolv, name = subscriber.get("resolv"), (subscriber["name"], HEAD)
    if resolv is None or subscriber["lines"] or not subscriber["in_sync"]:
        yield line(name, ": ", verdict(subscriber), (f"  {subscriber['path']}", FAINT))
        yield from _lines(subscriber)
        if not subscriber["lines"]:
            yield line("  it asks for no line")
        if resolv is not None and resolv["lines"]:
            yield line()
    if resolv is not None and (resolv["lines"] or not subscriber["lines"]):
        yield line(name, f": {RESOLV}: ", verdict(resolv), (f"  {resolv['path']}", FAINT))
        yield from _lines(resolv)


def _lines(file: File) -> Iterator[Text]:
    for each in file["lines"]:
        yield line()
        yield from _explained(each)


def _text(record: Mapping[str, Any]) -> str:
    return record["line"] if "line" in record else f"{record['address']} {' '.join(record['names'])}"


def _explained(explained: Mapping[str, Any]) -> Iterator[Text]:
    begun = f" (since {local_time(explained['since'])})" if explained.get("since") else ""
    yield line((explained["line"], HEAD), ": ", (explained["state"], _STATES.get(explained["state"], "")), begun)
    for record in explained["records"]:
        since = f" (since {local_time(record['since'])})" if record["since"] else ""
        yield line("  ", (_text(record), GOOD), since)
    for step in explained["steps"]:
        indent = "  " * (step["depth"] + 1)
        yield line(f"{indent}- ", (_MARKS.get(step["kind"], "") + step["text"], _KINDS.get(step["kind"], "")))
