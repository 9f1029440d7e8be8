"""Reads the engine and the files once, for the commands that run once."""

import dataclasses
import difflib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio

from hostwatch.control.causes import REMOVAL
from hostwatch.control.informer.read_queue import ReadQueue
from hostwatch.control.informer.reader import Affected, Reader
from hostwatch.control.informer.relist import relist
from hostwatch.control.journal import LabelJournal, block_in
from hostwatch.control.reconcile.plan import (
    Collect,
    File,
    Moment,
    Observation,
    Refuse,
    decide,
    observe,
)
from hostwatch.control.reconcile.recalling import recalled
from hostwatch.control.reconcile.rewriting import LOST_NETWORK, Rewriting, refusal
from hostwatch.control.reconcile.state import FileState
from hostwatch.control.remotes import SourceState
from hostwatch.control.source import EngineInfo, Source
from hostwatch.control.standing import Standing
from hostwatch.control.subscribers import running
from hostwatch.control.writers import (
    FileDeniedError,
    FileFailedError,
    FileGoneError,
    FileRefusedError,
    HostsFiles,
    Writers,
)
from hostwatch.core.block.records import Block
from hostwatch.core.model import Container, ContainerKey, FileKind, State
from hostwatch.core.remote import CLUSTER
from hostwatch.core.resolve.desired import outcomes
from hostwatch.core.resolve.outcome import Memory
from hostwatch.core.resolve.recall import with_reasons
from hostwatch.core.rules import Writer
from hostwatch.core.store.sharing import Sharing
from hostwatch.core.store.store import Store

Work = Callable[[File, HostsFiles], Awaitable["FileReport"]]
"""The work on one file, by one writer."""

Progress = Callable[[str, int, int], None]
"""Is told of each piece of work that is done: what is counted, how many are done, of how many."""

_CONCURRENT = 8


def untold(_what: str, _done: int, _total: int) -> None:
    """For work whose progress nobody follows."""


def leave_others(store: Store, *, has_cluster: bool) -> None:
    """Take in that stores and catalogs are not asked, so that what only they may have stays as it is in the files."""
    found = [rule.source for rule in store.rules.services if rule.is_from_catalog]
    for source in (*found, CLUSTER) if has_cluster else found:
        store.remotes.await_source(source, is_awaited=True)


_UNSEEN = "survey"
"""The cause of what a command reads, which nobody is told of."""


async def surveyed(source: Source, store: Store, progress: Progress = untold) -> EngineInfo:
    """Read everything into the store, once. Raises `EngineError`."""
    engine = await source.info()
    async with anyio.create_task_group() as tasks:
        labels = LabelJournal()
        read: set[ContainerKey] = set()

        def was_read(key: ContainerKey) -> None:
            labels.tell(key, store)
            read.add(key)
            progress("containers", len(read), max(len(read), sum(1 for _ in store.containers)))

        affects_nobody: Affected = lambda _files, _cause: None  # noqa: E731
        reader = Reader(source, store, was_read, affects_nobody)
        reads = ReadQueue(reader, store, affects_nobody, tasks)
        await relist(source, store, reader, reads, _UNSEEN)
        tasks.cancel_scope.cancel()
    return engine


