"""The common options, which may stand before or after the command: configuration, engine, log."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hostwatch.cli.completing import subscriber_names
from hostwatch.config.choices import LogFormat, LogLevel

Json = Annotated[bool, typer.Option("--json", help="Print JSON alone.")]
Subscribers = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SUBSCRIBER",
        autocompletion=subscriber_names,
        help="A container's name, the beginning of its id, or a key of the configuration; all if none is given.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Common:
    """The options that every command has."""

    config: Path | None
    docker_host: str | None
    log_level: LogLevel | None
    log_format: LogFormat | None


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
    """Add the common options to the function's own; with `variables` also as environment variables."""
    parameters = list(own)
    for name, (kind, flags, more) in _OPTIONS.items():
        # `located` reads the variable of the configuration.
        variable = f"HOSTWATCH_{name.upper()}" if variables and name != "config" else None
        option = typer.Option(*flags, envvar=variable, show_envvar=False, **more)
        annotation = Annotated[kind, option]  # type: ignore[valid-type]
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}


def command(function: Callable[..., None]) -> Callable[..., None]:
    """A command with the common options in place of the function's first parameter, `Common`.

    An option behind the command overrides the same option before it.
    """

    @functools.wraps(function)
    def with_options(context: typer.Context, **arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in _OPTIONS}
        common = {name: context.obj[name] if value is None else value for name, value in given.items()}
        function(Common(**common), **arguments)

    _offer(with_options, [_CONTEXT, *list(inspect.signature(function).parameters.values())[1:]], variables=False)
    return with_options


def given(context: typer.Context) -> Common:
    """The common options of a line that is being typed, on either side of the command. No command runs then."""
    before = context.find_root().params
    return Common(**{name: context.params.get(name) or before.get(name) for name in _OPTIONS})


def _print_version(is_given: bool) -> None:
    if is_given:
        from hostwatch.cli.version import described

        typer.echo(f"hostwatch {described()}")
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
