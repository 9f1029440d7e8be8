"""What the engine and the hosts files say at one moment: behind every command that runs once."""

import difflib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path

import anyio

from hostwatch.control.files import FileFailedError, FileGoneError, FileRefusedError, HostsFiles
from hostwatch.control.journal import LabelJournal
from hostwatch.control.load import load
from hostwatch.control.reconciler import Rewriting, refusal
from hostwatch.control.refresh import Refresher
from hostwatch.control.source import EngineInfo, Source
from hostwatch.core import hostsfile
from hostwatch.core.desired import outcomes
from hostwatch.core.hold import held, memory_of
from hostwatch.core.inventory import Inventory
from hostwatch.core.model import Container, State
from hostwatch.core.records import Block


async def surveyed(source: Source, inventory: Inventory) -> EngineInfo:
    """Read everything into the inventory, once. Raises `EngineError`."""
    engine = await source.info()
    async with anyio.create_task_group() as tasks:
        refresher = Refresher(source, inventory, LabelJournal(), lambda _files, _cause: None, tasks)
        await load(source, inventory, refresher, "survey")
        tasks.cancel_scope.cancel()
    return engine


@dataclass(frozen=True, slots=True)
class FileReport:
    """One hosts file, as it is and as it should be."""

    container: Container
    path: Path
    before: bytes
    after: bytes
    block: Block
    error: str | None = None
    missing: bool = False
    """Whether the error is that there is no such file."""

    @property
    def changes(self) -> bool:
        """Whether the file was changed, or would be."""
        return self.before != self.after

    @property
    def in_sync(self) -> bool:
        """Whether the file is right."""
        return self.error is None and not self.changes

    @property
    def diff(self) -> str:
        """What `sync` would change, as a unified diff; empty where nothing."""
        name = f"{self.container.name}:/etc/hosts"
        lines = difflib.unified_diff(_lines(self.before), _lines(self.after), f"a/{name}", f"b/{name}")
        return "".join(lines)


class Survey:
    """The engine's containers and their files."""

    def __init__(self, engine: EngineInfo, inventory: Inventory, files: HostsFiles) -> None:
        self.engine = engine
        self.inventory = inventory
        self._files = files

    async def reports(self) -> AsyncIterator[FileReport]:
        """Each subscriber's file, by the container's name. Nothing is written."""
        for container in self._subscribers():
            yield await self._report(container, write=False)

    async def synced(self) -> AsyncIterator[FileReport]:
        """Each subscriber's file, once it has been brought right; what could not be has its error."""
        for container in self._subscribers():
            yield await self._report(container, write=True)

    async def cleaned(self) -> AsyncIterator[FileReport]:
        """Each file of a container, running or not, from which a block was removed, or could not be."""
        for container in sorted(self.inventory.containers, key=lambda container: container.name):
            if refusal(container) is None:
                report = await self._reported(container, self._clean(container))
                # A container that was never started has no file yet.
                if not report.in_sync and not (report.missing and container.state is State.STOPPED):
                    yield report

    def _subscribers(self) -> list[Container]:
        found = (self.inventory.container(key) for key in self.inventory.subscriber_files)
        running = (container for container in found if container is not None and container.state is not State.STOPPED)
        return sorted(running, key=lambda container: container.name)

    async def _report(self, container: Container, *, write: bool) -> FileReport:
        return await self._reported(container, self._compared(container, write=write))

    async def _reported(self, container: Container, work: Awaitable[FileReport]) -> FileReport:
        """What the work reports, or why it could not be done."""
        try:
            return await work
        except (FileGoneError, FileRefusedError, FileFailedError) as fault:
            path, missing = self._files.path(container.key), isinstance(fault, FileGoneError)
            return FileReport(container, path, b"", b"", Block(), str(fault), missing)

    async def _compared(self, container: Container, *, write: bool) -> FileReport:
        if (reason := refusal(container)) is not None:
            raise FileRefusedError(reason)
        found = outcomes(self.inventory, container.key)
        text = await self._files.read(container.key)
        memory = memory_of(found, hostsfile.found(text) or Block())
        block = held(found, memory, 0.0, 0.0, lambda address: self.inventory.holders(container.key, address)).block
        rewriting = Rewriting(block, container)
        if write:
            return await self._written(container, rewriting)
        return FileReport(container, self._files.path(container.key), text, rewriting(text), rewriting.standing)

    async def _clean(self, container: Container) -> FileReport:
        return await self._written(container, Rewriting(Block(), container))

    async def _written(self, container: Container, rewriting: Rewriting) -> FileReport:
        update = await self._files.update(container.key, rewriting)
        path = self._files.path(container.key)
        return FileReport(container, path, update.before, update.after, rewriting.standing)


def _lines(text: bytes) -> list[str]:
    return text.decode("utf-8", "backslashreplace").splitlines(keepends=True)
