"""hostwatch beside the simulated engine: the daemon that users run, on files, a watch and a directory in memory.

The watch sees every write at once.
"""

import math
from collections.abc import Callable, Iterable
from functools import lru_cache, partial, reduce
from itertools import count
from pathlib import Path
from typing import NoReturn, Protocol

import anyio
from anyio.abc import TaskStatus

from hostwatch.cluster_member import MakeClient
from hostwatch.config.settings import Settings
from hostwatch.control.catalog import Catalog
from hostwatch.control.host_address import Routes
from hostwatch.control.source import EngineInfo, ExecResult
from hostwatch.control.writers import FileDeniedError, FileFailedError, FileGoneError, FileUpdate, OutOfSightError
from hostwatch.core.block.edit import applied
from hostwatch.core.block.hostsfile import OF_CONTAINER, Edited, Limit
from hostwatch.core.host_resolver import HostResolver
from hostwatch.core.model import Container, ContainerId, ContainerKey, EngineId, FileKind
from hostwatch.daemon import Daemon, Parts
from tests.control.memory import no_file
from tests.model.box import Box
from tests.model.directory import PLACE, Directory, MemoryKeeper
from tests.model.oracle import CONFIGURED, Configuration
from tests.model.source import SimulatedSource

RESYNC_SECONDS = 60.0
_DEBOUNCE_SECONDS = 1.0
_DISK_SECONDS = 0.0005
_READING_SECONDS = 0.0001
"""Each reading of the processor's clock is so much later: a comparison takes as long as a real one."""


@lru_cache
def settings_of(configuration: Configuration) -> Settings:
    """The configuration as hostwatch reads it."""
    service = {CONFIGURED: {"match": {"label": {"app": CONFIGURED}}}} if configuration.has_service else {}
    lines = "\n".join(f"@{{{name}.ip}} {name}" for name in configuration.lines)
    subscriber = {"match": {"name": configuration.subscriber}, "hosts": lines}
    timing = {
        "linger": f"{configuration.linger_seconds}s",
        "resync": f"{RESYNC_SECONDS}s",
        "notify_debounce": f"{_DEBOUNCE_SECONDS}s",
    }
    subscribers = {"configured": subscriber} if configuration.subscriber else {}
    return Settings.model_validate({"services": service, "subscribers": subscribers, "timing": timing})


class Judge(Protocol):
    """Gets each look at a hosts file, and each write."""

    def looked(self, container: Container) -> None:
        """hostwatch opens the file."""

    def wrote(self, box: Box, before: bytes, after: bytes) -> None:
        """hostwatch has changed the file, or found it right."""


class MemoryFiles:
    """The simulated engine's hosts files: an implementation of `hostwatch.control.keeper.EngineFiles`."""

    directory = PLACE

    def __init__(
        self,
        engine: EngineId,
        source: SimulatedSource,
        seen: Directory,
        judge: Judge,
        watch: Callable[[Callable[[ContainerId | None], None]], None],
    ) -> None:
        """`watch` takes a function that is called after each later write."""
        self.engine = engine
        self._source = source
        self._seen = seen
        self._judge = judge
        self._watch = watch

    def path(self, container: Container) -> Path:
        """The file's path on the host."""
        return PLACE / container.key.id / "hosts"

    def limit(self, container: Container) -> Limit:  # noqa: ARG002
        """The longest text of a file."""
        return OF_CONTAINER

    async def read(self, container: Container) -> bytes:
        """The file's text."""
        await self._look(container)
        return self._box(container)[1]

    def read_now(self, container: Container) -> bytes | None:  # noqa: ARG002
        """Always `None`: the simulated disk takes time."""
        return None

    def update_now(self, container: Container, change: Callable[[bytes], bytes]) -> FileUpdate | None:  # noqa: ARG002
        """Always `None`: the simulated disk takes time."""
        return None

    async def is_writable(self, container: Container) -> bool:
        """Whether the file is there."""
        await self._look(container)
        box = self._source.engine.boxes.get(container.key.id)
        return box is not None and box.text is not None and not self._seen.is_gone

    def says(self, container: Container, text: bytes) -> bool:
        """Whether the file's text is this one."""
        box = self._source.engine.boxes.get(container.key.id)
        return box is not None and box.text == text and not self._seen.is_gone

    async def update(self, container: Container, change: Callable[[bytes], bytes]) -> FileUpdate:
        """Apply `change` to the file's text."""
        await self._look(container)
        box, before = self._box(container)
        after = change(before)
        if after != before:
            self._write(box, after)
        self._judge.wrote(box, before, after)
        return FileUpdate(before, after)

    def replace(self, container: Container, text: bytes, edited: Edited) -> bool:
        """Replace the file's text, if it is this one."""
        if not self.says(container, text) or self._source.faults.is_stuck(container.key.id):
            return False
        box, before = self._box(container)
        self._write(box, reduce(applied, edited.steps, before))
        assert box.text == edited.text
        self._judge.wrote(box, before, edited.text)
        return True

    async def watch(
        self,
        changed: Callable[[ContainerKey | None], None],
        moved: Callable[[], None],  # noqa: ARG002  # `MemorySight` sees a moved directory at once
        *,
        task_status: TaskStatus[None],
    ) -> NoReturn:
        """Report each write at once, while the directory is the same one."""
        number = self._seen.number

        def tell(file: ContainerId | None) -> None:
            if self._seen.number == number and not self._seen.is_gone:
                changed(ContainerKey(self.engine, file) if file is not None else None)

        await anyio.sleep(_DISK_SECONDS)
        self._watch(tell)
        try:
            task_status.started()
            await anyio.sleep_forever()
        finally:
            self._watch(lambda _file: None)
        raise AssertionError

    async def _look(self, container: Container) -> None:
        self._judge.looked(container)
        await anyio.sleep(_DISK_SECONDS)

    def _write(self, box: Box, text: bytes) -> None:
        if self._source.faults.is_stuck(box.id):
            raise FileFailedError("no space left on device")
        box.text = text
        self._source.engine.written(box.id)

    def _box(self, container: Container) -> tuple[Box, bytes]:
        if self._seen.is_gone:
            raise OutOfSightError("there is no directory")
        box = self._source.engine.boxes.get(container.key.id)
        if box is None or box.text is None:
            raise FileGoneError(f"no hosts file of {container.name}")
        return box, box.text


