"""The memory of a file that an earlier run has left: what each line of it said. A long one is made in a thread."""

from collections.abc import Sequence

import anyio.to_thread

from hostwatch.control.journal import block_in
from hostwatch.core.model import FileKind
from hostwatch.core.resolve.desired import asks_for_all, outcomes, unheard_by
from hostwatch.core.resolve.outcome import Memory
from hostwatch.core.resolve.recall import memory_of
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.sharing import Request

_FEW = 200
"""Lines and records that are compared on the event loop, in a millisecond or two."""


async def recalled(lister: Lister, requests: Sequence[Request], text: bytes, kind: FileKind) -> Memory:
    """The memory of the lines that are requested, as it follows from the block in a text."""
    block = await block_in(text, kind)
    if block is None:
        return {}
    lines = outcomes(lister, requests)
    unheard = unheard_by(lister, requests) if asks_for_all(requests) else None
    if len(lines) + len(block.records) <= _FEW:
        return memory_of(lines, block, kind, unheard)
    return await anyio.to_thread.run_sync(memory_of, lines, block, kind, unheard)
