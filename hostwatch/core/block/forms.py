"""The two kinds of files that are kept: what their lines are, and where the block stands."""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Protocol

from hostwatch.core.block import resolv
from hostwatch.core.block.collisions import without_collisions
from hostwatch.core.block.lines import record_of
from hostwatch.core.block.parts import Grammar, Known
from hostwatch.core.block.records import Block, Record
from hostwatch.core.model import FileKind
from hostwatch.core.names import is_reserved


class Form(Grammar, Protocol):
    """A kind of file."""

    @property
    def is_replaceable(self) -> bool:
        """Whether `hostsfile.replacement` knows this kind."""

    def place(self, foreign: Sequence[bytes]) -> int:
        """How many foreign lines a new block comes after."""

    def standing(
        self, block: Block, before: Iterable[bytes], after: Iterable[bytes], reserved: Collection[str]
    ) -> Block:
        """The block as it may stand between foreign lines: what cannot is withheld."""


class _Hosts:
    """A hosts file: the block stands at the end, and foreign lines win."""

    is_replaceable = True

    def record_of(self, line: bytes) -> Record | None:
        return record_of(line)

    def owns(self, record: Record, known: Known) -> bool:
        """Left in the file, such a line would shadow the new records for ever, so its names are enough."""
        if any(map(is_reserved, record.names)):
            return False
        return known is None or _names_of(known).issuperset(name.lower() for name in record.names)

    def place(self, foreign: Sequence[bytes]) -> int:
        return len(foreign)

    def standing(
        self, block: Block, before: Iterable[bytes], after: Iterable[bytes], reserved: Collection[str]
    ) -> Block:
        return without_collisions(block, [*before, *after], reserved)


class _Resolv:
    """A resolv.conf: the block stands at the head, as the first nameservers count."""

    is_replaceable = False

    def record_of(self, line: bytes) -> Record | None:
        return resolv.directive_of(line)

    def owns(self, record: Record, known: Known) -> bool:
        """Only the very same line is ours: the engine writes its own in the same form. Its resolver is never ours."""
        if known is None or resolv.is_of_engine(record):
            return False
        return any(record in block.records for block in known)

    def place(self, foreign: Sequence[bytes]) -> int:  # noqa: ARG002 (before all of them)
        return 0

    def standing(
        self,
        block: Block,
        before: Iterable[bytes],  # noqa: ARG002 (only later lines override ours)
        after: Iterable[bytes],
        reserved: Collection[str],  # noqa: ARG002 (no name is given)
    ) -> Block:
        return resolv.without_overridden(block, after)


OF_HOSTS: Form = _Hosts()
OF_RESOLV: Form = _Resolv()


def form_of(kind: FileKind) -> Form:
    """The form of a kind of file."""
    return OF_HOSTS if kind is FileKind.HOSTS else OF_RESOLV


@lru_cache(maxsize=8)
def _names_of(blocks: tuple[Block, ...]) -> frozenset[str]:
    """The names in the records and withheld lines of these blocks, in lower case."""
    names = {name.lower() for block in blocks for record in block.records for name in record.names}
    words = (word for block in blocks for withheld in block.withheld for word in withheld.line.split()[1:])
    return frozenset(names.union(word.lower() for word in words))
