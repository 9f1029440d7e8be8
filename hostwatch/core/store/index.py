"""An index of container keys, like the indexer of a client-go store: finds the containers with an indexed value.

`hostwatch.core.store.indexers` makes the entries of a container.
"""

from collections.abc import Hashable
from collections.abc import Set as AbstractSet

from hostwatch.core.model import ContainerKey
from hostwatch.core.store.results import Results

Entry = tuple[Hashable, ...]
"""The name of an index, then the indexed value: `("network", engine, "front")`."""


class Index:
    """The keys under each entry. An entry without keys takes no room."""

    def __init__(self, results: Results) -> None:
        """`results` hears of each entry that is read or changed."""
        self._results = results
        self._keys: dict[Entry, set[ContainerKey]] = {}

    def __contains__(self, entry: Entry) -> bool:
        self._results.read(entry)
        return entry in self._keys

    def keys(self, entry: Entry) -> AbstractSet[ContainerKey]:
        """The keys under an entry."""
        self._results.read(entry)
        return self._keys.get(entry, frozenset())

    def add(self, entry: Entry, key: ContainerKey) -> None:
        """Put a key under an entry."""
        self._results.changed(entry)
        self._keys.setdefault(entry, set()).add(key)

    def discard(self, entry: Entry, key: ContainerKey) -> None:
        """Take a key away from an entry, if it is there."""
        self._results.changed(entry)
        keys = self._keys.get(entry)
        if keys is None:
            return
        keys.discard(key)
        if not keys:
            del self._keys[entry]
