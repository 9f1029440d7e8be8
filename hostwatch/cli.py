"""The command line: arguments in, exit statuses out. Results go to standard output, errors to standard error."""

import dataclasses
import functools
import inspect
import io
import json
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, TextIO, TypeVar

import anyio
import typer

from hostwatch import __version__, app
from hostwatch.config import ConfigError, LogFormat, LogLevel, Settings, cautions, load, located, schema
from hostwatch.control.source import EngineError, GoneError, first_leaf
from hostwatch.control.status import state
from hostwatch.control.survey import FileReport, Survey
from hostwatch.core.names import printable
from hostwatch.docker.connect import AddressError, Connection, located_engine
from hostwatch.doctor import examined, verdict
from hostwatch.doctor.cautions import configured
from hostwatch.doctor.connection import unlocated
from hostwatch.doctor.finding import INDENT, Level
from hostwatch.log import start_log
from hostwatch.tables import status_text, width_of, wrapped

T = TypeVar("T")

_FORESEEN = (EngineError, GoneError, app.KeptError)
"""What may go wrong with a command, and says itself what to do."""

FAILED = 1
USAGE = 2
WOULD_CHANGE = 3

_STDERR = 2

cli = typer.Typer(
    name="hostwatch",
    help="Keeps /etc/hosts right inside running containers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its boxes cut long words, also in a pipe
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
            _fail(str(error), USAGE)

    def settings(self) -> Settings:
        """The settings in force, with the log started as they say."""
        settings = self.loaded()
        try:
            self._start_log(settings)
        except OSError as error:
            _fail(self._log_fault(settings, error), FAILED)
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

Force = Annotated[bool, typer.Option("--force", help="Do it although a daemon keeps the files.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON alone.")]


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


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a command that takes a `Common` first, in place of which the common options are offered.

    They may stand before the command as well; what stands behind it counts.
    """

    @functools.wraps(function)
    def command(context: typer.Context, **arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in _OPTIONS}
        common = {name: context.obj[name] if value is None else value for name, value in given.items()}
        function(Common(**common), **arguments)

    _offer(command, [_CONTEXT, *list(inspect.signature(function).parameters.values())[1:]], variables=False)
    # Else it would be cut.
    return cli.command(short_help=(function.__doc__ or "").partition("\n")[0])(command)


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


def _root(context: typer.Context, version: bool, **common: Any) -> None:  # noqa: ARG001 (it has been printed by now)
    context.obj = common


_offer(_root, [_CONTEXT, _VERSION], variables=True)
cli.callback()(_root)


@_command
def run(common: Common) -> None:
    """Follow the engine and keep every subscriber right, until SIGTERM or SIGINT."""
    settings = common.settings()

    async def follow() -> bool:
        return await app.run(app.Configured(settings, common.engine(settings)), common.reread)

    if not _anyio(follow):
        raise typer.Exit(FAILED)


@_command
def sync(common: Common, force: Force = False) -> None:
    """Bring every subscriber right once, and end. Status 1 if some could not be, or a daemon runs."""
    settings = common.settings()

    if not _told(_surveyed(common, settings, Survey.synced, alone=not force), "brought right"):
        raise typer.Exit(FAILED)


@_command
def plan(
    common: Common,
    as_json: Json = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with status 3 where something would change.")
    ] = False,
) -> None:
    """Show what `sync` would change, as a unified diff for each hosts file. Writes nothing."""
    settings = common.settings()
    reports = _surveyed(common, settings, Survey.reports)
    if as_json:
        _print_json([_planned(report) for report in reports])
    else:
        _tell_errors(reports)
        typer.echo(printable("".join(report.diff for report in reports)), nl=False)
    if exit_code and any(report.changes for report in reports):
        raise typer.Exit(WOULD_CHANGE)


@_command
def status(common: Common, as_json: Json = False) -> None:
    """Show services with their addresses, and subscribers with their records and whether each file is right."""
    settings = common.settings()

    async def described(survey: Survey) -> Any:
        return state(survey.engine, survey.store, await survey.reports())

    found = _surveyed(common, settings, described)
    if as_json:
        _print_json(found)
    else:
        typer.echo(status_text(found, width_of(sys.stdout)), nl=False)


@_command
def check(common: Common) -> None:
    """Validate the configuration, and warn of what can hardly be meant. Status 2 if it is not valid."""
    settings = common.loaded()
    for caution in (*cautions.of_file(settings), *cautions.of_names(settings)):
        _complain(f"warning: {caution}")
    _say(f"{common.file}: valid" if common.file is not None else "no configuration file: labels alone count")


@_command
def clean(common: Common, force: Force = False) -> None:
    """Remove every block that hostwatch ever left in a container or a configured file on the host.

    Status 1 if one could not be removed, or a daemon runs, which would put them back.
    """
    settings = common.settings()

    if not _told(_surveyed(common, settings, Survey.cleaned, alone=not force), "block removed"):
        raise typer.Exit(FAILED)


@_command
def doctor(common: Common) -> None:
    """Tell what would keep hostwatch from working here, each with its remedy. Status 1 if anything would."""
    # What is logged on the way is among the findings.
    settings = dataclasses.replace(common, log_level=common.log_level or LogLevel.ERROR).settings()
    try:
        found = list(examined(settings, common.engine(settings)))
    except AddressError as error:
        _fail(str(error), USAGE)
    except EngineError as error:
        found = [unlocated(str(error)), *configured(settings, None)]
    for finding in found:
        _say(str(finding), indent=INDENT)
    _say(verdict(found))
    if any(finding.level is Level.PROBLEM for finding in found):
        raise typer.Exit(FAILED)


@cli.command(name="schema", short_help="Print the JSON Schema of the configuration, for editors.")
def print_schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    _print_json(schema())


class _Output(io.FileIO):
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


class _Errors(io.FileIO):
    """Standard error. Where it is lost nobody is left to tell, so the work goes on; there may be room again later."""

    def write(self, data: Any) -> int:
        """Write, if that is possible."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def main() -> None:
    """The program."""
    _open_standard_streams()
    sys.stdout = _instead_of(sys.stdout, _Output)
    sys.stderr = _instead_of(sys.stderr, _Errors)
    try:
        # In a pipe a line of the help is one line.
        cli(terminal_width=width_of(sys.stdout) or sys.maxsize)
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()


def _open_standard_streams() -> None:
    """Keep the numbers of closed standard streams from what is opened next: libuv aborts when it gets one of them."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)


def _instead_of(stream: TextIO, kind: type[io.FileIO]) -> TextIO:
    """The same stream with another way to fail; `None` stays what it is, as where the stream was closed."""
    if stream is None:
        return stream
    raw = io.BufferedWriter(kind(stream.fileno(), "wb", closefd=False))
    return io.TextIOWrapper(raw, stream.encoding, stream.errors, line_buffering=kind is _Errors)


def _surveyed(
    common: Common, settings: Settings, use: Callable[[Survey], Coroutine[Any, Any, T]], *, alone: bool = False
) -> T:
    async def survey_and_use() -> T:
        async with app.survey(settings, common.engine(settings), alone=alone) as survey:
            return await use(survey)

    return _anyio(survey_and_use)


def _anyio(function: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
    try:
        return anyio.run(function, *arguments, backend_options={"use_uvloop": True})
    except AddressError as error:
        _fail(str(error), USAGE)
    except _FORESEEN as error:
        _fail(str(error), FAILED)
    except BaseExceptionGroup as group:
        known, other = group.split(_FORESEEN)
        if known is None or other is not None:
            raise
        _fail(str(first_leaf(known)), FAILED)


def _fail(message: str, status: int) -> NoReturn:
    _complain(message)
    raise typer.Exit(status)


# Printing.


def _say(text: str, indent: str = "    ") -> None:
    typer.echo(wrapped(printable(text), width_of(sys.stdout), indent))


def _complain(text: str) -> None:
    typer.echo(wrapped(printable(text), width_of(sys.stderr)), err=True)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2))


def _planned(report: FileReport) -> dict[str, object]:
    return {
        "id": report.container.key.id,
        "name": report.container.name,
        "path": str(report.path),
        "changes": report.changes,
        "diff": report.diff,
        "error": report.error,
    }


def _told(reports: list[FileReport], done: str) -> bool:
    """Say what was done to which file; returns whether all went well."""
    for report in reports:
        if report.changes:
            _say(f"{report.container.name}: {done}")
    _tell_errors(reports)
    return all(report.error is None for report in reports)


def _tell_errors(reports: list[FileReport]) -> None:
    for report in reports:
        if report.error is not None:
            _complain(f"{report.container.name}: {report.error}".replace("\n", "\n    "))
