"""The command that shows what was changed: history.

It asks the daemon; while none runs, it reads the file of the configuration. It imports what only it needs, so that the
help and the completion of words load little.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any

import typer

from hostwatch.cli.completing import record_names
from hostwatch.cli.options import Common, Json, Subscribers
from hostwatch.cli.printing import FAILED, USAGE, complain, fail

_PATH = "/api/v1/history"
_USUAL_FOLLOWED = 10
"""How many changes are shown before those that follow: as many as tail shows."""
_KEY = "{}: as a key of the configuration it means containers that only a daemon knows: give the name of a container"
_RETRY_SECONDS = 0.5
"""The time between two looks for a daemon, while none runs. A restart takes about as long."""

Names = Annotated[
    list[str] | None,
    typer.Option(
        "--name",
        metavar="NAME",
        autocompletion=record_names,
        help="Only changes of this name; may be given several times.",
    ),
]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Only later changes, as in 1h, 14:03 or 2026-01-02.")]
At = Annotated[str | None, typer.Option(metavar="TIME", help="Show the lines of that moment, instead of changes.")]
Follow = Annotated[bool, typer.Option("--follow", help="Go on with each new change, until Ctrl-C.")]
Limit = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=1_000_000, help="At most so many changes, the newest. [1000]")
]


def history(  # noqa: PLR0913 (the options of the command)
    common: Common,
    *,
    subscribers: Subscribers = None,
    name: Names = None,
    since: Since = None,
    at: At = None,
    follow: Follow = False,
    as_json: Json = False,
    limit: Limit = None,
) -> None:
    """Show the changes that were made, the newest last: when, in whose file, each name with its old and new addresses.

    TIME is how long ago, as in 90s, 1h or 2d, or a time, as in 14:03 (local) or 2026-01-02T14:03:05Z. With --json each
    change is a line.
    """
    from hostwatch.control.inquiry import USUAL_LIMIT, InquiryError

    if follow and at is not None:
        fail("--at shows one moment: leave --follow out", USAGE)
    query = [*(("subscriber", word) for word in subscribers or ()), *(("name", each) for each in name or ())]
    try:
        query += [*_times(since=since, at=at)]
    except InquiryError as error:
        fail(str(error), USAGE)
    found = _found(common, [*query, ("limit", str(limit or (_USUAL_FOLLOWED if follow else USUAL_LIMIT)))])
    _show(found, as_json=as_json)
    if follow:
        with suppress(KeyboardInterrupt):
            changes = found["changes"]
            _follow(common, query, changes[-1]["id"] if changes else 0, as_json=as_json)


def _times(**given: str | None) -> Iterator[tuple[str, str]]:
    """The times as parameters. They are understood here, as this process knows the user's zone."""
    from hostwatch.control.history import instant
    from hostwatch.control.inquiry import moment

    now = time.time()
    for key, text in given.items():
        if text is not None:
            yield key, instant(moment(text, now))


def _found(common: Common, query: list[tuple[str, str]]) -> Mapping[str, Any]:
    """The answer of the daemon; while none runs, of the file."""
    from hostwatch.cli.asking import answered

    found: Mapping[str, Any] | None = answered(common, _PATH, query)
    return found if found is not None else _of_file(common, query)


def _of_file(common: Common, query: list[tuple[str, str]]) -> Mapping[str, Any]:
    from hostwatch.archive.answers import of_file
    from hostwatch.cli.configuring import file_of, loaded
    from hostwatch.control.archive import ArchiveError
    from hostwatch.control.inquiry import inquiry

    settings = loaded(common)
    path = settings.history.file
    if path is None:
        where = file_of(common) or "the configuration"
        fail(f"no daemon runs here, which would know, and {where} has no history.file, where the past would be", FAILED)
    try:
        asked = inquiry(query, time.time())
        found = of_file(path, asked)
    except ArchiveError as error:
        fail(f"no daemon runs here, which would know, and {error}", FAILED)
    told = {each["subscriber"] for each in (*found.get("changes", ()), *found.get("blocks", ()))}
    keys = [word for word in asked.words if word in settings.subscribers and word not in told]
    return {**found, "notes": [_KEY.format(word) for word in keys]} if keys else found


def _show(found: Mapping[str, Any], *, as_json: bool) -> None:
    from hostwatch.terminal.changes import change_line, moment_lines, note_lines
    from hostwatch.terminal.lines import show

    show(note_lines(found), sys.stderr)
    if as_json:
        blocks = ({"at": found["at"], **block} for block in found.get("blocks", ()))
        for each in (*found.get("changes", ()), *blocks):
            typer.echo(json.dumps(each))
    elif "at" in found:
        show(moment_lines(found))
    else:
        show(map(change_line, found["changes"]))
    if sys.stdout is not None:
        sys.stdout.flush()


def _follow(common: Common, query: list[tuple[str, str]], last: int, *, as_json: bool) -> None:
    """Show each further change, for ever. Daemons may come and go."""
    for changes in _followed(common, query, last):
        _show({"changes": changes}, as_json=as_json)


def _followed(common: Common, query: list[tuple[str, str]], last: int) -> Iterator[Iterable[Mapping[str, Any]]]:
    from hostwatch.cli.asking import daemon_of
    from hostwatch.http.client import NoDaemonError

    is_told = False
    while True:
        if (client := daemon_of(common)) is not None:
            with suppress(NoDaemonError):
                for event in client.events(last):
                    is_told = False
                    if event.number is None:
                        continue
                    if event.number <= last:  # another daemon, without a file, counts from 1 again
                        last = event.number - 1
                    if query:
                        yield client.get(_PATH, [*query, ("after", str(last))])["changes"]
                    else:
                        yield [event.data]
                    last = event.number
        if not is_told:
            complain("no daemon runs now: its changes are shown once it runs again")
            is_told = True
        time.sleep(_RETRY_SECONDS)
