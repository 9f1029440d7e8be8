"""The size limits of hosts files, and the part of a block that fits."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from hostwatch.core.block.records import BEGIN, END, Block, Record, Withheld, comment, unsaid_comment

LIMIT = 1 << 18
"""The largest hosts file of a container that is handled, in bytes: some thousands of lines. The container may fill it
with anything at any time, and parsing 1 MiB of that took 0.6 s."""
HOST_LIMIT = 1 << 26
"""The same for a file on the host, in bytes. The operator fills it, and lists of blocked names have some megabytes."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The size that a text may have."""

    size: int
    reason: str
    """The reason that is given for a line withheld because of it."""
    cost: Callable[[bytes], int] = len
    """The size that some bytes count as."""


OF_CONTAINER = Limit(LIMIT, f"too much for a hosts file of {LIMIT >> 10} KiB")
OF_HOST = Limit(HOST_LIMIT, f"too much for a hosts file of {HOST_LIMIT >> 20} MiB")


def fitted(block: Block, text: bytes, foreign: Iterable[bytes], limit: Limit) -> Block:
    """The part of the block that fits beside the foreign lines."""
    cost = limit.cost
    newline = cost(b"\n")
    # The foreign lines are not longer than the text, so this needs no sum over them.
    if not block or cost(text) + cost(block.text) + newline <= limit.size:
        return block
    room = limit.size - sum(cost(line) + newline for line in foreign)
    if cost(block.text) <= room:
        return block
    pieces = [piece for record in block.records for piece in _pieces(record)]
    room -= sum(cost(line) + newline for line in (BEGIN, unsaid_comment(len(block.withheld) + len(pieces)), END))
    costs = [sum(cost(line) + newline for line in piece.lines()) for piece in pieces]
    kept = _fitting(costs, room)
    dropped = (Withheld(" ".join(r.text.decode("ascii").split()), limit.reason) for r in pieces[kept:])
    withheld = (*block.withheld, *dropped)
    said = _fitting((cost(comment(line)) + newline for line in withheld), room - sum(costs[:kept]))
    return Block(tuple(pieces[:kept]) if kept < len(pieces) else block.records, withheld, len(withheld) - said)


def _fitting(costs: Iterable[int], room: int) -> int:
    """The number of items that fit, counted from the first."""
    count = 0
    for cost in costs:
        room -= cost
        if room < 0:
            break
        count += 1
    return count


def _pieces(record: Record) -> Iterator[Record]:
    """The record as one or several records of one line each."""
    lines = [*record.lines()]
    if len(lines) == 1:
        yield record
        return
    for line in lines:
        yield Record(record.address, tuple(name.decode("ascii") for name in line.split()[1:]))
