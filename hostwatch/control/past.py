"""Answers what is asked of the history, as JSON: from memory, and from the file where memory ends."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress

import anyio.to_thread

from hostwatch.control.archive import Archive, ArchiveError
from hostwatch.control.blocks import Blocks, FileBlock, FileKey
from hostwatch.control.history import Change, History, described, instant
from hostwatch.control.inquiry import Inquiry, Json
from hostwatch.core.block.records import Directive, Record, Withheld
from hostwatch.core.model import ContainerKey, FileKind

Sinces = Mapping[FileKey, Mapping[Record | Withheld, float]]
"""Since when the lines of each file are as they are (seconds since the epoch), as far as that is known."""


class Past:
    """What was. All of it is computed in threads, as a thousand changes take some ten milliseconds."""

    def __init__(self, history: History, blocks: Blocks, archive: Callable[[], Archive | None]) -> None:
        """`archive` tells the file that is open."""
        self._history = history
        self._blocks = blocks
        self._archive = archive

    async def answer(self, asked: Inquiry, known: Collection[str], owners: Collection[ContainerKey]) -> Json:
        """The answer of `history --json`; with `notes`, if it is not all that was.

        `known`: the names of all subscribers now; `owners`: the files that are meant, of those that are there now.
        """
        archive = self._archive()
        try:
            return await self._answer(archive, asked, known, owners)
        except ArchiveError as error:
            return {**await self._answer(None, asked, known, owners), "notes": [f"{error}; this is from memory alone"]}

    async def _answer(
        self, archive: Archive | None, asked: Inquiry, known: Collection[str], owners: Collection[ContainerKey]
    ) -> Json:
        names = {*known, *self._history.subscribers}
        if archive is not None:
            names |= await anyio.to_thread.run_sync(archive.names, asked.words)
        asked = asked.resolved(names, owners)
        if asked.at is None:
            return {"changes": await self._changes(archive, asked)}
        if asked.at >= self._blocks.known_since or archive is None:
            found = await anyio.to_thread.run_sync(blocks, asked, self._blocks.rebuilding(asked.at))
        else:
            found = await anyio.to_thread.run_sync(blocks, asked, lambda: archive.blocks_at(asked.at or 0.0))
        return moment(asked.at, found, await self._known_since(archive))

    async def _changes(self, archive: Archive | None, asked: Inquiry) -> list[Json]:
        known = self._history.changes
        found = await anyio.to_thread.run_sync(changes, asked, known)
        if archive is None or len(found) == asked.limit:
            return found
        first = known[0].number if known else self._history.next_number
        return [*(await anyio.to_thread.run_sync(archive.changes, asked, first)), *found][-asked.limit :]

    async def _known_since(self, archive: Archive | None) -> float:
        if archive is None:
            return self._blocks.known_since
        return min(self._blocks.known_since, await anyio.to_thread.run_sync(archive.known_since))

    @property
    def version(self) -> int:
        """Another one after each change of a block."""
        return self._blocks.version

    async def sinces(self, owners: Collection[ContainerKey]) -> Sinces:
        """Since when the lines of these files are as they are."""
        found: dict[FileKey, dict[Record | Withheld, float]] = {}
        if (archive := self._archive()) is not None:
            with suppress(ArchiveError):
                found = await anyio.to_thread.run_sync(archive.sinces, owners)
        for key, newer in (await anyio.to_thread.run_sync(self._blocks.dating())).items():
            found.setdefault(key, {}).update(newer)
        return found


def changes(asked: Inquiry, known: Iterable[Change]) -> list[Json]:
    """The changes that are asked for, oldest first."""
    wanted = [change for change in known if asked.wants(change)]
    return [described(change) for change in wanted[-asked.limit :]]


def blocks(asked: Inquiry, rebuilt: Callable[[], Sequence[FileBlock]]) -> list[Json]:
    """The blocks that are asked for."""
    wanted = (asked.shown_of(each) for each in rebuilt() if asked.means(each.subscriber, each.key.owner))
    return [block(each) for each in wanted if each.block]


def block(found: FileBlock) -> Json:
    """A block of an earlier moment."""
    directives = [each for each in found.block.records if isinstance(each, Directive)]
    records = [each for each in found.block.records if not isinstance(each, Directive)]
    return {
        "subscriber": found.subscriber,
        "subscriber_id": found.key.owner.id,
        "file": found.key.file,
        "records": [{"address": str(each.address), "names": [*each.names]} for each in records],
        **({"lines": [{"line": each.line} for each in directives]} if found.key.file == FileKind.RESOLV.value else {}),
        "withheld": [{"line": each.line, "reason": each.reason} for each in found.block.withheld],
    }


def moment(at: float, found: Sequence[Json], known_since: float) -> Json:
    """The answer to what the blocks were at a moment. Before `known_since` nothing is known."""
    return {"at": instant(at), "known_since": instant(known_since), "blocks": found}
