"""Finds and rewrites the block in the text of a hosts file or a resolv.conf: bytes in, bytes out.

There are two ways to rewrite a block, with the same result:

- `rewritten` handles any text. It takes the text apart, repairs the markers and withholds colliding names.
- `replacement` handles a text whose only block is known, and whose foreign lines have none of the new names. It is made
  once for all files that change alike, and knows the steps of the edit. Each file takes some 8 µs, where `rewritten`
  with the steps of its edit takes 45 µs or more, so the event loop itself can do it. For any other text `edited` is
  `None`, and `rewritten` is needed.

`rewritten` does that by itself where it can. For any other text it may take long, as that may be a hostile container's:
so its caller runs it in a thread, unless the text is short and was just left or written by the engine. `replacement` is
what tells the caller that no thread is needed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from hostwatch.core.block.collisions import are_publishable
from hostwatch.core.block.edit import Step, Write, steps
from hostwatch.core.block.forms import OF_HOSTS, Form
from hostwatch.core.block.limits import LIMIT, OF_CONTAINER, OF_HOST, Limit, fitted
from hostwatch.core.block.lines import address_of, withheld_of
from hostwatch.core.block.parts import lines_of, taken_apart, taken_apart_by_content
from hostwatch.core.block.records import MARKER, Block, without_common
from hostwatch.core.model import Address

__all__ = (
    "LIMIT",
    "OF_CONTAINER",
    "OF_HOST",
    "Edited",
    "Limit",
    "Replacement",
    "Rewritten",
    "found",
    "may_hold_block",
    "own_addresses",
    "replacement",
    "rewritten",
)

_EARLY_LIMIT = 1 << 14
"""Bytes from the start of a file that are searched for the engine's own lines. Only extra hosts come before them."""
_NEWLINE = ord("\n")
_NOTHING = Block()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A file's new text, and the block that stands in it, which may hold less than was asked for."""

    text: bytes
    block: Block


def rewritten(  # noqa: PLR0913 (what may be known of the file, most of it by name)
    text: bytes,
    block: Block,
    reserved: Collection[str] = (),
    last: Block = _NOTHING,
    *,
    keeps_comments: bool = True,
    limit: Limit = OF_CONTAINER,
    form: Form = OF_HOSTS,
) -> Rewritten:
    """The whole text with `block` as its only block; without a block, if that is empty.

    Names that foreign lines bind to another address, names that are never published, and `reserved` ones (the
    subscriber's own, in lower case) move from the records to the withheld lines.
    `last` is the earlier block, if it is known. It identifies own lines if a marker is missing. Without
    `keeps_comments` both markers may be: Podman drops comments and writes the other lines anew, with tabs.
    Records beyond the limit are withheld, the last first. The comments of withheld lines go before any record. If even
    that is not enough, the limit is exceeded.
    """
    change = replacement(last, block) if form.is_replaceable else None
    replaced = change.text(text, reserved) if change is not None else None
    if replaced is not None and limit.cost(replaced) <= limit.size:
        return Rewritten(replaced, block)
    parts = taken_apart(text, form, (block, last))
    place = parts.place
    if place is None and not keeps_comments:
        parts = taken_apart_by_content([*lines_of(parts.foreign)], form, last)
        # Podman puts a nameserver above ours: a block that belongs at the head goes back there.
        place = min(parts.place, form.place(parts.foreign)) if parts.place is not None else None
    if place is None:
        place = form.place(parts.foreign)
    sides = parts.foreign[:place], parts.foreign[place:]
    standing = fitted(form.standing(block, *sides, reserved), text, parts.foreign, limit)
    if parts.place is None and not standing:
        return Rewritten(text, standing)  # a foreign file is left as it is, even if its last newline is missing
    return Rewritten(standing.text.join([b"".join([line + b"\n" for line in lines]) for lines in sides]), standing)


