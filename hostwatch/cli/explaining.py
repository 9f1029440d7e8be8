"""The command that explains: why.

It imports what only it needs, so that the help and the completion of words load little.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from hostwatch.cli.completing import record_names, subscriber_names
from hostwatch.cli.options import Common, Json
from hostwatch.cli.printing import print_json

if TYPE_CHECKING:
    from hostwatch.control.survey import Survey
    from hostwatch.control.view import Json as Answer

Subscriber = Annotated[
    str,
    typer.Argument(
        metavar="SUBSCRIBER",
        autocompletion=subscriber_names,
        help="A container's name, the beginning of its id, or a key of the configuration.",
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        autocompletion=record_names,
        help="A name that its file has, or asks for; all if none is given.",
    ),
]


def why(common: Common, subscriber: Subscriber, names: Names = None, as_json: Json = False) -> None:
    """Explain each line of a subscriber's file: who asked for it, what was found, and why it was taken or passed over.

    Status 1 for a SUBSCRIBER or NAME that there is not.
    """
    from hostwatch.cli.asking import answered
    from hostwatch.http.client import path_of
    from hostwatch.terminal.lines import show
    from hostwatch.terminal.reasons import reason_lines

    wanted = names or []
    found = answered(common, path_of("api", "v1", "why", subscriber), [("name", name) for name in wanted])
    if found is None:
        found = _without_daemon(common, subscriber, wanted)
    if as_json:
        print_json(found)
    else:
        show(reason_lines(found))


def _without_daemon(common: Common, subscriber: str, names: list[str]) -> "Answer":
    """The answer as a daemon would give it now, which alone knows what lingers."""
    from hostwatch.cli.running import surveyed
    from hostwatch.control.reasons import why as reasons

    async def worked_out(survey: "Survey") -> "Answer":
        standings = await survey.standings([subscriber])
        return await reasons(survey.store, standings, names, sources=survey.heard)

    return surveyed(common, worked_out)
