"""Results of look-ups that outlive changes of the store: each is kept until a fact changes that it was made from.

A file with every name asks for thousands of look-ups, and one change concerns some of them. While a result is made, the
facts that are read are recorded: index entries, and containers by their keys. A change of a fact drops the results that
were made from it.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Result = TypeVar("Result")

_MOST = 100_000
"""The number of results with which all begins anew. Those of a subscriber that is gone are not dropped one by one."""
_NO_FACTS: frozenset[Hashable] = frozenset()


class Results:
    """Kept results by their keys."""

    def __init__(self) -> None:
        self._found: dict[Hashable, Any] = {}
        self._facts: dict[Hashable, frozenset[Hashable]] = {}
        """The facts that each result was made from."""
        self._made_from: dict[Hashable, set[Hashable]] = {}
        """The results that were made from each fact."""
        self._read: set[Hashable] | None = None
        """The facts read so far for the result that is being made; `None` while none is."""

    @property
    def is_recording(self) -> bool:
        """Whether a result is being made, so that no other cache may answer: it would hide the facts."""
        return self._read is not None

    def read(self, fact: Hashable) -> None:
        """Record that a fact is read."""
        if self._read is not None:
            self._read.add(fact)

    def get(self, key: Hashable, make: Callable[[], Result]) -> Result:
        """The result for a key, made unless it is kept. `make` may depend on the key and on recorded facts alone."""
        if self._read is not None:
            return make()
        if key in self._found:
            found: Result = self._found[key]
            return found
        self._read = set()
        try:
            found = make()
            facts = frozenset(self._read)
        finally:
            self._read = None
        if len(self._found) >= _MOST:
            self.clear()
        self._found[key], self._facts[key] = found, facts
        for fact in facts:
            self._made_from.setdefault(fact, set()).add(key)
        return found

    def changed(self, fact: Hashable) -> None:
        """Drop the results that were made from a fact."""
        for key in self._made_from.pop(fact, ()):
            del self._found[key]
            for other in self._facts.pop(key, _NO_FACTS) - {fact}:
                keys = self._made_from[other]
                keys.discard(key)
                if not keys:
                    del self._made_from[other]

    def clear(self) -> None:
        """Drop all results."""
        self._found.clear()
        self._facts.clear()
        self._made_from.clear()
