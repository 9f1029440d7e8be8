"""The choices for the log, also of the command line: apart from the settings, as pydantic takes long to load."""

from enum import StrEnum


class LogLevel(StrEnum):
    """The least level that is logged."""

    TRACE = "TRACE"
    DEBUG = "DEBUG"
    INFO = "INFO"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class LogFormat(StrEnum):
    """The form of log lines."""

    HUMAN = "human"
    JSON = "json"