class NoResolv(MemoryFiles):
    """The simulated containers have no resolv.conf."""

    async def read(self, container: Container) -> bytes:
        """Always gone."""
        raise FileGoneError(f"no resolv.conf of {container.name}")


class NoExecs:
    """Refuses writes by exec: no simulated container has a shell."""

    def path(self, _container: Container) -> Path:
        """The file's path in the container."""
        return Path("/etc/hosts")

    def limit(self, _container: Container) -> Limit:
        """The longest text of a file."""
        return OF_CONTAINER

    async def read(self, container: Container) -> bytes:
        """Always refused."""
        raise FileDeniedError(f"{container.name}: no shell")

    async def update(self, container: Container, _change: Callable[[bytes], bytes]) -> FileUpdate:
        """Always refused."""
        raise FileDeniedError(f"{container.name}: no shell")


class NoHostFiles:
    """The files on the host: none subscribes."""

    def keep(self, paths: frozenset[Path]) -> None:
        """Keep no file: none is configured."""
        assert not paths

    async def watch(self, paths: Iterable[Path], changed: Callable[[Path], None]) -> NoReturn:
        """Never called: there is no file to watch."""
        raise AssertionError(paths, changed)

    async def clear(self, paths: Iterable[Path]) -> None:
        """Clear no file: none is configured."""
        assert not frozenset(paths)


class NoHostResolver:
    """The host's resolv.conf: nobody asks for it."""

    async def follow(self, changed: Callable[[HostResolver], None]) -> NoReturn:
        """Never called: no subscriber asks for the host's nameservers."""
        raise AssertionError(changed)


async def no_command(words: tuple[str, ...]) -> ExecResult:
    """Never called: no `notify` has a command."""
    raise AssertionError(words)


def no_routes() -> Routes:
    """Never called: no configuration says `advertise: auto`."""
    raise AssertionError


def no_client() -> MakeClient:
    """Never called: no configuration has a cluster."""
    raise AssertionError


def no_catalog(catalog: Catalog) -> NoReturn:
    """Never called: no service is `from` a catalog."""
    raise AssertionError(catalog)


class Hostwatch:
    """One process of hostwatch."""

    def __init__(
        self, source: SimulatedSource, directory: Directory, judge: Judge, configuration: Configuration
    ) -> None:
        self._scope = anyio.CancelScope()
        self._watched: Callable[[ContainerId | None], None] = lambda _file: None
        self._faults = source.faults
        self._unheard: dict[ContainerId, None] = {}
        """Files with a lost change that is not reported yet."""

        def files(engine: EngineInfo, kind: FileKind) -> MemoryFiles:
            of_kind = MemoryFiles if kind is FileKind.HOSTS else NoResolv
            return of_kind(engine.id, source, directory, judge, self._watch)

        parts = Parts(
            engine=source,
            files=files,
            execs=lambda _kind: NoExecs(),
            keeper=MemoryKeeper(directory),
            host_files=NoHostFiles(),
            host_resolver=NoHostResolver(),
            run_on_host=no_command,
            open_archive=no_file,
            open_routes=no_routes,
            load_client=no_client,
            open_catalog=no_catalog,
            cpu_seconds=partial(next, count(0.0, _READING_SECONDS)),
            loaded=lambda: None,
        )
        self._daemon = Daemon(settings_of(configuration), parts)
        self._send, self._received = anyio.create_memory_object_stream[Configuration](math.inf)

    async def run(self) -> None:
        """Run until it is killed."""
        with self._scope, self._send, self._received:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._daemon.run)
                async for configuration in self._received:
                    await self._daemon.adopt(settings_of(configuration))

    def kill(self) -> None:
        """End it at once, in any state."""
        self._scope.cancel()

    def adopt(self, configuration: Configuration) -> None:
        """Send it SIGHUP, with another configuration."""
        if not self._scope.cancel_called:
            self._send.send_nowait(configuration)

    def written(self, file: ContainerId) -> None:
        """A file was written, by the engine, a user or hostwatch."""
        if self._scope.cancel_called:
            return
        if self._faults.is_deaf:
            self._unheard[file] = None
        else:
            self._watched(file)

    def hear_again(self) -> None:
        """Report that changes were lost, together with the files that were written meanwhile."""
        unheard, self._unheard = self._unheard, {}
        for file in (*unheard, None):
            if not self._scope.cancel_called:
                self._watched(file)

    def _watch(self, watched: Callable[[ContainerId | None], None]) -> None:
        self._watched = watched
