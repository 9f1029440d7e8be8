"""The command line: parses arguments and runs the commands. Results go to standard output, errors to standard error."""

import os
import sys

import typer

from hostwatch import garbage
from hostwatch.cli.beginning import init
from hostwatch.cli.checking import check, doctor, print_schema
from hostwatch.cli.completing import join_words
from hostwatch.cli.explaining import why
from hostwatch.cli.health import health
from hostwatch.cli.history import history
from hostwatch.cli.keeping import clean, plan, run, sync
from hostwatch.cli.options import command, root
from hostwatch.cli.showing import status
from hostwatch.cli.streams import Errors, Output, instead_of, open_standard_streams
from hostwatch.terminal.width import width_of

__all__ = ["commands", "main"]


def main() -> None:
    """Run the program."""
    garbage.search_seldom()
    # pydantic would look for its plugins among all packages that are installed, at each start.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    open_standard_streams()
    sys.stdout = instead_of(sys.stdout, Output)
    sys.stderr = instead_of(sys.stderr, Errors)
    join_words()
    try:
        # In a pipe lines of the help are not wrapped.
        commands()(terminal_width=width_of(sys.stdout) or sys.maxsize)
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()


def commands() -> typer.Typer:
    """The commands with their options and help."""
    cli = typer.Typer(
        name="hostwatch",
        help="Keeps /etc/hosts right inside running containers.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # its boxes cut long words, also in a pipe
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    cli.callback()(root)
    for function in (init, run, sync, plan, status, why, history, check, clean, doctor):
        # Without a short help typer would cut the first line.
        cli.command(short_help=(function.__doc__ or "").partition("\n")[0])(command(function))
    cli.command(name="schema", short_help=print_schema.__doc__)(print_schema)
    cli.command(short_help=(health.__doc__ or "").partition("\n")[0])(health)
    return cli
