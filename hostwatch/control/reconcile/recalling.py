"""The memory of a file that an earlier run has left: what each line of it said. A long one is made in a thread."""

from collections.abc import Sequence

import anyio.to_thread

from hostwatch.control.journal import block_in
from hostwatch.core.model import FileKind
from hostwatch.core.resolve.outcome import Memory, Outcome
from hostwatch.core.resolve.recall import memory_of

_FEW = 200
"""Lines and records that are compared on the event loop, in a millisecond or two."""


async def recalled(lines: Sequence[Outcome], text: bytes, kind: FileKind) -> Memory:
    """The memory of these lines that follows from the block in a text."""
    block = await block_in(text, kind)
    if block is None:
        return {}
    if len(lines) + len(block.records) <= _FEW:
        return memory_of(lines, block, kind)
    return await anyio.to_thread.run_sync(memory_of, lines, block, kind)
