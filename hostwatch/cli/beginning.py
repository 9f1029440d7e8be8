"""The command that makes a beginning: init.

It imports what only it needs, so that the help and the completion of words load little.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hostwatch.cli.options import Common
from hostwatch.cli.printing import FAILED, fail, say

if TYPE_CHECKING:
    from hostwatch.control.survey import Survey
    from hostwatch.proposal.machine import Facts


def init(
    common: Common,
    to_stdout: Annotated[bool, typer.Option("--stdout", help="Print the configuration, and write no file.")] = False,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="Print the systemd unit for this machine instead.")
    ] = False,
) -> None:
    """Write a first configuration for what runs here now, with every entry commented out.

    It goes to the file of --config, and never over a file that is there. Status 1 if it could not be written.
    """
    if systemd:
        _print_unit(common)
        return
    from hostwatch.cli.configuring import file_of
    from hostwatch.config.file import DEFAULT_PATH
    from hostwatch.proposal.new_file import NewFileError, refuse_existing, write_new

    file = file_of(common) or DEFAULT_PATH
    try:
        if not to_stdout:
            refuse_existing(file)
        text = _proposed(common, file)
        if to_stdout:
            sys.stdout.write(text)
            return
        write_new(file, text)
    except NewFileError as error:
        fail(str(error), FAILED)
    say(f"{file}: written; take entries in it, then `hostwatch check` and `hostwatch plan` show what they would do")


def _proposed(common: Common, file: Path) -> str:
    """The text for what runs on the engine, which the present configuration names if there is one."""
    from hostwatch.cli.configuring import engine_of, logged, settings_of
    from hostwatch.cli.failing import explained
    from hostwatch.cli.running import surveyed_by
    from hostwatch.config.settings import Settings
    from hostwatch.proposal.text import Place, configuration

    settings = settings_of(common) if os.path.lexists(file) else logged(common, Settings())
    with explained():
        address = engine_of(common, settings).address

    async def propose(survey: "Survey") -> str:
        return configuration(survey.store, Place(survey.engine.version, address))

    return surveyed_by(common, settings, propose)


def _print_unit(common: Common) -> None:
    from hostwatch.cli.configuring import engine_of, file_of, settings_of
    from hostwatch.cli.failing import explained, run
    from hostwatch.docker.engine import DockerEngine
    from hostwatch.proposal.machine import facts
    from hostwatch.proposal.unit import unit

    settings = settings_of(common)

    async def look() -> "Facts":
        connection = engine_of(common, settings)
        async with DockerEngine(connection) as source:
            return facts(settings, file_of(common), common.docker_host, connection, await source.info())

    with explained():
        known = run(look)
    sys.stdout.write(unit(known))
