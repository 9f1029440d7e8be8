"""The standard streams, as they may be closed, a pipe without a reader, or a file on a full disk."""

import io
import os
from typing import Any, TextIO

from hostwatch.cli.printing import FAILED

_STDERR = 2


class Output(io.FileIO):
    """Standard output. Where it is lost, in a closed pipe or on a full disk, the program ends quietly."""

    _is_lost = False

    def write(self, data: Any) -> int:
        """Write, or end the program with status 1; what is still to come is dropped then."""
        if not self._is_lost:
            try:
                return super().write(data)
            except OSError:
                self._is_lost = True
                raise SystemExit(FAILED) from None
        return memoryview(data).nbytes


class Errors(io.FileIO):
    """Standard error. Where it is lost nobody is left to tell, so the work goes on; there may be room again later."""

    def write(self, data: Any) -> int:
        """Write, if that is possible."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def open_standard_streams() -> None:
    """Keep the numbers of closed standard streams from what is opened next: libuv aborts when it gets one of them."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)


def instead_of(stream: TextIO, kind: type[io.FileIO]) -> TextIO:
    """The same stream with another way to fail; `None` stays what it is, as where the stream was closed."""
    if stream is None:
        return stream
    raw = io.BufferedWriter(kind(stream.fileno(), "wb", closefd=False))
    return io.TextIOWrapper(raw, stream.encoding, stream.errors, line_buffering=kind is Errors)
