"""Hosts files that are out of sight, read and written by commands in their containers (`docker exec`).

It needs a shell and `cat` there, as user 0, and a /etc/hosts that can be written from inside (not with `--read-only`).
Where there is `dd`, the edit is made in the same steps as on a path (`core.block.edit`), so that no reader finds
the file empty; the shell alone can write without truncating too, but for a text that becomes shorter. All of it comes
after the container's first instruction, and what other writers do in the same milliseconds may be lost: the text is
compared in the container just before, and read back after.
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
from hostwatch.core.model import Container
from hostwatch.core.names import shown

_TIMEOUT_SECONDS = 10.0
_ROUNDS = 3
_ARGUMENT_LIMIT = 120_000
"""The longest argument, in bytes; the kernel takes 128 KiB (MAX_ARG_STRLEN, execve(2))."""
_GROWTH = 25_000
"""How many newlines a file grows by at once; each takes four bytes of an argument."""
_TOO_LARGE = "too large to be written by exec; shorten it, or make the engine's hosts files visible"
_OTHERS_WROTE = 75
"""The script's exit status where the file is not what was read before (EX_TEMPFAIL of sysexits.h)."""
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126

# The image's own search path may lead to programs that somebody else than its root can change.
_SEARCH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH; "
# Opened for writing too, which changes nothing: what can only be read is as unreachable as what cannot.
_READ = ": >>/etc/hosts && cat /etc/hosts"
# $1 old text, $2 new text, both as formats of printf, $3 whether the new one is shorter; then three words for each
# step: block size, blocks to skip, and the data, `-` for a truncation. With the offset as the block size the data goes
# out as one write, whatever `dd` it is.
_WRITE = f"""\
[ "$(cat /etc/hosts; echo .)" = "$(printf "$1"; echo .)" ] || exit {_OTHERS_WROTE}
if command -v dd >/dev/null; then
  shift 3
  while [ $# -gt 0 ]; do
    if [ "$3" = - ]; then dd if=/dev/null of=/etc/hosts bs="$1" seek="$2" count=0 2>/dev/null
    else printf "$3" | dd of=/etc/hosts obs="$1" seek="$2" conv=notrunc 2>/dev/null
    fi || {{ : >>/etc/hosts; exit 1; }}
    shift 3
  done
elif [ "$3" = shorter ]; then printf "$2" >/etc/hosts
else printf "$2" 1<>/etc/hosts
fi && cat /etc/hosts
"""


class ExecHostsFiles:
    """The hosts files of one engine's running containers, through the engine."""

    def __init__(self, engine: Actions) -> None:
        self._engine = engine

    def __repr__(self) -> str:
        return f"<ExecHostsFiles of {self._engine!r}>"

    def path(self, container: Container) -> Path:  # noqa: ARG002 (it is the same in each)
        """Where the file is, as the container sees it."""
        return Path("/etc/hosts")

    def limit(self, container: Container) -> Limit:  # noqa: ARG002 (it is the same for each)
        """How long a file may be."""
        return _LIMIT

    async def read(self, container: Container) -> bytes:
        """The file's text."""
        result = await self._shell(container, _READ)
        if result.status != 0:
            _refuse(result)
        if len(result.output) > _ARGUMENT_LIMIT:  # whatever `cat` is in there, and however much it prints
            raise FileRefusedError(_TOO_LARGE)
        return result.output

    async def update(self, container: Container, change: Callable[[bytes], bytes]) -> FileUpdate:
        """Bring the file to what `change` makes of its text, without truncating it where that can be done."""
        first = text = await self.read(container)
        for _ in range(_ROUNDS):
            # In a thread: what the container says is its own choice, and may take time to read.
            wanted, arguments = await anyio.to_thread.run_sync(_planned, text, change)
            if wanted == text:
                return FileUpdate(first, text)
            result = await self._shell(container, _WRITE, *arguments)
            if result.status == 0 and result.output == wanted:
                return FileUpdate(first, wanted)
            if result.status not in (0, _OTHERS_WROTE):
                _refuse(result)
            text = await self.read(container)
        raise FileFailedError("somebody else keeps writing to /etc/hosts in the container; it will be tried again")

    async def _shell(self, container: Container, script: str, *arguments: str) -> ExecResult:
        command = ("/bin/sh", "-c", _SEARCH + script, "sh", *arguments)
        try:
            with anyio.fail_after(_TIMEOUT_SECONDS):
                return await self._engine.exec(container.key, command, user="0")
        except GoneError as error:
            raise FileGoneError(str(error)) from error
        except EngineError as error:
            raise FileFailedError(f"cannot write by exec: {error}") from error
        except TimeoutError:
            raise FileFailedError(
                f"a command in the container did not end within {_TIMEOUT_SECONDS:g} s; it will be tried again"
            ) from None


def _refuse(result: ExecResult) -> NoReturn:
    """Say why the container's file cannot be reached."""
    told = shown((result.errors or result.output).decode("utf-8", "replace").strip())
    remedy = "make the engine's hosts files visible to hostwatch (docker.root) to have it kept"
    if result.status in (_NOT_FOUND, _NOT_EXECUTABLE):
        raise FileRefusedError(f"unreachable: its image has no shell with `cat` ({told}); {remedy}")
    raise FileRefusedError(f"unreachable: /etc/hosts cannot be written in the container ({told}); {remedy}")


def _planned(text: bytes, change: Callable[[bytes], bytes]) -> tuple[bytes, list[str]]:
    """What is to become of the text, and what the script needs for that."""
    wanted = change(text)
    return wanted, _arguments(text, wanted) if wanted != text else []


def _arguments(old: bytes, new: bytes) -> list[str]:
    """What the script needs to turn the old text into the new one."""
    found = [_format(old), _format(new), "shorter" if len(new) < len(old) else "longer"]
    found += [word for step in steps(old, new) for word in _words(step)]
    if max(map(len, found)) > _ARGUMENT_LIMIT:
        raise FileRefusedError(_TOO_LARGE)
    return found


def _words(step: Step) -> Iterable[str]:
    match step:
        case Write(offset, data) if len(data) > _GROWTH and not data.strip(b"\n"):
            # Blank lines until they are written: several writes of them are as good as one, and shorter arguments.
            head = _words(Write(offset, data[:_GROWTH]))
            return (*head, *_words(Write(offset + _GROWTH, data[_GROWTH:])))
        case Write(offset, data):
            return (str(offset), "1", _format(data)) if offset else (str(len(data)), "0", _format(data))
        case Truncate(size):
            return (str(size), "1", "-") if size else ("1", "0", "-")


def _format(data: bytes) -> str:
    """The bytes as a format of the shell's printf: letters, digits and some marks stand for themselves."""
    return "".join(chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in data)


_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .:_#@{}()/,;=+<>[]")
_LIMIT = Limit(
    _ARGUMENT_LIMIT,
    f"too much for a hosts file that is written by exec, of some {_ARGUMENT_LIMIT // 1000} kB",
    lambda data: len(_format(data)),
)
