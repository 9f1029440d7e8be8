"""The commands that check the configuration and the machine: check, doctor, schema."""

import dataclasses

import typer

from hostwatch.cli.options import Common
from hostwatch.cli.printing import FAILED, USAGE, complain, fail, print_json, say
from hostwatch.config import LogLevel, cautions, schema
from hostwatch.control.source import EngineError
from hostwatch.docker.connect import AddressError
from hostwatch.doctor import examined, verdict
from hostwatch.doctor.cautions import configured
from hostwatch.doctor.connection import unlocated
from hostwatch.doctor.finding import INDENT, Level


def check(common: Common) -> None:
    """Validate the configuration, and warn of probable mistakes. Status 2 if it is not valid."""
    settings = common.loaded()
    for caution in (*cautions.of_file(settings), *cautions.of_names(settings)):
        complain(f"warning: {caution}")
    say(f"{common.file}: valid" if common.file is not None else "no configuration file: labels alone count")


def doctor(common: Common) -> None:
    """Find what prevents hostwatch from working here, each with its remedy. Status 1 for a problem."""
    # Log lines below ERROR would repeat findings.
    settings = dataclasses.replace(common, log_level=common.log_level or LogLevel.ERROR).settings()
    try:
        found = list(examined(settings, common.engine(settings)))
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
    print_json(schema())
