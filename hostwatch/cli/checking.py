"""The commands that check the configuration and the machine: check, doctor, schema.

A command imports what only it needs, so that the help and the completion of words load little.
"""

import dataclasses

import typer

from hostwatch.cli.options import Common
from hostwatch.cli.printing import FAILED, USAGE, complain, fail, print_json, say
from hostwatch.config.choices import LogLevel


def check(common: Common) -> None:
    """Validate the configuration, and warn of probable mistakes. Status 2 if it is not valid.

    No engine is asked: `hostwatch doctor` also finds names that no container has.
    """
    from hostwatch.cli.configuring import file_of, loaded
    from hostwatch.config import cautions

    settings = loaded(common)
    found = *cautions.of_file(settings), *cautions.of_machine(settings), *cautions.without_engine(settings)
    for caution in found:
        complain(f"warning: {caution}")
    file = file_of(common)
    say(f"{file}: valid" if file is not None else "no configuration file: labels alone count")


def doctor(common: Common) -> None:
    """Find what prevents hostwatch from working here, each with its remedy. Status 1 for a problem."""
    from hostwatch.cli.configuring import engine_of, settings_of
    from hostwatch.control.source import EngineError
    from hostwatch.docker.connect import AddressError
    from hostwatch.doctor import examined, verdict
    from hostwatch.doctor.cautions import configured
    from hostwatch.doctor.connection import unlocated
    from hostwatch.doctor.finding import INDENT, Level

    # Log lines below ERROR would repeat findings.
    settings = settings_of(dataclasses.replace(common, log_level=common.log_level or LogLevel.ERROR))
    try:
        found = list(examined(settings, engine_of(common, settings)))
    except AddressError as error:
        fail(str(error), USAGE)
    except EngineError as error:
        found = [unlocated(str(error)), *configured(settings, None)]
    for finding in found:
        say(str(finding), indent=INDENT)
    say(verdict(found))
    if any(finding.level is Level.PROBLEM for finding in found):
        raise typer.Exit(FAILED)


def print_schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from hostwatch.config.settings import schema

    print_json(schema())
