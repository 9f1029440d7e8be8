"""The common options, which may stand before or after the command, and what follows from them."""

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hostwatch import __version__, app
from hostwatch.cli.printing import FAILED, USAGE, fail
from hostwatch.config import ConfigError, LogFormat, LogLevel, Settings, load, located
from hostwatch.control.source import EngineError
from hostwatch.docker.connect import Connection, located_engine
from hostwatch.log import start_log


@dataclass(frozen=True, slots=True)
class Common:
    """The options that every command has."""

    config: Path | None
    docker_host: str | None
    log_level: LogLevel | None
    log_format: LogFormat | None

    @property
    def file(self) -> Path | None:
        """The configuration file in force; `None` for none."""
        return located(self.config, os.environ)

    def loaded(self) -> Settings:
        """The settings in force. Ends the program with status 2 where they are wrong."""
        try:
            return self._load()
        except ConfigError as error:
            fail(str(error), USAGE)

    def settings(self) -> Settings:
        """The settings in force, with the log started as they say."""
        settings = self.loaded()
        try:
            self._start_log(settings)
        except OSError as error:
            fail(self._log_fault(settings, error), FAILED)
        return settings

    def reread(self) -> app.Configured:
        """The settings in force by now, with the log started anew. Raises `ConfigError` and `EngineError`."""
        settings = self._load()
        configured = app.Configured(settings, self.engine(settings))
        try:
            self._start_log(settings)  # last: where anything is wrong, the log stays as it was, too
        except OSError as error:
            raise EngineError(self._log_fault(settings, error)) from error
        return configured

    def _load(self) -> Settings:
        return load(self.file) if self.file is not None else Settings()

    def _start_log(self, settings: Settings) -> None:
        log = settings.log
        start_log(self.log_level or log.level, self.log_format or log.format, log.file, log.rotation, log.retention)

    def _log_fault(self, settings: Settings, error: OSError) -> str:
        return f"cannot write the log to {settings.log.file}: {error.strerror}; mend log.file in {self.file}"

    def engine(self, settings: Settings) -> Connection:
        """How the engine is reached. Raises `EngineError`."""
        return located_engine(self.docker_host or settings.docker.host, os.environ)


_OPTIONS: dict[str, tuple[object, tuple[str, ...], dict[str, Any]]] = {
    "config": (
        Path | None,
        ("-c", "--config"),
        {"metavar": "FILE", "help": "Configuration; else $HOSTWATCH_CONFIG, else the default."},
    ),
    "docker_host": (
        str | None,
        ("--docker-host",),
        {"metavar": "URL", "help": "Engine, as in unix:///var/run/docker.sock; else $HOSTWATCH_DOCKER_HOST."},
    ),
    "log_level": (
        LogLevel | None,
        ("--log-level",),
        {
            "case_sensitive": False,
            "metavar": "LEVEL",
            "help": "Least level that is logged, as in debug or warning; else $HOSTWATCH_LOG_LEVEL.",
        },
    ),
    "log_format": (
        LogFormat | None,
        ("--log-format",),
        {"case_sensitive": False, "help": "How log lines look; else $HOSTWATCH_LOG_FORMAT."},
    ),
}


def _offer(function: Callable[..., None], own: list[inspect.Parameter], *, variables: bool) -> None:
    """Have the function take the common options besides its own; with `variables` also as environment variables."""
    parameters = list(own)
    for name, (kind, flags, more) in _OPTIONS.items():
        # `located` looks for the configuration's own variable.
        variable = f"HOSTWATCH_{name.upper()}" if variables and name != "config" else None
        option = typer.Option(*flags, envvar=variable, show_envvar=False, **more)
        annotation = Annotated[kind, option]  # type: ignore[valid-type]
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}


def command(function: Callable[..., None]) -> Callable[..., None]:
    """A command that offers the common options in place of the `Common` that the function takes first.

    An option behind the command counts more than the same one before it.
    """

    @functools.wraps(function)
    def with_options(context: typer.Context, **arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in _OPTIONS}
        common = {name: context.obj[name] if value is None else value for name, value in given.items()}
        function(Common(**common), **arguments)

    _offer(with_options, [_CONTEXT, *list(inspect.signature(function).parameters.values())[1:]], variables=False)
    return with_options


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hostwatch {__version__}")
        raise typer.Exit


_CONTEXT = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
_VERSION = inspect.Parameter(
    "version",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ],
)


def root(context: typer.Context, version: bool, **common: Any) -> None:  # noqa: ARG001 (it has been printed by now)
    context.obj = common


_offer(root, [_CONTEXT, _VERSION], variables=True)
