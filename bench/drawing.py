"""Draws the figures as one picture, with a panel for each question that has an answer."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench import change, first, storm
from bench.follow import BY_LABEL, HOST_FILE
from bench.report import Row, number, picked

_COLOURS = {"hostwatch": "#1f77b4", "floor": "#7f7f7f", "lister": "#d62728"}
_PEER = "#e8a33d"
_ACROSS = 2


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw all answers into an SVG file."""
    panels = [(name, panel) for name, panel in _PANELS if name in found]
    if not panels:
        return
    down = -(-len(panels) // _ACROSS)
    figure = Figure(figsize=(5.4 * _ACROSS, 3.6 * down), layout="constrained")
    for place, (name, panel) in enumerate(panels):
        axes = figure.add_subplot(down, _ACROSS, place + 1)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        panel(axes, found[name]["rows"])
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "hostwatch"}):
        figure.savefig(path, metadata={"Date": None})


def _follow(axes: Axes, rows: list[Row], file: str) -> None:
    """Medians for one file: a bar for each contender and way."""
    ones = [row for row in rows if row["subscribers"] == 1 and row.get("file", BY_LABEL) == file]
    _bars(axes, ones, ("reconnect", "stop and start", "recreate"), "median_ms")
    axes.set_yscale("symlog", linthresh=1)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_title(f"Follow: ms after the address is published (median; {file})", fontsize=9)


def _change(axes: Axes, rows: list[Row], file: str) -> None:
    """Processor time of a change of each kind: a bar for each contender."""
    _bars(axes, [row for row in rows if row["file"] == file], change.WAYS, "cpu_ms")
    axes.set_yscale("log")
    axes.set_title(f"Change: ms of CPU ({file})", fontsize=9)


def _bars(axes: Axes, rows: list[Row], ways: Sequence[str], column: str) -> None:
    """A group of bars for each way, with a bar for each contender."""
    contenders = list(dict.fromkeys(str(row["contender"]) for row in rows))
    width = 0.8 / max(len(contenders), 1)
    for place, contender in enumerate(contenders):
        elsewhere = picked(rows, contender=contender).get("measured") == "elsewhere"
        bars = [
            (at + place * width, figure)
            for at, way in enumerate(ways)
            if (figure := number(picked(rows, contender=contender, way=way), column)) is not None
        ]
        container = axes.bar(
            [at for at, _ in bars],
            [figure for _, figure in bars],
            width,
            label=contender + (" (measured elsewhere)" if elsewhere else ""),
            color=_COLOURS.get(contender, _PEER),
            hatch="///" if elsewhere else None,
            edgecolor="white",
        )
        axes.bar_label(container, fmt="{:.3g}", fontsize=6)
    axes.set_xticks([at + 0.4 - width / 2 for at in range(len(ways))], ways)
    if contenders:
        axes.legend(fontsize=6, frameon=False)


def _subscribers(axes: Axes, rows: list[Row]) -> None:
    """Medians of a reconnect by the number of subscribers."""
    for contender, colour in _COLOURS.items():
        points = [
            (float(row["subscribers"] or 0), figure)
            for row in sorted(rows, key=lambda row: float(row["subscribers"] or 0))
            if row["contender"] == contender
            and row["way"] == "reconnect"
            and row.get("file", BY_LABEL) == BY_LABEL
            and (figure := number(row, "median_ms")) is not None
        ]
        axes.plot([count for count, _ in points], [figure for _, figure in points], "o-", color=colour, label=contender)
    axes.set(xscale="log", yscale="log", xlabel="subscribers")
    axes.set_title("Follow: ms until the last file is right (reconnect, median)", fontsize=9)
    axes.legend(fontsize=7, frameon=False)


def _first(axes: Axes, rows: list[Row]) -> None:
    """The starts, of a hundred, that found the file right."""
    labels, shares = [], []
    for row in rows:
        for column in filter(row.__contains__, first.COLUMNS):
            labels.append(f"{row['engine']}, {row['cores']}: {column.replace('_', ' ')}")
            shares.append(100 * (number(row, column) or 0.0) / (number(row, "of") or 1.0))
    bars = axes.barh(labels, shares, color=_COLOURS["hostwatch"])
    axes.bar_label(bars, fmt="{:.0f}", fontsize=6)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=5.5)
    axes.set_xlim(0, 110)
    axes.set_title("First instruction: % of starts with the file right before it", fontsize=9)


def _readers(axes: Axes, rows: list[Row]) -> None:
    """Lookups a second."""
    found = [row for row in rows if number(row, "per_second") is not None]
    labels = [str(row["what"]).removeprefix("lookup ") for row in found]
    colours = [_COLOURS["floor"] if "DNS" in label else _COLOURS["hostwatch"] for label in labels]
    bars = axes.barh(labels, [number(row, "per_second") or 0.0 for row in found], color=colours)
    axes.bar_label(bars, fmt="{:,.0f}", fontsize=7)
    axes.invert_yaxis()
    axes.set_title("Readers: lookups a second (glibc)", fontsize=9)


def _storm(axes: Axes, rows: list[Row]) -> None:
    """Processor time: a contender's own, and what it costs the engine."""
    found = [row for row in rows if row["contender"] != "nobody" and row.get("files", storm.BY_LABEL) == storm.BY_LABEL]
    for place, (column, label) in enumerate((("cpu_s", "its own"), ("engine_cpu_more_s", "the engine's, more"))):
        bars = axes.bar(
            [at + 0.4 * place for at in range(len(found))],
            [max(number(row, column) or 0.0, 0.0) for row in found],
            0.4,
            label=label,
            color=("#1f77b4", "#9ecae1")[place],
        )
        axes.bar_label(bars, fmt="{:.3g}", fontsize=7)
    axes.set_xticks([at + 0.2 for at in range(len(found))], [str(row["contender"]) for row in found])
    axes.set_title("Storm: CPU seconds", fontsize=9)
    axes.legend(fontsize=7, frameon=False)


def _idle(axes: Axes, rows: list[Row]) -> None:
    """Memory at rest."""
    names = [f"{row['contender']} ({row['cpu_percent']} % of a core)" for row in rows]
    colours = [_COLOURS.get(str(row["contender"]), _PEER) for row in rows]
    bars = axes.barh(names, [number(row, "rss_mb") or 0.0 for row in rows], color=colours)
    axes.bar_label(bars, fmt="{:.0f} MB", fontsize=7)
    axes.invert_yaxis()
    axes.set_title("Idle: memory", fontsize=9)


def _size(axes: Axes, rows: list[Row]) -> None:
    """The growth of each figure with the number of containers."""
    for column in [key for key in rows[0] if key != "containers"]:
        points = [(number(row, "containers") or 0.0, number(row, column) or 0.0) for row in rows]
        axes.plot(
            [count for count, _ in points], [figure for _, figure in points], "o-", label=column.replace("_", " ")
        )
    axes.set(xscale="log", yscale="log", xlabel="containers")
    axes.set_title("Size", fontsize=9)
    axes.legend(fontsize=6, frameon=False)


_PANELS: tuple[tuple[str, Callable[[Axes, list[Row]], None]], ...] = (
    ("follow", partial(_follow, file=BY_LABEL)),
    ("follow", partial(_follow, file=HOST_FILE)),
    ("follow", _subscribers),
    ("first", _first),
    ("readers", _readers),
    *(("change", partial(_change, file=case.file)) for case in change.CASES),
    ("storm", _storm),
    ("idle", _idle),
    ("size", _size),
)
