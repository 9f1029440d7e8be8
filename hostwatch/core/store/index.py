"""An index of container keys, like the indexer of a client-go store: finds the containers with an indexed value.

`hostwatch.core.store.indexers` makes the entries of a container.
"""

from collections.abc import Hashable
from collections.abc import Set as AbstractSet

from hostwatch.core.model import ContainerKey

Entry = tuple[Hashable, ...]
"""The name of an index, then the indexed value: `("network", engine, "front")`."""


class Index:
    """The keys under each entry. An entry without keys takes no room."""

    def __init__(self) -> None:
        self._keys: dict[Entry, set[ContainerKey]] = {}

    def __contains__(self, entry: Entry) -> bool:
        return entry in self._keys

    def keys(self, entry: Entry) -> AbstractSet[ContainerKey]:
        """The keys under an entry."""
        return self._keys.get(entry, frozenset())

    def add(self, entry: Entry, key: ContainerKey) -> None:
        """Put a key under an entry."""
        self._keys.setdefault(entry, set()).add(key)

    def discard(self, entry: Entry, key: ContainerKey) -> None:
        """Take a key away from an entry, if it is there."""
        keys = self._keys.get(entry)
        if keys is None:
            return
        keys.discard(key)
        if not keys:
            del self._keys[entry]
