"""New rules, made ready beside those that count: one container at a time, as there may be thousands.

Meanwhile containers come, change and go. So no reader ever sees a part of them under the new rules.
"""

from collections.abc import Mapping

from hostwatch.core.model import Container, ContainerKey
from hostwatch.core.rules import Rules
from hostwatch.core.store.index import Entry, Index
from hostwatch.core.store.indexers import index_entries
from hostwatch.core.store.results import Results
from hostwatch.core.store.selection import Roles, roles

_AT_ONCE = 50
"""Entries that are let go of in one step."""


class Adoption:
    """The roles and the index of all containers under new rules."""

    def __init__(self, rules: Rules, containers: Mapping[ContainerKey, Container]) -> None:
        self.rules = rules
        self.roles: dict[ContainerKey, Roles] = {}
        self.index: Index[ContainerKey] = Index(Results())
        self._containers = containers
        self._left: dict[ContainerKey, None] = dict.fromkeys(containers)
        """The containers that are to be taken in."""
        self._taken: dict[ContainerKey, Container] = {}
        self._retired: dict[Entry, set[ContainerKey]] = {}
        """The contents of the index that is not used any more."""

    def note(self, key: ContainerKey) -> None:
        """A container has come, changed, or gone."""
        self._left[key] = None

    def retire(self, contents: dict[Entry, set[ContainerKey]]) -> None:
        """Let go of the contents of an index some at a time: at once, a hundred thousand entries take 20 ms."""
        self._retired = contents

    def advance(self) -> bool:
        """Take in one container, or let go of some entries; returns whether any is left."""
        if self._left:
            self._take_in(self._left.popitem()[0])
        else:
            for _ in range(min(_AT_ONCE, len(self._retired))):
                self._retired.popitem()
        return bool(self._left or self._retired)

    def _take_in(self, key: ContainerKey) -> None:
        container, before = self._containers.get(key), self._taken.pop(key, None)
        if before is not None:
            for entry in index_entries(before, self.roles.pop(key)):
                self.index.discard(entry, key)
        if container is not None:
            self._taken[key], self.roles[key] = container, roles(container, self.rules)
            for entry in index_entries(container, self.roles[key]):
                self.index.add(entry, key)
