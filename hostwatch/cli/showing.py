"""The command that shows how everything stands: status.

It imports what only it needs, so that the help and the completion of words load little.
"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hostwatch.cli.options import Common, Json, Subscribers
from hostwatch.cli.printing import print_json
from hostwatch.terminal.width import width_of

if TYPE_CHECKING:
    from hostwatch.control.survey import Survey
    from hostwatch.control.view import Json as State


def status(
    common: Common,
    subscribers: Subscribers = None,
    as_json: Json = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show each change until Ctrl-C; in a pipe one report after another.")
    ] = False,
) -> None:
    """Show services with their addresses, and subscribers with their records and whether each file is right.

    Status 1 for a SUBSCRIBER that there is not.
    """
    words = subscribers or []
    if watch:
        from hostwatch.cli.watching import follow_status

        follow_status(common, words, as_json=as_json)
        return
    from hostwatch.cli.asking import answered
    from hostwatch.terminal.lines import show
    from hostwatch.terminal.status import status_lines

    found = answered(common, "/api/v1/state", chosen(words)) or _surveyed(common, words)
    if as_json:
        print_json(found)
    else:
        show(status_lines(found, width_of(sys.stdout), services=not words))


def chosen(words: list[str]) -> list[tuple[str, str]]:
    """The query for the state of these subscribers."""
    return [("subscriber", word) for word in words]


def _surveyed(common: Common, words: list[str]) -> "State":
    from hostwatch.cli.running import surveyed

    return surveyed(common, lambda survey: state_of(survey, words))


async def state_of(survey: "Survey", words: list[str]) -> "State":
    """The answer of `status --json`, of the subscribers that the words mean; of all without words."""
    from hostwatch.control.source_list import asked_once
    from hostwatch.control.status import state

    others = asked_once(survey.heard, survey.store.remotes.sources)
    return await state(survey.engine, survey.store, await survey.standings(words), others=others)
