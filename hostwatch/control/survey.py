"""What the engine and the hosts files say at one moment: behind every command that runs once."""

import dataclasses
import difflib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import anyio

from hostwatch.control.files import (
    FileDeniedError,
    FileFailedError,
    FileGoneError,
    FileRefusedError,
    HostsFiles,
    Ways,
)
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
from hostwatch.core.rules import Writer


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
    writer: Writer = Writer.PATH
    """How it is written."""

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
        name = f"{self.container.name}:{self.container.host_file or '/etc/hosts'}"
        lines = difflib.unified_diff(_lines(self.before), _lines(self.after), f"a/{name}", f"b/{name}")
        return "".join(lines)


class Survey:
    """The engine's containers and their files."""

    def __init__(self, engine: EngineInfo, inventory: Inventory, ways: Ways) -> None:
        self.engine = engine
        self.inventory = inventory
        self._ways = ways

    async def reports(self) -> AsyncIterator[FileReport]:
        """Each subscriber's file, by the container's name. Nothing is written."""
        for container in self._subscribers():
            yield await self._report(container, write=False)

    async def synced(self) -> AsyncIterator[FileReport]:
        """Each subscriber's file, once it has been brought right; what could not be has its error."""
        for container in self._subscribers():
            yield await self._report(container, write=True)

    async def cleaned(self) -> AsyncIterator[FileReport]:
        """Each file of a container, running or not, or of the host, from which a block was removed, or could not be."""
        everyone = [*self.inventory.containers, *self.inventory.host_files]
        for container in sorted(everyone, key=lambda container: container.name):
            if refusal(container) is None:
                report = await self._reported(container, self._clean)
                if not report.in_sync and not self._had_none(report):
                    yield report

    def _had_none(self, report: FileReport) -> bool:
        """Whether an error means that there is no block: nobody subscribes and no command gets in, or no file yet."""
        if report.error is None:
            return False
        by_exec = report.writer is Writer.EXEC and not self.inventory.subscribed(report.container.key)
        return by_exec or (report.missing and report.container.state is State.STOPPED)

    def _subscribers(self) -> list[Container]:
        found = (self.inventory.container(key) for key in self.inventory.subscriber_files)
        running = (container for container in found if container is not None and container.state is not State.STOPPED)
        return sorted(running, key=lambda container: container.name)

    async def _report(self, container: Container, *, write: bool) -> FileReport:
        async def compared(container: Container, files: HostsFiles) -> FileReport:
            return await self._compared(container, files, write=write)

        return await self._reported(container, compared)

    async def _reported(
        self, container: Container, work: Callable[[Container, HostsFiles], Awaitable[FileReport]]
    ) -> FileReport:
        """What the work reports, by the path or, where that does not reach the file, by exec; or why it failed."""
        wanted = self.inventory.writer(container.key)
        auto = wanted is Writer.AUTO and container.host_file is None and container.state is State.RUNNING
        for writer in (Writer.PATH, Writer.EXEC) if auto else (Writer.EXEC if wanted is Writer.EXEC else Writer.PATH,):
            files = self._ways.execs if writer is Writer.EXEC else self._ways.paths
            try:
                return dataclasses.replace(await work(container, files), writer=writer)
            except (FileGoneError, FileRefusedError, FileFailedError) as fault:
                missing, denied = isinstance(fault, FileGoneError), isinstance(fault, FileDeniedError)
                report = FileReport(container, files.path(container), b"", b"", Block(), str(fault), missing, writer)
            if not (missing or denied):
                break
        return report

    async def _compared(self, container: Container, files: HostsFiles, *, write: bool) -> FileReport:
        if (reason := refusal(container)) is not None:
            raise FileRefusedError(reason)
        found = outcomes(self.inventory, container.key)
        text = await files.read(container)
        memory = memory_of(found, hostsfile.found(text) or Block())
        block = held(found, memory, 0.0, 0.0, lambda address: self.inventory.holders(container.key, address)).block
        rewriting = Rewriting(block, container)
        if write:
            return await _written(container, files, rewriting)
        return FileReport(container, files.path(container), text, rewriting(text), rewriting.standing)

    async def _clean(self, container: Container, files: HostsFiles) -> FileReport:
        return await _written(container, files, Rewriting(Block(), container))


async def _written(container: Container, files: HostsFiles, rewriting: Rewriting) -> FileReport:
    update = await files.update(container, rewriting)
    return FileReport(container, files.path(container), update.before, update.after, rewriting.standing)


def _lines(text: bytes) -> list[str]:
    return text.decode("utf-8", "backslashreplace").splitlines(keepends=True)