@dataclass(frozen=True, slots=True)
class Edited:
    """A new text, and the steps that turn the earlier text into it."""

    text: bytes
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Replacement:
    """One block in the place of another, in any file. Many files that change at once have it in common."""

    old: bytes
    new: bytes
    names: tuple[frozenset[bytes], ...]
    """The new block's names, in lower case, for each of its portions."""
    steps: tuple[Write, ...] | None
    """The writes, with offsets from the block's start; `None` if they depend on the text behind the block."""

    def edited(self, text: bytes, reserved: Collection[str]) -> Edited | None:
        """The text with the new block; `None` if only `rewritten` can tell what is right."""
        sides = self._sides(text, reserved)
        if sides is None:
            return None
        after = self.new.join(sides)
        if self.steps is None:
            return Edited(after, steps(text, after))
        return Edited(after, tuple([Write(len(sides[0]) + step.offset, step.data) for step in self.steps]))

    def text(self, text: bytes, reserved: Collection[str]) -> bytes | None:
        """The same, without the steps."""
        sides = self._sides(text, reserved)
        return self.new.join(sides) if sides is not None else None

    def _sides(self, text: bytes, reserved: Collection[str]) -> tuple[bytes, bytes] | None:
        """The foreign text before and behind the block.

        `None` if the old block is not the only one, or if a name is reserved or stands in the foreign text.
        """
        head, found, tail = text.partition(self.old)
        if not found or (head and head[-1] != _NEWLINE) or (tail and tail[-1] != _NEWLINE):
            return None
        foreign = (head + tail).lower()
        if MARKER in foreign:
            return None
        words = {*foreign.replace(b"#", b" ").split(), *(name.encode("utf-8", "replace") for name in reserved)}
        return (head, tail) if all(map(words.isdisjoint, self.names)) else None


def replacement(last: Block, block: Block) -> Replacement | None:
    """The replacement of one block by another; `None` if either is empty, or if the new one has names to withhold."""
    # A long block is hardly that of several files, and takes long to be looked up.
    return _replacement(last, block) if len(block.portions) > 1 else _kept_replacement(last, block)


def _replacement(last: Block, block: Block) -> Replacement | None:
    if not last or not block or not are_publishable(without_common(last, block)[1]):
        return None
    old, new = last.text, block.text
    names = tuple([portion.names for portion in block.parts])
    writes = tuple(step for step in steps(old, new) if isinstance(step, Write)) if len(old) == len(new) else None
    return Replacement(old, new, names, writes)


_kept_replacement = lru_cache(maxsize=128)(_replacement)


def found(text: bytes, form: Form = OF_HOSTS) -> Block | None:
    """The block in a text; `None` without one. If a marker is missing, it may include foreign lines."""
    parts = taken_apart(text, form)
    if parts.place is None:
        return None
    records = (form.record_of(line) for line in parts.inside)
    withheld = (withheld_of(line) for line in parts.inside)
    return Block(tuple(filter(None, records)), tuple(filter(None, withheld)))


def may_hold_block(text: bytes) -> bool:
    """Whether a marker may be in the text. This is a quick check."""
    return MARKER in text


def own_addresses(text: bytes, hostname: str) -> tuple[Address, ...]:
    """The addresses in the engine's lines for the container itself: `ADDRESS<TAB>[FQDN ]HOSTNAME`, outside the block.

    They are the earliest sign of a new address. They prove nothing, as the container may write such a line too.
    """
    own = hostname.lower().encode("utf-8", "replace")
    addresses = (_own_address(line, own) for line in lines_of(taken_apart(text[:_EARLY_LIMIT], OF_HOSTS).foreign))
    return tuple(dict.fromkeys(address for address in addresses if address is not None))


def _own_address(line: bytes, hostname: bytes) -> Address | None:
    """The address of a line that the engine writes for `hostname`; `None` if it is another line."""
    field, _, names = line.partition(b"\t")
    if names.count(b" ") > 1 or not hostname or hostname not in names.lower().split(b" "):
        return None
    address = address_of(field)
    if address is None or address.is_loopback or address.is_unspecified or address.is_multicast:
        return None
    return address
