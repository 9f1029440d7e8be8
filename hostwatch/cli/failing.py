"""Runs what waits for the engine, and ends the program with the message of an error that a user can mend."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import anyio

from hostwatch.cli.printing import FAILED, USAGE, fail
from hostwatch.control.keeper import KeptError
from hostwatch.control.source import EngineError, GoneError, first_leaf
from hostwatch.control.subscribers import NoNameError, NoSubscriberError
from hostwatch.docker.connect import AddressError

T = TypeVar("T")

_FORESEEN = (EngineError, GoneError, NoNameError, NoSubscriberError, KeptError)
"""Errors with a message that tells the user the remedy."""


def run(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The function's result. A foreseen error of one of its tasks is raised as it is, not in a group."""
    try:
        return anyio.run(function, backend_options={"use_uvloop": True})
    except BaseExceptionGroup as group:
        known, other = group.split(_FORESEEN)
        if known is None or other is not None:
            raise
        raise first_leaf(known) from None


@contextmanager
def explained() -> Iterator[None]:
    """A foreseen error ends the program with its message: with status 2 if the address of the engine is wrong."""
    try:
        yield
    except AddressError as error:
        fail(str(error), USAGE)
    except EngineError as error:
        fail(_with_remedy(str(error)), FAILED)
    except _FORESEEN as error:
        fail(str(error), FAILED)


def _with_remedy(fault: str) -> str:
    """The message, with a remedy if it names none behind a semicolon: not every failure shows its own cause."""
    return fault if "; " in fault else f"{fault}; `hostwatch doctor` looks closer"
