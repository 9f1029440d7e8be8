"""An index of keys, like the indexer of a client-go store: finds the containers with an indexed value.

`hostwatch.core.store.indexers` makes the entries of a container.
"""

from collections.abc import Hashable
from collections.abc import Set as AbstractSet
from typing import Any, Generic, TypeVar

from hostwatch.core.store.results import Results

Entry = tuple[Hashable, ...]
"""The name of an index, then the indexed value: `("network", engine, "front")`."""


Key = TypeVar("Key", bound=Hashable)


_NOTHING: frozenset[Any] = frozenset()


class Index(Generic[Key]):
    """The keys under each entry. An entry without keys takes no room."""

    def __init__(self, results: Results) -> None:
        """`results` hears of each entry that is read or changed, by its last part."""
        self._results = results
        self._keys: dict[Entry, set[Key]] = {}

    def __contains__(self, entry: Entry) -> bool:
        if reading := self._results.reading:
            reading[-1].add(entry[-1])
        return entry in self._keys

    def keys(self, entry: Entry) -> AbstractSet[Key]:
        """The keys under an entry."""
        if reading := self._results.reading:
            reading[-1].add(entry[-1])
        return self._keys.get(entry, _NOTHING)

    def add(self, entry: Entry, key: Key) -> None:
        """Put a key under an entry."""
        self._results.changed(entry[-1])
        self._keys.setdefault(entry, set()).add(key)

    def discard(self, entry: Entry, key: Key) -> None:
        """Take a key away from an entry, if it is there."""
        self._results.changed(entry[-1])
        keys = self._keys.get(entry)
        if keys is None:
            return
        keys.discard(key)
        if not keys:
            del self._keys[entry]

    @property
    def contents(self) -> dict[Entry, set[Key]]:
        """All keys, by their entries."""
        return self._keys

    def become(self, other: "Index[Key]") -> None:
        """Have the contents of another index from now on. No reader hears of it."""
        self._keys = other.contents
