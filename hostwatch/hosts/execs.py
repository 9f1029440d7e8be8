"""Reads and writes files of containers by commands in these (`docker exec`), if their paths are out of sight.

The container must have a shell and `cat`, and user 0 must be able to write the file (not with `--read-only`). If
it has `dd`, the edit is made in the same steps as by path (`core.block.edit`), so that no reader finds the file empty.
The shell alone can avoid truncation too, unless the text becomes shorter. A write by exec always comes after the
container's first instruction. The text is compared in the container just before the write and read back after it, but
changes that other writers make in these milliseconds may be lost.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

import anyio
import anyio.to_thread

from hostwatch.control.source import Actions, EngineError, ExecResult, GoneError
from hostwatch.control.writers import FileFailedError, FileGoneError, FileRefusedError, FileUpdate
from hostwatch.core.block.edit import Step, Truncate, Write, steps
from hostwatch.core.block.hostsfile import Limit
from hostwatch.core.model import Container, FileKind
from hostwatch.core.names import shown

_TIMEOUT_SECONDS = 10.0
_ROUNDS = 3
_ARGUMENT_LIMIT = 120_000
"""The longest argument, in bytes. The kernel's limit is 128 KiB (MAX_ARG_STRLEN, execve(2))."""
_GROWTH = 25_000
"""A file grows by at most this many newlines in one step. Each takes four bytes of an argument."""
_TOO_LARGE = "too large to be written by exec; shorten it, or make the engine's hosts files visible"
_OTHERS_WROTE = 75
"""The script's exit status if the file has changed since it was read (EX_TEMPFAIL of sysexits.h)."""
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_REMEDY = "make the engine's hosts files visible to hostwatch (docker.root), so that no command is needed"

# The image's own search path may lead to programs that other users than its root can change.
_SEARCH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH; "
# The file is also opened for writing, which does not change it: a file that can only be read is unreachable, too.
# `F` is the file.
_READ = ': >>"$F" && cat "$F"'
# $1 old text, $2 new text, both as formats of printf, $3 whether the new one is shorter; then three words for each
# step: block size, blocks to skip, and the data, or `-` for a truncation. The offset is the block size, so that every
# kind of `dd` writes the data at once.
_WRITE = f"""\
[ "$(cat "$F"; echo .)" = "$(printf "$1"; echo .)" ] || exit {_OTHERS_WROTE}
if command -v dd >/dev/null; then
  shift 3
  while [ $# -gt 0 ]; do
    if [ "$3" = - ]; then dd if=/dev/null of="$F" bs="$1" seek="$2" count=0 2>/dev/null
    else printf "$3" | dd of="$F" obs="$1" seek="$2" conv=notrunc 2>/dev/null
    fi || {{ : >>"$F"; exit 1; }}
    shift 3
  done
elif [ "$3" = shorter ]; then printf "$2" >"$F"
else printf "$2" 1<>"$F"
fi && cat "$F"
"""


class ExecHostsFiles:
    """The access to the hosts files of running containers by commands that the engine runs in them."""

    def __init__(self, engine: Actions, kind: FileKind = FileKind.HOSTS) -> None:
        self._engine = engine
        self._path = kind.path

    def __repr__(self) -> str:
        return f"<ExecHostsFiles of {self._engine!r}>"

    def path(self, container: Container) -> Path:  # noqa: ARG002 (it is the same in each)
        """The file's path in the container."""
        return self._path

    def limit(self, container: Container) -> Limit:  # noqa: ARG002 (it is the same for each)
        """The longest text that can be written."""
        return _LIMIT

    async def read(self, container: Container) -> bytes:
        """The file's text."""
        result = await self._shell(container, _READ)
        if result.status != 0:
            self._refuse(result)
        if len(result.output) > _ARGUMENT_LIMIT:  # the container's `cat` may print any amount
            raise FileRefusedError(_TOO_LARGE)
        return result.output

    async def update(self, container: Container, change: Callable[[bytes], bytes]) -> FileUpdate:
        """Replace the file's text by what `change` makes of it, without truncating the file if possible."""
        first = text = await self.read(container)
        for _ in range(_ROUNDS):
            # In a thread: the text comes from the container and may take long to parse.
            desired, arguments = await anyio.to_thread.run_sync(_planned, text, change)
            if desired == text:
                return FileUpdate(first, text)
            result = await self._shell(container, _WRITE, *arguments)
            if result.status == 0 and result.output == desired:
                return FileUpdate(first, desired)
            if result.status not in (0, _OTHERS_WROTE):
                self._refuse(result)
            text = await self.read(container)
        raise FileFailedError(f"another process keeps writing to {self._path} in the container; it will be tried again")

    async def _shell(self, container: Container, script: str, *arguments: str) -> ExecResult:
        command = ("/bin/sh", "-c", f"F={self._path}; {_SEARCH}{script}", "sh", *arguments)
        try:
            with anyio.fail_after(_TIMEOUT_SECONDS):
                return await self._engine.exec(container.key, command, user="0")
        except GoneError as error:
            raise FileGoneError(f"{error}; nothing to do if its container is gone") from error
        except EngineError as error:
            raise FileFailedError(f"cannot write by exec: {error}; {_REMEDY}") from error
        except TimeoutError:
            raise FileFailedError(
                f"a command in the container did not end within {_TIMEOUT_SECONDS:g} s; it will be tried again"
            ) from None

    def _refuse(self, result: ExecResult) -> NoReturn:
        """Raise the reason why the container's file cannot be reached."""
        message = shown((result.errors or result.output).decode("utf-8", "replace").strip())
        if result.status in (_NOT_FOUND, _NOT_EXECUTABLE):
            raise FileRefusedError(f"unreachable: its image has no shell with `cat` ({message}); {_REMEDY}")
        raise FileRefusedError(f"unreachable: {self._path} cannot be written in the container ({message}); {_REMEDY}")


def _planned(text: bytes, change: Callable[[bytes], bytes]) -> tuple[bytes, list[str]]:
    """The desired text, and the script's arguments for it."""
    desired = change(text)
    return desired, _arguments(text, desired) if desired != text else []


def _arguments(old: bytes, new: bytes) -> list[str]:
    """The script's arguments to turn the old text into the new one."""
    found = [_format(old), _format(new), "shorter" if len(new) < len(old) else "longer"]
    found += [word for step in steps(old, new) for word in _words(step)]
    if max(map(len, found)) > _ARGUMENT_LIMIT:
        raise FileRefusedError(_TOO_LARGE)
    return found


def _words(step: Step) -> Iterable[str]:
    match step:
        case Write(offset, data) if len(data) > _GROWTH and not data.strip(b"\n"):
            # This step only adds blank lines, so several writes are as good as one, and the arguments are shorter.
            head = _words(Write(offset, data[:_GROWTH]))
            return (*head, *_words(Write(offset + _GROWTH, data[_GROWTH:])))
        case Write(offset, data):
            return (str(offset), "1", _format(data)) if offset else (str(len(data)), "0", _format(data))
        case Truncate(size):
            return (str(size), "1", "-") if size else ("1", "0", "-")


def _format(data: bytes) -> str:
    """The bytes as a format of the shell's printf. Letters, digits and some other characters need no escape."""
    return "".join(chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in data)


_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .:_#@{}()/,;=+<>[]")
_LIMIT = Limit(
    _ARGUMENT_LIMIT,
    f"too much for a hosts file that is written by exec, of some {_ARGUMENT_LIMIT // 1000} kB",
    lambda data: len(_format(data)),
)
