"""Runs a command's coroutine, and ends the program with a message if it fails."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio

from hostwatch import app
from hostwatch.cli.printing import FAILED, USAGE, fail
from hostwatch.control.source import EngineError, GoneError, first_leaf
from hostwatch.docker.connect import AddressError

T = TypeVar("T")

_FORESEEN = (EngineError, GoneError, app.KeptError)
"""Errors with a message that tells the user the remedy."""


def run_async(function: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
    try:
        return anyio.run(function, *arguments, backend_options={"use_uvloop": True})
    except AddressError as error:
        fail(str(error), USAGE)
    except _FORESEEN as error:
        fail(str(error), FAILED)
    except BaseExceptionGroup as group:
        known, other = group.split(_FORESEEN)
        if known is None or other is not None:
            raise
        fail(str(first_leaf(known)), FAILED)
