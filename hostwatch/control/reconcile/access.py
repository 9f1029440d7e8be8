"""The only way to hosts files for the loop: by path or by exec, each text remembered as it was last seen.

What was seen decides how a file is reached: a short text that was left a moment ago is changed at once on the event
loop, everything else in a thread or by a command in the container. Nobody above says which.

A running container's file that its path does not reach is written by exec instead, where the subscriber allows both;
the path is tried again now and then, as it is quicker, and in time at a start.
"""

import random
from collections.abc import Callable
from pathlib import Path

from loguru import logger

from hostwatch.control.clock import loop_time
from hostwatch.control.reconcile.plan import Detour, Observation
from hostwatch.control.reconcile.rewriting import Rewriting, reserved_names
from hostwatch.control.writers import (
    FileFailedError,
    FileGoneError,
    FileRefusedError,
    FileUpdate,
    HostsFiles,
    OutOfSightError,
    Writers,
)
from hostwatch.core.block import hostsfile
from hostwatch.core.block.records import Block
from hostwatch.core.model import Container, ContainerKey, FileKind, State
from hostwatch.core.rules import Writer
from hostwatch.core.timing import Backoff, RateLimiter

_SHORT = 1 << 14
"""The longest text that is remembered, and that is searched for a block on the event loop, in bytes."""
_SHORT_OF_HOST = 1 << 20
"""The same for a file on the host that is remembered. There are few of them, and the operator fills them."""
_COSTLY_SECONDS = 0.02
"""The processor time that a rewrite may take, for others not to be kept waiting: some thousand lines."""
_LOOK_SECONDS = 0.5
"""The price of a look at a file that has no other cause than a change by its running container."""
_LOOK_CREDIT_SECONDS = 10.0
"""The credit for that: 20 looks at once."""
_COST = 10.0
"""The price of a second of processor time in a rewrite, in seconds."""
_PATH_BACKOFF_SECONDS = (2.0, 300.0)
"""Between tries of a path: the kernel denied what it granted before (a file system that became read-only)."""


