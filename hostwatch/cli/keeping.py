"""The commands that compare, write or keep the hosts files: run, sync, plan, clean.

A command imports what only it needs, so that the help and the completion of words load little.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from hostwatch.cli.options import Common, Json
from hostwatch.cli.printing import FAILED, WOULD_CHANGE, complain, print_json, say

if TYPE_CHECKING:
    from hostwatch.control.survey import FileReport

Force = Annotated[bool, typer.Option("--force", help="Do it although a daemon keeps the files.")]


def run(
    common: Common,
    http_listen: Annotated[
        str | None,
        typer.Option(
            "--http-listen",
            envvar="HOSTWATCH_HTTP_LISTEN",
            show_envvar=False,
            metavar="ADDRESS",
            help="Where to answer by HTTP, as in 127.0.0.1:9464; else $HOSTWATCH_HTTP_LISTEN, else http.listen.",
        ),
    ] = None,
) -> None:
    """Follow the engine and keep every subscriber right, until SIGTERM or SIGINT."""
    from hostwatch.cli.running import follow

    if not follow(common, http_listen):
        raise typer.Exit(FAILED)


def sync(common: Common, force: Force = False) -> None:
    """Bring every subscriber right once, and end. Status 1 if some could not be, or a daemon runs."""
    from hostwatch.cli.running import surveyed

    if not _printed(surveyed(common, lambda survey: survey.synced(), alone=not force), "brought right"):
        raise typer.Exit(FAILED)


def plan(
    common: Common,
    as_json: Json = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with status 3 where something would change.")
    ] = False,
) -> None:
    """Show what `sync` would change, as a unified diff for each file. Writes nothing."""
    from hostwatch.cli.running import surveyed
    from hostwatch.terminal.diff import diff_lines
    from hostwatch.terminal.lines import show

    reports = surveyed(common, lambda survey: survey.reports())
    if as_json:
        print_json([_planned(report) for report in reports])
    else:
        _print_errors(reports)
        show(line for report in reports for line in diff_lines(report.diff))
    if exit_code and any(report.changes for report in reports):
        raise typer.Exit(WOULD_CHANGE)


def clean(common: Common, force: Force = False) -> None:
    """Remove every block from containers, running or not, and from the files on the host that the configuration names.

    Status 1 if one could not be removed, or a daemon runs, which would put them back.
    """
    from hostwatch.cli.running import cleaned

    if not _printed(cleaned(common, alone=not force), "block removed"):
        raise typer.Exit(FAILED)


def _planned(report: "FileReport") -> dict[str, object]:
    return {
        "id": report.container.key.id,
        "name": report.container.name,
        "file": report.file.kind.value,
        "path": str(report.path),
        "changes": report.changes,
        "diff": report.diff,
        "error": report.error,
    }


def _printed(reports: list["FileReport"], done: str) -> bool:
    """Print the changed files and the errors; returns whether there was no error."""
    for report in reports:
        if report.changes:
            say(f"{report.told}: {done}")
    _print_errors(reports)
    return all(report.error is None for report in reports)


def _print_errors(reports: list["FileReport"]) -> None:
    for report in reports:
        if report.error is not None:
            complain(f"{report.told}: {report.error}".replace("\n", "\n    "))
