"""Tables that fold and never cut: rows in columns if these fit without breaking a word, else each row a paragraph."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from hostwatch.terminal.lines import HEAD, folded, line

_GAP = "  "

Row = Sequence[Text]
"""The cells of a row. An empty first cell continues the row before it."""


def table(heads: Sequence[str], rows: Sequence[Row], width: int | None) -> Iterator[Text]:
    """The lines of the table; `width` is the terminal's, `None` in a pipe."""
    everything: list[Row] = [[line((head, HEAD)) for head in heads], *rows]
    room = None if width is None else width - len(_GAP) * (len(heads) - 1)
    widths = _column_widths(everything, room)
    if widths is not None:
        for row in everything:
            yield from _row(row, widths)
    else:
        for row in rows:
            yield from _paragraph(heads, row)


def _column_widths(rows: Sequence[Row], room: int | None) -> list[int] | None:
    """The width of each column, at least its longest word; `None` if the columns do not fit side by side."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    if room is None:
        return widths
    least = [max((len(word) for cell in column for word in cell.plain.split()), default=0) for column in columns]
    if sum(least) > room:
        return None
    while (excess := sum(widths) - room) > 0:
        # The widest column that can shrink is cut to the width of the next one, until all columns fit.
        widest, index = max((width, i) for i, width in enumerate(widths) if width > least[i])
        below = max((width for width in widths if width < widest), default=0)
        widths[index] = max(least[index], min(below, widest - 1), widest - excess)
    return widths


def _row(row: Row, widths: Sequence[int]) -> Iterator[Text]:
    cells = [[*folded(cell, width, "")] for cell, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, cells))):
        parts = [cell[number] if number < len(cell) else Text() for cell in cells]
        found = Text()
        for part, width in zip(parts, widths, strict=True):
            found.append_text(part).append(" " * (width - len(part)) + _GAP)
        found.rstrip()
        yield found


def _paragraph(heads: Sequence[str], row: Row) -> Iterator[Text]:
    widest = max(map(len, heads))
    if row[0]:
        yield Text.assemble(f"{heads[0].lower():<{widest}}{_GAP}  ", row[0])
    for head, cell in zip(heads[1:], row[1:], strict=True):
        if cell:
            yield Text.assemble(f"  {head.lower():<{widest}}{_GAP}", cell)