class FileAccess:
    """The files of one kind of one engine, and those of the host."""

    def __init__(self, writers: Writers, cpu_seconds: Callable[[], float]) -> None:
        self.kind = writers.kind
        self._paths = writers.paths
        self._execs = writers.execs
        self._keeps_comments = writers.keeps_comments
        self._cpu_seconds = cpu_seconds
        self._seen: dict[ContainerKey, bytes] = {}
        """The text of each file that is as it was left, as far as is known, if it is short."""
        self._costly: set[ContainerKey] = set()
        """The files whose last rewrite took long, which depends on what a container has put there."""
        self._looks: RateLimiter[ContainerKey] = RateLimiter(_LOOK_CREDIT_SECONDS)
        self._detours: dict[ContainerKey, Detour] = {}

    def __repr__(self) -> str:
        return f"<FileAccess: {len(self._seen)} texts, {len(self._detours)} by exec for want of a path>"

    # Which way.

    def path(self, container: Container, writer: Writer) -> Path:
        """The file's path, as this writer names it."""
        return self._files(writer).path(container)

    def detour(self, key: ContainerKey) -> Detour | None:
        """The file's detour; `None` where it is reached as its subscriber wants."""
        return self._detours.get(key)

    def take_detour(self, container: Container, wanted: Writer, error: Exception) -> bool:
        """Go on by exec with a file that its path does not reach; returns whether that is possible, and new."""
        possible = wanted is Writer.AUTO and container.host_file is None and container.state is State.RUNNING
        if not possible or container.key in self._detours:
            return False
        # A file that is not there may be that of a container which is just being removed.
        level = "DEBUG" if isinstance(error, OutOfSightError | FileGoneError) else "INFO"
        logger.log(
            level, "{}: its {} is written by exec, as its path does not do: {}", container.name, self.kind.title, error
        )
        # If no file is in sight, a try of each one by itself would be too much.
        self._detours[container.key] = Detour(is_timed=not isinstance(error, OutOfSightError))
        return True

    async def try_path(self, container: Container) -> None:
        """See whether the path does again."""
        if await self._paths.is_writable(container):
            self.end_detour(container.key)
            logger.info("{}: its {} is written by its path again", container.name, self.kind.title)
        elif (detour := self._detours.get(container.key)) is not None:
            backoff = Backoff(*_PATH_BACKOFF_SECONDS, failures=detour.failures)
            not_before = loop_time() + backoff.failed(random.random())  # noqa: S311
            self._detours[container.key] = Detour(detour.is_timed, not_before, backoff.failures)

    def end_detour(self, key: ContainerKey | None = None) -> None:
        """Reach a file by its path again; `None`: all of them."""
        if key is None:
            self._detours.clear()
        else:
            self._detours.pop(key, None)

    # Texts as last seen.

    def is_as_seen(self, container: Container) -> bool:
        """Whether the file is known, and says what it did then.

        By its path, however it is written: a look by exec opens the file for writing, and would be the next change.
        """
        text = self._seen.get(container.key)
        return text is not None and self._paths.says(container, text)

    def is_costly(self, key: ContainerKey) -> bool:
        """Whether its last rewrite took so long that others must not wait for the next one."""
        return key in self._costly

    def look_wait(self, key: ContainerKey, now: float) -> float:
        """Seconds to wait with a look that is made only because a running container changed its file; 0: it is due."""
        if (wait := self._looks.wait(key, now)) <= 0:
            self._looks.spend(key, now, _LOOK_SECONDS)
        return wait

    def forget_text(self, key: ContainerKey) -> None:
        """The file may say something else by now."""
        self._seen.pop(key, None)

    def forget(self, key: ContainerKey) -> None:
        """The file is gone for good."""
        self._seen.pop(key, None)
        self._costly.discard(key)
        self._looks.forget(key)
        self._detours.pop(key, None)

    # Reading and writing.

    async def read(self, container: Container, writer: Writer = Writer.PATH) -> bytes:
        """The file's text. Raises one of the three errors of `hostwatch.control.writers`."""
        return await self._files(writer).read(container)

    def read_now(self, container: Container) -> bytes | None:
        """The text of a file that was just written; `None` if reading might wait. Raises `FileGoneError`."""
        return self._paths.read_now(container)

    async def glance(self, container: Container) -> bytes:
        """The text of a file that was just written; empty where it cannot be read. Raises `FileGoneError`."""
        text = self.read_now(container)
        if text is None:
            try:
                text = await self._paths.read(container)
            except (FileRefusedError, FileFailedError):
                return b""
        return text

    def rewriting(self, seen: Observation, block: Block, last: Block) -> Rewriting:
        """The change that puts a block into the file, in which `last` is known to be."""
        return Rewriting(
            block,
            seen.container,
            last,
            kind=self.kind,
            keeps_comments=self._keeps_comments,
            limit=self._files(seen.writer).limit(seen.container),
            is_settled=seen.is_settled,
            clock=self._cpu_seconds,
        )

    def update_now(self, container: Container, writer: Writer, last: Block, block: Block) -> FileUpdate | None:
        """Put a block in the place of the last one, in a file that is as it was left.

        `None` where that is not known, where it would mean to wait, or where the file has to be taken apart.
        """
        key = container.key
        text = self._seen.get(key) if writer is not Writer.EXEC and self.kind is FileKind.HOSTS else None
        change = hostsfile.replacement(last, block) if text is not None and len(text) <= _SHORT else None
        if text is None or change is None:
            return None
        edited = change.edited(text, reserved_names(container))
        if edited is None or not self._paths.replace(container, text, edited):
            return None
        self._note(container, edited.text)
        return FileUpdate(text, edited.text, as_seen=True)

    async def update(self, container: Container, writer: Writer, rewriting: Rewriting) -> FileUpdate:
        """Change a file, however long that takes. Raises one of the three errors of `hostwatch.control.writers`."""
        key = container.key
        known = self._seen.get(key)
        try:
            update = self._fresh_update(container, rewriting) if writer is not Writer.EXEC else None
            update = update or await self._files(writer).update(container, rewriting)
        except BaseException:
            self.forget_text(key)
            raise
        self._note(container, update.after)
        self._looks.spend(key, loop_time(), rewriting.cpu_seconds * _COST)
        if rewriting.cpu_seconds > _COSTLY_SECONDS:
            self._costly.add(key)
        else:
            self._costly.discard(key)
        return update._replace(as_seen=update.before == known)

    def _fresh_update(self, container: Container, rewriting: Rewriting) -> FileUpdate | None:
        """Change a file at once that was left a moment ago, or that the engine has just written for a start."""
        known = self._seen.get(container.key)
        is_fresh = container.state is not State.RUNNING or (known is not None and len(known) <= _SHORT)
        return self._paths.update_now(container, rewriting) if is_fresh and container.key not in self._costly else None

    def _note(self, container: Container, text: bytes) -> None:
        if len(text) <= (_SHORT if container.host_file is None else _SHORT_OF_HOST):
            self._seen[container.key] = text
        else:
            self._seen.pop(container.key, None)

    def _files(self, writer: Writer) -> HostsFiles:
        return self._execs if writer is Writer.EXEC else self._paths
