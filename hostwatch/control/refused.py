"""Says once what a source on other hosts tells that is not believed. There may be thousands of it."""

from collections.abc import Mapping
from itertools import islice

from loguru import logger

_MOST_TOLD = 20
"""Refusals that one answer adds to the log. A wrong `key` or `path` may have thousands, and so may a hostile node."""


class Refused:
    """What was refused of the last answer of a source. Each is told once, until it changes."""

    def __init__(self, source: str, form: str) -> None:
        """`form` is the sentence for what is refused and the reason, with `{}` for each."""
        self._source = source
        self._form = form
        self._known: Mapping[str, str] = {}

    def tell(self, refused: Mapping[str, str]) -> None:
        """Log what is new."""
        fresh = {what: reason for what, reason in refused.items() if self._known.get(what) != reason}
        for what, reason in islice(fresh.items(), _MOST_TOLD):
            logger.warning("{}: {}", self._source, self._form.format(what, reason))
        if len(fresh) > _MOST_TOLD:
            logger.warning("{}: {} more entries are refused", self._source, len(fresh) - _MOST_TOLD)
        self._known = refused
