"""The answers to inquiries about the history, as JSON: the same for commands and by HTTP."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import anyio.to_thread

from hostwatch.control.blocks import FileBlock
from hostwatch.control.history import Change, History, described, instant
from hostwatch.control.inquiry import Inquiry

Json = Mapping[str, Any]


async def of_memory(history: History, asked: Inquiry) -> Json:
    """The answer from memory, computed in a thread, as a thousand changes take some ten milliseconds."""
    if asked.at is None:
        return {"changes": await anyio.to_thread.run_sync(changes, asked, history.changes)}
    found = await anyio.to_thread.run_sync(blocks, asked, history.rebuilding(asked.at))
    return moment(asked.at, found, history.known_since)


def changes(asked: Inquiry, known: Iterable[Change]) -> list[Json]:
    """The changes that are asked for, oldest first."""
    wanted = [change for change in known if asked.wants(change)]
    return [described(change) for change in wanted[-asked.limit :]]


def blocks(asked: Inquiry, rebuilt: Callable[[], Sequence[FileBlock]]) -> list[Json]:
    """The blocks that are asked for."""
    wanted = (
        asked.shown_of(standing) for standing in rebuilt() if asked.means(standing.subscriber, standing.key.owner)
    )
    return [block(standing) for standing in wanted if standing.block]


def block(standing: FileBlock) -> Json:
    """A block of an earlier moment."""
    return {
        "subscriber": standing.subscriber,
        "subscriber_id": standing.key.owner.id,
        "file": standing.key.file,
        "records": [{"address": str(each.address), "names": [*each.names]} for each in standing.block.records],
        "withheld": [{"line": each.line, "reason": each.reason} for each in standing.block.withheld],
    }


def moment(at: float, found: Sequence[Json], known_since: float) -> Json:
    """The answer to what the blocks were at a moment. Before `known_since` nothing is known."""
    return {"at": instant(at), "known_since": instant(known_since), "blocks": found}
