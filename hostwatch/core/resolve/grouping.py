"""Members by groups, kept right by one small step for each member that changes."""

from collections.abc import Callable, Hashable, Iterable
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from hostwatch.core.store.index import Index
from hostwatch.core.store.results import Kept, Results

Member = TypeVar("Member", bound=Hashable)
Value = TypeVar("Value")
Group = TypeVar("Group", bound=Hashable)


class Pending(Kept[Member, Value]):
    """Kept results that are to be looked at again one by one."""

    def __init__(self, results: Results, make: Callable[[Member], Value]) -> None:
        super().__init__(results, make)
        self.pending: dict[Member, None] = {}
        """The keys of results that were dropped, or that are new to the caller. A dictionary: a set that was large once
        takes long to find its last members."""

    def drop(self, key: Member) -> tuple[Hashable, ...]:
        """Drop a result; returns the facts that it was made from."""
        self.pending[key] = None
        return super().drop(key)


class Grouping(Generic[Member, Value, Group]):
    """Members, the value of each, and the groups that follow from a value."""

    def __init__(
        self, results: Results, make: Callable[[Member], Value], groups: Callable[[Value], Iterable[Group]]
    ) -> None:
        self.value = Pending(results, make)
        self._groups = groups
        self._known: dict[Member, frozenset[Group]] = {}
        self._members: Index[Member] = Index(results)

    @property
    def pending(self) -> dict[Member, None]:
        """The members that are to be taken in."""
        return self.value.pending

    def members(self, group: Group) -> AbstractSet[Member]:
        """The members of a group."""
        return self._members.keys((group,))

    def take_in(self, member: Member, is_there: bool) -> AbstractSet[Group]:
        """Take in that a member may have come, changed, or gone; returns its groups before and now."""
        before = self._known.pop(member, frozenset[Group]())
        after = frozenset(self._groups(self.value(member))) if is_there else frozenset[Group]()
        if after:
            self._known[member] = after
        for group in before - after:
            self._members.discard((group,), member)
        for group in after - before:
            self._members.add((group,), member)
        return before | after
