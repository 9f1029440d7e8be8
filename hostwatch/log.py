"""Writes the log to its destination: lines for people, or JSON with one object in each line."""

import copy
import json
import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from loguru import logger

from hostwatch.core.names import printable

if TYPE_CHECKING:
    from loguru import Message, Record

_HUMAN = "{time:YYYY-MM-DD HH:mm:ss.SSSZ} {level:<7} {message}"


def start_log(
    level: str,
    form: str,
    file: Path | None = None,
    rotation: str | None = None,
    retention: int | None = None,
) -> None:
    """Send the log to standard error, or to `file`, rotated at `rotation` with `retention` old files kept.

    `form` is `human` or `json`. Without `rotation` a file grows for ever, without `retention` all old files are kept.
    Raises `OSError` if the file cannot be opened; the log then goes on as before.
    """
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.open("ab").close()
    logger.remove()
    logger.configure(patcher=_tame)
    # No variables in tracebacks: they may have secrets from labels or environments.
    if file is None:
        sink = _Stream(sys.stderr, form)
        logger.add(sink, level=level, format=_HUMAN, backtrace=False, diagnose=False)
    else:
        writer = _File(file, rotation, retention)
        shape = _HUMAN if form == "human" else _json
        logger.add(writer, level=level, format=shape, backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[_Intercepted()], level=logging.WARNING, force=True)


def _tame(record: "Record") -> None:
    """Make a message safe for a terminal, and indent its further lines: parts of it come from containers."""
    record["message"] = printable(record["message"]).replace("\n", "\n    ")


class _Stream:
    def __init__(self, stream: TextIO, form: str) -> None:
        self._stream = stream
        self._form = form

    def __call__(self, message: "Message") -> None:
        text = str(message) if self._form == "human" else _object(message.record) + "\n"
        _say(self._stream, text)


class _File:
    """A log file. When writes fail, as on a full disk, standard error says so, and when they succeed again."""

    def __init__(self, file: Path, rotation: str | None, retention: int | None) -> None:
        self._file = file
        self._fault: str | None = None
        # A separate logger, because the common one would print a traceback for each line that it cannot write.
        self._writer = copy.deepcopy(logger)
        self._writer.configure(patcher=lambda _: None)  # the lines that come here are safe already
        self._writer.add(file, level=0, format="{message}", rotation=rotation, retention=retention, catch=False)

    def write(self, message: str) -> None:
        try:
            self._writer.opt(raw=True).info(message)
        except (OSError, ValueError) as error:  # ValueError: the file was closed, and could not be opened again
            if self._fault is None:
                self._fault = (error.strerror if isinstance(error, OSError) else None) or str(error)
                remedy = "make room or mend log.file; lines are lost until then"
                _say(sys.stderr, f"hostwatch: cannot write the log to {self._file}: {self._fault}; {remedy}\n")
        else:
            if self._fault is not None:
                self._fault = None
                _say(sys.stderr, f"hostwatch: the log is written to {self._file} again\n")

    def stop(self) -> None:
        with suppress(OSError, ValueError):
            self._writer.remove()


def _say(stream: TextIO, text: str) -> None:
    """Write to standard error. A failure is ignored, as there is no other place to report it."""
    with suppress(OSError, ValueError):
        stream.write(text)
        stream.flush()


def _json(record: "Record") -> str:
    record["extra"]["_json"] = _object(record)
    return "{extra[_json]}\n"


def _object(record: "Record") -> str:
    fields = {key: value for key, value in record["extra"].items() if not key.startswith("_")}
    return json.dumps(
        {
            "time": record["time"].isoformat(timespec="milliseconds"),
            "level": record["level"].name,
            "message": record["message"],
            **fields,
        },
        default=str,
    )


class _Intercepted(logging.Handler):
    """Sends the lines of libraries, which use the standard library's logging, to this log."""

    def emit(self, record: logging.LogRecord) -> None:
        level = logger.level(record.levelname).name if record.levelname in logging.getLevelNamesMapping() else "INFO"
        logger.opt(exception=record.exc_info).log(level, "{}: {}", record.name, record.getMessage())
