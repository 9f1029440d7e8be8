"""The answer to a question: rows of figures, and their targets. Printed, and kept as JSON."""

import json
import math
import os
import platform
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from rich.console import Console
from rich.table import Table

Row = dict[str, str | int | float | None]
"""One line of a table. A figure is `None` if there is none, as for a program that never followed."""


@dataclass(frozen=True)
class Target:
    """The target of one figure: at most a limit, or at least."""

    what: str
    figure: float | None
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure meets the limit. An absent figure does not."""
        if self.figure is None or math.isnan(self.figure):
            return False
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit


@dataclass
class Answer:
    """All that one question found."""

    title: str
    rows: list[Row]
    targets: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def machine() -> Row:
    """The properties of the machine that the figures depend on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {
        "cores": os.cpu_count(),
        "processor": model,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def spread(milliseconds: list[float]) -> dict[str, float | None]:
    """Median and p99. The p99 of fewer than a hundred values is the greatest."""
    if not milliseconds:
        return {"median_ms": None, "p99_ms": None}
    p99 = quantiles(milliseconds, n=100, method="inclusive")[98] if len(milliseconds) >= 100 else max(milliseconds)
    return {"median_ms": round(median(milliseconds), 2), "p99_ms": round(p99, 2)}


def ratio(figure: float | None, other: float | None) -> float | None:
    """The figure as a multiple of the other."""
    return round(figure / other, 2) if figure is not None and other is not None and other > 0 else None


def show(answer: Answer) -> None:
    """Print an answer as a table, with its targets below."""
    console = Console(width=None if os.isatty(1) else 160)
    columns = list(dict.fromkeys(key for row in answer.rows for key in row))
    table = Table(title=answer.title, title_justify="left")
    numbers = {key for row in answer.rows for key, value in row.items() if isinstance(value, int | float)}
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right" if column in numbers else "left")
    for row in answer.rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console.print(table)
    for target in answer.targets:
        bound = "at least" if target.at_least else "at most"
        verdict = "met" if target.met else "MISSED"
        console.print(f"  {verdict}: {target.what}: {_cell(target.figure)}, wanted {bound} {_cell(target.limit)}")
    for note in answer.notes:
        console.print(f"  {note}", highlight=False, markup=False)


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case float():
            return f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def keep(path: Path, question: str, answer: Answer) -> dict[str, Any]:
    """Put an answer into the file, in the place of an older one to the same question; returns all answers in it."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    found[question] = {
        "measured": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": machine(),
        "title": answer.title,
        "rows": answer.rows,
        "targets": [asdict(target) | {"met": target.met} for target in answer.targets],
        "notes": answer.notes,
    }
    path.write_text(json.dumps(found, indent=1) + "\n")
    return found


def picked(rows: Iterable[Row], **values: object) -> Row:
    """The row with these values; an empty row if there is none."""
    return next((row for row in rows if all(row.get(key) == value for key, value in values.items())), {})


def number(row: Row, key: str) -> float | None:
    """A figure of a row."""
    value = row.get(key)
    return float(value) if isinstance(value, int | float) else None