@dataclass(frozen=True, slots=True)
class FileReport:
    """The result of the work on one file."""

    file: File
    path: Path
    before: bytes
    after: bytes
    block: Block
    writer: Writer = Writer.PATH
    """The writer of the file."""
    fault: Exception | None = None
    """The error if the file could not be read or written."""
    memory: Memory = field(default_factory=dict)
    """The lines that the block's records are of."""

    @property
    def container(self) -> Container:
        """The owner of the file."""
        return self.file.container

    @property
    def told(self) -> str:
        """The owner's name, with the file if it is not its hosts file."""
        name, kind = self.file.container.name, self.file.kind
        return name if kind is FileKind.HOSTS else f"{name}: {kind.title}"

    @property
    def error(self) -> str | None:
        """The message of the error."""
        return str(self.fault) if self.fault is not None else None

    @property
    def changes(self) -> bool:
        """Whether the file was changed, or would be."""
        return self.before != self.after

    @property
    def in_sync(self) -> bool:
        """Whether the file is right."""
        return self.error is None and not self.changes

    @property
    def standing(self) -> Standing:
        """How the file stands."""
        return Standing(self.container, self.path, self.writer, self.in_sync, self.error, self.block, self.memory)

    @property
    def diff(self) -> str:
        """The changes as a unified diff; empty if there are none."""
        name = f"{self.container.name}:{self.container.host_file or self.file.kind.path}"
        lines = difflib.unified_diff(_lines(self.before), _lines(self.after), f"a/{name}", f"b/{name}")
        return "".join(lines)


