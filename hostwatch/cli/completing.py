"""Completes the names of subscribers and services while the user types. Whatever fails, nothing is said.

A name comes here only if no shell gives a meaning to any of its characters: containers choose some of these names.
"""

import io
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from hostwatch.cli.known import Known

_PATIENCE_SECONDS = 4.0
"""The names come within 0.1 s on a quiet machine. On one where everything takes twenty times as long, they still come.
It is longer than an engine that hangs is waited for, so that its daemon still tells the names. A user who waits longer
thinks that the shell hangs."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
"""What Docker takes for a container's name, which is more than a host's name may have."""
_BREAKS = (":", "=")


def join_words() -> None:
    """Put together the words that bash has split at `:` and `=`, as in URLs, before the one that is completed."""
    if "_HOSTWATCH_COMPLETE" not in os.environ or "COMP_WORDS" not in os.environ:
        return
    words, at = os.environ["COMP_WORDS"].split("\n"), int(os.environ["COMP_CWORD"])
    joined: list[str] = []
    for before, word in pairwise(["", *words[:at]]):
        if joined and (word in _BREAKS or before in _BREAKS):
            joined[-1] += word
        else:
            joined.append(word)
    if len(joined) < at < len(words):
        os.environ.update(COMP_WORDS="\n".join([*joined, *words[at:]]), COMP_CWORD=str(len(joined)))


def subscriber_names(context: typer.Context, incomplete: str) -> list[str]:
    """The names of subscribers that begin so."""
    return _beginning(incomplete, context, lambda known: known.subscribers, context.params.get("subscribers"))


def record_names(context: typer.Context, incomplete: str) -> list[str]:
    """The names of services that begin so."""
    return _beginning(incomplete, context, lambda known: known.names, context.params.get("names"))


def _beginning(
    incomplete: str,
    context: typer.Context,
    names: "Callable[[Known], Iterable[str]]",
    already: Iterable[str] | None,
) -> list[str]:
    """These names that begin so and are not given already, if they are found in time."""
    found: list[str] = []
    sys.stderr = io.StringIO()  # until the process ends
    from hostwatch.cli.known import known  # loading takes as long as it takes; only asking may hang

    def find() -> None:
        with suppress(Exception, SystemExit):  # the user is in the middle of a line
            found.extend(
                {name for name in names(known(context)) if name.startswith(incomplete) and _PLAIN.fullmatch(name)}
            )

    finding = threading.Thread(target=find, daemon=True)
    finding.start()
    finding.join(_PATIENCE_SECONDS)
    return sorted({*found}.difference(already or ()))
