"""The configuration, the log and the engine that the common options name."""

import errno
import os
from pathlib import Path

from hostwatch.cli.options import Common
from hostwatch.cli.printing import FAILED, USAGE, fail
from hostwatch.config.faults import ConfigError, OptionError
from hostwatch.config.file import load, located
from hostwatch.config.http import checked_listen
from hostwatch.config.log import LogSettings
from hostwatch.config.settings import Settings
from hostwatch.control.source import EngineError
from hostwatch.docker.connect import Connection, located_engine
from hostwatch.log import start_log


def file_of(common: Common) -> Path | None:
    """The configuration file in use; `None` if there is none."""
    return located(common.config, os.environ)


def loaded(common: Common) -> Settings:
    """The settings of that file. Ends the program with status 2 if they are wrong."""
    try:
        return _load(common)
    except ConfigError as error:
        fail(str(error), USAGE)


def settings_of(common: Common) -> Settings:
    """The settings of that file. Starts the log by them, on standard error."""
    return logged(common, loaded(common))


def logged(common: Common, settings: Settings) -> Settings:
    """These settings. Starts the log by them, on standard error: its file is the daemon's alone."""
    _start_log(common, settings.log.model_copy(update={"file": None}))
    return settings


def daemon_settings(common: Common) -> Settings:
    """The settings of that file. Starts the log by them, in its file if it has one."""
    settings = loaded(common)
    try:
        _start_log(common, settings.log)
    except OSError as error:
        fail(_log_fault(common, settings, error), FAILED)
    return settings


def reread(common: Common) -> tuple[Settings, Connection]:
    """The settings and the engine as they are now. Starts the log anew. Raises `ConfigError` and `EngineError`."""
    settings = _load(common)
    connection = engine_of(common, settings)
    try:
        _start_log(common, settings.log)  # last, so that after any other error the log stays as it was
    except OSError as error:
        raise EngineError(_log_fault(common, settings, error)) from error
    return settings, connection


def listening(settings: Settings, address: str | None) -> Settings:
    """The settings with another `http.listen`, if one is given. Raises `ConfigError`."""
    if not address:
        return settings
    try:
        checked_listen(address, allow_remote=settings.http.allow_remote)
    except ValueError as error:
        raise OptionError("--http-listen", address, str(error)) from None
    return settings.model_copy(update={"http": settings.http.model_copy(update={"listen": address})})


def engine_of(common: Common, settings: Settings) -> Connection:
    """The connection to the engine. Raises `EngineError`."""
    return located_engine(common.docker_host or settings.docker.host, os.environ)


def _load(common: Common) -> Settings:
    file = file_of(common)
    return load(file) if file is not None else Settings()


def _start_log(common: Common, log: LogSettings) -> None:
    start_log(common.log_level or log.level, common.log_format or log.format, log.file, log.rotation, log.retention)


def _log_fault(common: Common, settings: Settings, error: OSError) -> str:
    remedy = f"mend log.file in {file_of(common)}"
    if error.errno == errno.EROFS:
        remedy += "; hostwatch's systemd unit may write in /var/log/hostwatch, and where ReadWritePaths= says"
    return f"cannot write the log to {settings.log.file}: {error.strerror}; {remedy}"
