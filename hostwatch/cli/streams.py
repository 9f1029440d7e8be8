"""Standard streams that can be closed, a pipe without a reader, or a file on a full disk."""

import io
import os
from typing import Any, TextIO

from hostwatch.cli.printing import FAILED

_STDERR = 2


class Output(io.FileIO):
    """Standard output. If a write fails, in a closed pipe or on a full disk, the program ends quietly."""

    _is_lost = False

    def write(self, data: Any) -> int:
        """Write, or end the program with status 1. All later output is dropped then."""
        if not self._is_lost:
            try:
                return super().write(data)
            except OSError:
                self._is_lost = True
                raise SystemExit(FAILED) from None
        return memoryview(data).nbytes


class Errors(io.FileIO):
    """Standard error. A failed write is ignored, as there is no other place to report it. A later one may succeed."""

    def write(self, data: Any) -> int:
        """Write, if that is possible."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def open_standard_streams() -> None:
    """Open the descriptors of closed standard streams, so that no other file gets one: libuv aborts on them."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)


def instead_of(stream: TextIO, kind: type[io.FileIO]) -> TextIO:
    """The same stream with the failures of `kind`; `None` if the stream was closed."""
    if stream is None:
        return stream
    raw = io.BufferedWriter(kind(stream.fileno(), "wb", closefd=False))
    return io.TextIOWrapper(raw, stream.encoding, stream.errors, line_buffering=kind is Errors)