class Survey:
    """The engine's containers and their files."""

    def __init__(
        self,
        engine: EngineInfo,
        store: Store,
        writers: Iterable[Writers],
        progress: Progress,
        heard: Mapping[str, SourceState],
    ) -> None:
        """`writers` has those of each kind of file, `heard` the sources on other hosts that were asked."""
        self.engine = engine
        self.store = store
        self.heard = heard
        self._writers = {each.kind: each for each in writers}
        self._progress = progress

    async def reports(self, words: Sequence[str] = ()) -> list[FileReport]:
        """Compare each subscriber's file, and write nothing. The reports are sorted by the container's name.

        With words only the files of the subscribers that these mean. Raises `NoSubscriberError`.
        """
        chosen = self._subscribed(running(self.store, words))
        return self._with_lost_networks(await self._each(chosen, partial(self._compared, write=False)))

    async def standings(self, words: Sequence[str] = ()) -> list[Standing]:
        """How each subscriber stands, by `reports`."""
        found = await self.reports(words)
        resolv = {report.container.key: report.standing for report in found if report.file.kind is FileKind.RESOLV}
        hosts = (report.standing for report in found if report.file.kind is FileKind.HOSTS)
        return [standing._replace(resolv=resolv.get(standing.container.key)) for standing in hosts]

    def _subscribed(self, owners: Iterable[Container]) -> list[File]:
        """The files of these owners: a hosts file each, and a resolv.conf if it has a subscriber."""
        files = [File(owner, kind) for owner in owners for kind in FileKind]
        return [f for f in files if f.kind is FileKind.HOSTS or self.store.sharing(f.container.key, f.kind).requests]

    async def synced(self) -> list[FileReport]:
        """Bring each subscriber's file right. Failures are in the reports."""
        return self._with_lost_networks(
            await self._each(self._subscribed(running(self.store)), partial(self._compared, write=True))
        )

    async def cleaned(self) -> list[FileReport]:
        """Remove the blocks from all files of containers, running or not, and of the host.

        Reports the files from which a block was removed, or could not be.
        """
        files = [File(container, kind) for container in self.store.containers for kind in FileKind]
        files += (File(container, FileKind.HOSTS) for container in self.store.host_files)
        found = await self._each([file for file in files if refusal(*file) is None], self._cleaned)
        return [report for report in found if not report.in_sync and not self._had_none(report)]

    async def _each(self, files: Sequence[File], work: Work) -> list[FileReport]:
        """The reports of the work on each file. Several files are in work at a time, so that a slow one delays few."""
        reports: list[FileReport] = []
        limiter = anyio.CapacityLimiter(_CONCURRENT)

        async def report(file: File) -> None:
            async with limiter:
                reports.append(await self._reported(file, work))
                self._progress("files", len(reports), len(files))

        async with anyio.create_task_group() as tasks:
            for file in files:
                tasks.start_soon(report, file)
        return sorted(reports, key=lambda each: (each.container.name, each.container.key, each.file.kind.value))

    def _with_lost_networks(self, reports: Iterable[FileReport]) -> list[FileReport]:
        """The reports, with an error for each subscriber that has lost its network, even if its file is right."""
        return [
            dataclasses.replace(report, fault=FileRefusedError(LOST_NETWORK))
            if self.store.joins.has_lost_network(report.container)
            else report
            for report in reports
        ]

    def _had_none(self, report: FileReport) -> bool:
        """Whether an error means that there is no block.

        This is so if no command can run in a container without a subscription, or if a container has no file yet.
        """
        if report.writer is Writer.EXEC:
            return report.fault is not None and not self._sharing(report.file).requests
        return isinstance(report.fault, FileGoneError) and report.container.state is State.STOPPED

    def _sharing(self, file: File) -> Sharing:
        return self.store.sharing(file.container.key, file.kind)

    async def _reported(self, file: File, work: Work) -> FileReport:
        """The report of the work by path or, if that does not reach the file, by exec."""
        container, writer = file.container, self._sharing(file).writer
        report = await self._tried(Writer.EXEC if writer is Writer.EXEC else Writer.PATH, file, work)
        unreached = isinstance(report.fault, FileGoneError | FileDeniedError)
        may_exec = writer is Writer.AUTO and container.host_file is None and container.state is State.RUNNING
        return await self._tried(Writer.EXEC, file, work) if unreached and may_exec else report

    async def _tried(self, writer: Writer, file: File, work: Work) -> FileReport:
        writers = self._writers[file.kind]
        files = writers.execs if writer is Writer.EXEC else writers.paths
        try:
            return dataclasses.replace(await work(file, files), writer=writer)
        except (FileGoneError, FileRefusedError, FileFailedError) as fault:
            return FileReport(file, files.path(file.container), b"", b"", Block(), writer, fault)

    async def _compared(self, file: File, files: HostsFiles, *, write: bool) -> FileReport:
        if isinstance(plan := decide(self._observed(file, FileState())), Refuse):
            raise FileRefusedError(plan.reason)
        container, kind = file
        text = await files.read(container)
        requests = self._sharing(file).requests
        memory = await recalled(self.store, requests, text, kind)
        desired = self._observed(file, FileState().recalled(memory)).desired
        block = desired.block if desired is not None else Block()
        if self.store.remotes.are_awaited and (found := await block_in(text, kind)) is not None:
            block = with_reasons(block, found, outcomes(self.store, requests))
        rewriting = Rewriting(block, container, block, kind=kind, limit=files.limit(container))
        if write:
            return await _written(file, files, rewriting)
        after, memory = rewriting(text), desired.memory if desired is not None else {}
        return FileReport(file, files.path(container), text, after, rewriting.standing, memory=memory)

    async def _cleaned(self, file: File, files: HostsFiles) -> FileReport:
        """Remove the block. If a marker is missing, the last desired block shows which lines are ours."""
        match decide(self._observed(file, FileState().recalled({}), REMOVAL)):
            case Refuse(reason):
                raise FileRefusedError(reason)
            case Collect(last):
                return await _written(file, files, Rewriting(Block(), file.container, last, kind=file.kind))
            case _:
                raise AssertionError("a removal is refused or carried out")

    def _observed(self, file: File, state: FileState, *causes: str) -> Observation:
        """The observation of a file, as the daemon would make it now without any lingering line."""
        return observe(self.store, file, state, None, Moment(0.0, 0.0, causes))


async def _written(file: File, files: HostsFiles, rewriting: Rewriting) -> FileReport:
    update = await files.update(file.container, rewriting)
    return FileReport(file, files.path(file.container), update.before, update.after, rewriting.standing)


def _lines(text: bytes) -> list[str]:
    """The lines with their newlines. A last line without one gets a note, as in unified diffs. Only \\n ends a line."""
    lines = [line + "\n" for line in text.decode("utf-8", "backslashreplace").split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, f"{last}\n\\ No newline at end of file\n"] if last else lines
