"""The commands of the program as values: read from the command line itself, so that none can be forgotten."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import typer
from typer.core import TyperGroup

from hostwatch.cli import commands as command_line

_COMMON = ("config", "docker_host", "log_level", "log_format")
"""The options of nearly every command, which are told once."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option, or an argument."""

    forms: tuple[str, ...]
    """As in `-c` and `--config`; of an argument its name."""
    value: str
    """The name of its value, as in `FILE`; empty if it has none."""
    text: str
    is_argument: bool = False
    is_required: bool = False
    is_repeated: bool = False

    @property
    def usage(self) -> str:
        """The argument in a usage line, as in `[SUBSCRIBER...]`."""
        shown = f"{self.forms[0]}..." if self.is_repeated else self.forms[0]
        return shown if self.is_required else f"[{shown}]"


@dataclass(frozen=True, slots=True)
class Command:
    """A command."""

    name: str
    summary: str
    """One sentence or two."""
    details: tuple[str, ...]
    """Further paragraphs of its help."""
    arguments: tuple[Option, ...]
    options: tuple[Option, ...]
    """Its own, without the common ones."""
    takes_common: bool

    @property
    def usage(self) -> str:
        """Its usage line."""
        words = ["hostwatch", self.name, "[OPTIONS]" if self.options or self.takes_common else ""]
        return " ".join(filter(None, [*words, *(argument.usage for argument in self.arguments)]))


def commands() -> tuple[Command, ...]:
    """The commands, in the order of the help."""
    return tuple(_command(name, command) for name, command in _group().commands.items())


def common_options() -> tuple[Option, ...]:
    """The options that may stand before or behind the command."""
    return tuple(_option(each) for each in _group().params if each.name in _COMMON)


def other_options() -> tuple[Option, ...]:
    """The options that stand alone, in the place of a command."""
    return tuple(_option(each) for each in _group().params if each.name not in _COMMON)


def _group() -> TyperGroup:
    return cast("TyperGroup", typer.main.get_command(command_line()))


def _command(name: str, command: Any) -> Command:
    summary, *details = (" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    parameters = [(each.name, _option(each)) for each in command.params]
    return Command(
        name=name,
        summary=summary,
        details=tuple(details),
        arguments=tuple(each for _, each in parameters if each.is_argument),
        options=tuple(each for key, each in parameters if not each.is_argument and key not in _COMMON),
        takes_common=any(key in _COMMON for key, _ in parameters),
    )


def _option(parameter: Any) -> Option:
    is_argument = parameter.param_type_name == "argument"
    return Option(
        forms=(parameter.metavar,) if is_argument else tuple(parameter.opts),
        value="" if is_argument else _value(parameter),
        text=parameter.help or "",
        is_argument=is_argument,
        is_required=parameter.required,
        is_repeated=parameter.nargs == -1 or getattr(parameter, "multiple", False),
    )


def _value(parameter: Any) -> str:
    if parameter.is_flag:
        return ""
    if parameter.metavar:
        return str(parameter.metavar)
    return "|".join(_choices(parameter.type_descriptor.annotation))


def _choices(kind: type[StrEnum]) -> Iterator[str]:
    for member in cast("Mapping[str, StrEnum]", kind.__members__).values():
        yield member.value
