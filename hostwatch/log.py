"""Where the log goes and how it looks: lines for people, or JSON, one object a line."""

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from loguru import logger

from hostwatch.core.names import printable

if TYPE_CHECKING:
    from loguru import Message, Record

_HUMAN = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level:<7} {message}\n"


def start_log(
    level: str,
    form: str,
    file: Path | None = None,
    rotation: str | None = None,
    retention: int | None = None,
) -> None:
    """Send the log to standard error, or to `file`, rotated at `rotation` with `retention` old files kept.

    `form` is `human` or `json`. Without `rotation` a file grows for ever, without `retention` all old ones are kept.
    Raises `OSError` where the file cannot be opened; the log then goes on as before.
    """
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.open("ab").close()
    logger.remove()
    logger.configure(patcher=_tame)
    # No variables in tracebacks: they may hold what a label or an environment holds.
    if file is None:
        sink = _Stream(sys.stderr, form)
        logger.add(sink, level=level, format=_human, backtrace=False, diagnose=False)
    else:
        logger.add(
            file,
            level=level,
            format=_human if form == "human" else _json,
            rotation=rotation,
            retention=retention,
            backtrace=False,
            diagnose=False,
        )
    logging.basicConfig(handlers=[_Intercepted()], level=logging.WARNING, force=True)


def _tame(record: "Record") -> None:
    """Let no message, parts of which others choose, pass for a line of its own, or do anything to a terminal."""
    record["message"] = printable(record["message"]).replace("\n", "\n    ")


class _Stream:
    def __init__(self, stream: TextIO, form: str) -> None:
        self._stream = stream
        self._form = form

    def __call__(self, message: "Message") -> None:
        text = str(message) if self._form == "human" else _object(message.record) + "\n"
        self._stream.write(text)
        self._stream.flush()


def _human(record: "Record") -> str:
    return _HUMAN + ("{exception}\n" if record["exception"] is not None else "")


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
    """Libraries log with the standard library's logging; their lines go where ours go."""

    def emit(self, record: logging.LogRecord) -> None:
        level = logger.level(record.levelname).name if record.levelname in logging.getLevelNamesMapping() else "INFO"
        logger.opt(exception=record.exc_info).log(level, "{}: {}", record.name, record.getMessage())
