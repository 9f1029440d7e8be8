"""Lays out text for people: lines are wrapped to the width of the terminal, and no name is ever cut.

Lines break only between words. A word that is longer than a line is left to the terminal, which folds it and still
copies it as one word. In a pipe nothing is wrapped, so that `grep` finds each line whole.
"""

import os
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from hostwatch.core.names import printable

_GAP = "  "
_INDENT = "    "
_SERVICES = ("SERVICE", "NAMES", "FROM", "CONTAINER", "STATE", "ADDRESSES")


def width_of(stream: TextIO | None) -> int | None:
    """The columns of a stream's terminal; `None` if it goes elsewhere, or if the width is not known."""
    try:
        if stream is None or not stream.isatty():
            return None
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # the stream may be closed, or have no descriptor
        return None


def wrapped(text: str, width: int | None, indent: str = _INDENT) -> str:
    """The text with each line that is wider than the terminal broken between words, and continued indented."""
    if width is None:
        return text
    return "\n".join("\n".join(_wrapped(line, width, indent)) for line in text.split("\n"))


def status_text(found: Mapping[str, Any], width: int | None) -> str:
    """The content of `status --json`, for people."""
    return wrapped("\n".join(_status_lines(found, width)), width) + "\n"


def _status_lines(found: Mapping[str, Any], width: int | None) -> Iterator[str]:
    engine = found["engine"]
    yield printable(f"engine {engine['version']} (API {engine['api']})")
    yield from _table(_SERVICES, list(_service_rows(found["services"])), width)
    for subscriber in found["subscribers"]:
        verdict = "right" if subscriber["in_sync"] else subscriber["error"] or "not right yet"
        yield printable(f"{subscriber['name']}: {verdict}")
        yield from _subscriber_lines(subscriber)
    if not found["subscribers"]:
        yield "no running container subscribes"


def _service_rows(services: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for service in services:
        row = (service["name"], " ".join(service["names"]), service["source"])
        for container in service["containers"]:
            health = f" ({container['health']})" if container["health"] else ""
            places = container["addresses"].items()
            addresses = ", ".join(f"{' '.join(found)} on {network}" for network, found in places)
            yield (*row, container["name"], container["state"] + health, addresses or "-")
            row = ("", "", "")
        if not service["containers"]:
            yield (*row, "-", "", "")


def _subscriber_lines(subscriber: Mapping[str, Any]) -> Iterator[str]:
    records = subscriber["records"]
    widest = max((len(record["address"]) for record in records), default=0)
    for record in records:
        yield printable(f"  {record['address']:<{widest}}{_GAP}{' '.join(record['names'])}")
    for withheld in subscriber["withheld"]:
        yield printable(f"  withheld{_GAP}{withheld['line']} ({withheld['reason']})")


# Columns.


def _table(heads: Sequence[str], rows: list[tuple[str, ...]], width: int | None) -> Iterator[str]:
    """The rows in columns if these fit without breaking a word, else each row as a paragraph."""
    table = [tuple(heads), *(tuple(printable(cell).replace("\n", " ") for cell in row) for row in rows)]
    room = None if width is None else width - len(_GAP) * (len(heads) - 1)
    widths = _column_widths(table, room)
    if widths is not None:
        for row in table:
            yield from _row(row, widths)
    else:
        for row in table[1:]:
            yield from _paragraph(heads, row)


def _column_widths(table: list[tuple[str, ...]], room: int | None) -> list[int] | None:
    """The width of each column, at least its longest word; `None` if the columns do not fit side by side."""
    columns = list(zip(*table, strict=True))
    widths = [max(map(len, column)) for column in columns]
    if room is None:
        return widths
    least = [max((len(word) for cell in column for word in cell.split()), default=0) for column in columns]
    if sum(least) > room:
        return None
    while (excess := sum(widths) - room) > 0:
        # The widest column that can shrink is cut to the width of the next one, until all columns fit.
        widest, index = max((width, i) for i, width in enumerate(widths) if width > least[i])
        below = max((width for width in widths if width < widest), default=0)
        widths[index] = max(least[index], min(below, widest - 1), widest - excess)
    return widths


def _row(row: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    cells = [_wrapped(cell, width, "") for cell, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, cells))):
        parts = [cell[number] if number < len(cell) else "" for cell in cells]
        yield _GAP.join(f"{part:<{width}}" for part, width in zip(parts, widths, strict=True)).rstrip()


def _paragraph(heads: Sequence[str], row: tuple[str, ...]) -> Iterator[str]:
    widest = max(map(len, heads))
    if row[0]:
        yield f"{heads[0].lower():<{widest}}{_GAP}  {row[0]}"
    for head, cell in zip(heads[1:], row[1:], strict=True):
        if cell:
            yield f"  {head.lower():<{widest}}{_GAP}{cell}"


def _wrapped(line: str, width: int, indent: str) -> list[str]:
    if len(line) <= width:
        return [line]
    lines = textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
    return lines or [line]
