"""The hosts files that a change may affect: reported at once, or once everything has been read."""

from collections.abc import Iterable

from loguru import logger

from hostwatch.control.informer.reader import Affected
from hostwatch.core.model import ContainerKey
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store

_MOST_NAMED = 20
"""The most hosts files that a line at DEBUG names: an event may affect all."""

at_debug = logger.opt(lazy=True).debug
"""Logs the results of its arguments, which are called at DEBUG only."""


class Changes:
    """Reports affected files."""

    def __init__(self, store: Store, affected: Affected) -> None:
        self._store = store
        self._affected = affected
        self._held: set[ContainerKey] = set()
        """Affected files that are reported once everything has been read."""
        self._is_complete = False

    def report(self, files: FileKeys, cause: str) -> None:
        """Have these files compared at once."""
        if files:
            at_debug("{} may concern {}", lambda: cause, lambda: self._named(files))
        self._affected(files, cause)

    def read(self, files: FileKeys, cause: str) -> None:
        """Have these files compared, because an answer of the engine affects them.

        They are held back until everything has been read: before that a name may seem to have no owner, or a wrong one.
        """
        if self._is_complete:
            self.report(files, cause)
        else:
            self._held.update(files)

    def complete(self, cause: str) -> None:
        """Everything has been read: report the files that were held back."""
        self._is_complete = True
        held, self._held = frozenset(self._held), set()
        self.report(held, cause)

    def incomplete(self) -> None:
        """Hold files back from now on: the engine is away, and everything is to be read again."""
        self._is_complete = False

    def _named(self, keys: Iterable[ContainerKey]) -> str:
        known = [(key, self._store.container(key)) for key in keys]
        names = sorted(container.name if container is not None else str(key) for key, container in known)
        more = len(names) - _MOST_NAMED
        return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
