"""Results that outlive changes of the store: each is kept until a fact changes that it was made from.

While a result is made, the facts that are read are recorded; a change of a fact drops the results that were made from
it. A result that is made from other kept results is made from their facts.

A fact is named by the key of a container or network, or by the last part of an index entry, such as a name. Facts of
the same name are told apart by nothing: one result too many that is dropped costs a little work.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

First = TypeVar("First")
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Lasting = TypeVar("Lasting", bound="Closable")

RULES = "rules"
"""The name of the fact that every result depends on, but lasting ones."""
_AT_ONCE = 100
"""If one change drops more results than that, they are dropped one by one, at need or in steps: thousands may depend on
one network, and each takes some microseconds."""
_UNUSED = 20
"""A lasting result is dropped after this many uses of others, and two more for each of them: one change may have each
that has a subscriber used once or twice."""


class Closable(Protocol):
    """A result that keeps results of its own."""

    def close(self) -> None:
        """Drop them."""


class Results:
    """The kept results of a store, by the functions that made them and by the facts that they were made from."""

    def __init__(self) -> None:
        self._made_from: dict[Hashable, set[_Cell]] = {}
        self.overdue: list[tuple[Hashable, set[_Cell]]] = []
        """Facts that have changed, with those results of each that are still to be dropped."""
        self.reading: list[set[Hashable]] = []
        """The facts read so far for each result that is being made, the innermost last; to add to."""
        self._of_functions: dict[Hashable, Kept[Any, Any]] = {}
        self._lasting: dict[_Cell, int] = {}
        """The uses of all lasting results until the last use of each, the least recent first."""
        self._count = 0
        self._most = 0
        """The number of results that is allowed in any case."""

    def read(self, fact: Hashable) -> None:
        """Record that a fact is read."""
        if self.reading:
            self.reading[-1].add(fact)

    def read_all(self, facts: Iterable[Hashable]) -> None:
        """Record that these facts are read."""
        if self.reading:
            self.reading[-1].update(facts)

    def changed(self, fact: Hashable) -> None:
        """Drop the results that were made from a fact."""
        cells = self._made_from.pop(fact, None)
        if cells is None:
            return
        if len(cells) > _AT_ONCE:
            self.overdue.append((fact, cells))
            return
        for cell in cells:
            self._drop(cell, fact)

    def settle(self, most: int) -> bool:
        """Drop so many of the results that are still to be dropped; returns whether none is left."""
        while self.overdue:
            fact, cells = self.overdue[-1]
            if not cells:
                self.overdue.pop()
            elif most <= 0:
                return False
            else:
                self._drop(cells.pop(), fact)
                most -= 1
        return True

    def drop_overdue(self, kept: "Kept[Any, Any]", key: Hashable) -> bool:
        """Drop a result if it is still to be dropped; returns whether it was."""
        cell = kept, key
        for fact, cells in self.overdue:
            if cell in cells:
                self._drop(cell, fact)
                return True
        return False

    def _drop(self, cell: "_Cell", changed: Hashable = None) -> None:
        self._count -= 1
        for _, cells in self.overdue:
            cells.discard(cell)
        kept, key = cell
        for fact in kept.drop(key):
            if fact != changed and (others := self._made_from.get(fact)) is not None:
                others.discard(cell)
                if not others:
                    del self._made_from[fact]

    def forget(self, kept: "Kept[Any, Any]", most: int | None = None) -> bool:
        """Drop all results of a function, or so many; returns whether one is left."""
        for key in [*islice(kept, most)]:
            self._drop((kept, key))
        return any(True for _ in kept)

    def lasting(self, kept: "Kept[Key, Lasting]", key: Key) -> Lasting:
        """A result that keeps results of its own. It depends on no fact, so it is dropped when it is no longer used."""
        kept.is_lasting = True
        found = kept(key)
        uses = next(reversed(self._lasting.values()), 0) + 1
        self._lasting.pop((kept, key), None)
        self._lasting[kept, key] = uses
        oldest, last = next(iter(self._lasting.items()))
        if uses - last > _UNUSED + 2 * len(self._lasting):
            self._close(oldest)
        return found

    def end(self, lasting: Closable) -> None:
        """Drop a lasting result that nobody is to use again."""
        for cell in [(kept, key) for kept, key in self._lasting if kept(key) is lasting]:
            self._close(cell)

    def _close(self, cell: "_Cell") -> None:
        del self._lasting[cell]
        cell[0](cell[1]).close()
        self._drop(cell)

    def of(self, function: Callable[[First, Key], Value], first: First, most: int) -> "Kept[Key, Value]":
        """The kept results of a function, which is called with this first argument.

        All begins anew if there are more than `most` results: those of a context without a subscriber
        are not dropped, unless they are lasting. Next time it takes twice as many, as all of them may be in use.
        """
        if self._count > max(most, self._most) and not self.reading:
            self._most = 2 * self._count
            self.clear()
        found = self._of_functions.get(function)
        if found is None:
            found = self._of_functions[function] = Kept(self, partial(function, first))
        return found

    def clear(self) -> None:
        """Drop all results, and forget their functions."""
        self._lasting.clear()
        self.overdue.clear()
        self._made_from.clear()
        self._of_functions.clear()
        self._count = 0

    def made(self, kept: "Kept[Key, Value]", key: Key) -> tuple[Value, tuple[Hashable, ...]]:
        """A new result, with the facts that it was made from."""
        facts: set[Hashable] = {RULES}
        self.reading.append(facts)
        try:
            value = kept.make(key)
        finally:
            self.reading.pop()
        self._count += 1
        if kept.is_lasting:
            facts.discard(RULES)
        cell = kept, key
        for fact in facts:
            self._made_from.setdefault(fact, set()).add(cell)
        return value, tuple(facts)


class Kept(Generic[Key, Value]):
    """The results of one function, which may depend on its argument, the rules, and recorded facts alone."""

    def __init__(self, results: Results, make: Callable[[Key], Value]) -> None:
        self.make = make
        self.is_lasting = False
        self._results = results
        self._found: dict[Key, tuple[Value, tuple[Hashable, ...]]] = {}

    def __call__(self, key: Key) -> Value:
        """The result for a key, made unless it is kept."""
        results, found = self._results, self._found.get(key)
        if found is None or (results.overdue and results.drop_overdue(self, key)):
            found = self._found[key] = results.made(self, key)
        results.read_all(found[1])
        return found[0]

    def __iter__(self) -> Iterator[Key]:
        """The keys of the results."""
        return iter(self._found)

    def drop(self, key: Key) -> tuple[Hashable, ...]:
        """Drop a result; returns the facts that it was made from."""
        return self._found.pop(key)[1]


_Cell = tuple[Kept[Any, Any], Any]
"""A result: the function that made it, and the key."""
