"""The settings of the log."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictInt, WithJsonSchema

from hostwatch.config.choices import LogFormat, LogLevel
from hostwatch.config.section import Section
from hostwatch.config.values import CAPITALS, AbsolutePath, Size


def _enum(kind: type[StrEnum]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [member.value for member in kind]})


class LogSettings(Section):
    """The log."""

    level: Annotated[LogLevel, CAPITALS, _enum(LogLevel)] = Field(
        LogLevel.INFO,
        description="The least level that is shown. The default, INFO, is a line for each change of a file, and for"
        " what becomes of the engine.",
    )
    format: Annotated[LogFormat, _enum(LogFormat)] = Field(
        LogFormat.HUMAN, description="human: for a terminal; json: an object per line."
    )
    file: AbsolutePath | None = Field(
        None,
        description="A file that the daemon's log goes to, an absolute path. Absent: standard error, where containers "
        "and systemd expect it.",
    )
    rotation: Size | None = Field(
        "10 MB",
        description="With `file`: the size at which a new file is begun, as in 10 MB or 512 KiB; null: never, if "
        "another program rotates it. The default fits a small disk.",
    )
    retention: Annotated[StrictInt, Field(ge=0)] | None = Field(
        5, description="With `file`: how many old files are kept; null: all."
    )
