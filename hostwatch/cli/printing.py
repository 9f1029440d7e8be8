"""Prints results, errors and JSON, and ends the program after a failure."""

import json
import sys
from typing import NoReturn

import typer

from hostwatch.core.names import printable
from hostwatch.terminal.width import width_of, wrapped

FAILED = 1
USAGE = 2
WOULD_CHANGE = 3


def fail(message: str, status: int) -> NoReturn:
    complain(message)
    raise typer.Exit(status)


def say(text: str, indent: str = "    ") -> None:
    typer.echo(wrapped(printable(text), width_of(sys.stdout), indent))


def complain(text: str) -> None:
    typer.echo(wrapped(printable(text), width_of(sys.stderr)), err=True)


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2))
