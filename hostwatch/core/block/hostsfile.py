"""The text of a hosts file, and the block in it: bytes in, bytes out.

Decides which lines are ours and which are foreign, repairs what somebody did to the markers, and withholds the names
that the foreign lines already bind. Nothing is ever decoded as a whole, so no encoding is wrong; foreign lines leave
as they came. The text may come from a hostile container: all of this takes time linear in its size.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from hostwatch.core.block.edit import Step, Write, steps
from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import Address
from hostwatch.core.names import is_reserved

LIMIT = 1 << 18
"""The largest file that is handled, in bytes: some thousands of lines. Its container may fill it with anything, at any
time, and each look at 1 MiB of that took 0.6 s."""
HOST_LIMIT = 1 << 26
"""The same for a file of the host, which the operator fills: lists of blocked names have some megabytes."""
_HINT_LIMIT = 1 << 14
"""How much of a file, from its start, is searched for the engine's own lines; only extra hosts come before them."""

_PORTION = 1 << 14
"""Bytes that are taken apart in one go: no other thread runs meanwhile."""
_NEWLINE = ord("\n")
_MARKER = b"# hostwatch: "
_BEGIN = _MARKER + b"begin"
_END = _MARKER + b"end"
_WITHHELD = b"# withheld: "
_MORE = _WITHHELD + b"and "
"""No template line begins so: its first field is an address."""
_LINE_LIMIT = 4096
"""The longest line that is written, in bytes without its newline; the engine's own parser fails beyond 64 KiB."""
_ODD_BLANKS = re.compile(rb"[\r\v\f]")
"""What may stand before a name besides a space and a tab."""
_SEARCHED = 1 << 18
"""Bytes that are searched for names, one after the other; for more, the text is taken apart."""
_ADDRESS_LIMIT = len("0000:0000:0000:0000:0000:0000:255.255.255.255")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}", re.ASCII)
"""What may stand as a name in a record: `hostwatch.core.names` checks more; this keeps a line one line, cheaply."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How long a text may become."""

    size: int
    reason: str
    """Why a line is withheld that would make it longer."""
    cost: Callable[[bytes], int] = len
    """What some bytes of it count."""


OF_CONTAINER = Limit(LIMIT, f"too much for a hosts file of {LIMIT >> 10} KiB")
OF_HOST = Limit(HOST_LIMIT, f"too much for a hosts file of {HOST_LIMIT >> 20} MiB")
_NOTHING = Block()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A file's new text, and the block as it really stands in it."""

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
) -> Rewritten:
    """The whole text with `block` as its only block; with an empty one, without a block.

    Names that foreign lines bind to another address, names that are never published, and `reserved` ones (the
    subscriber's own, in lower case) move from the records to the withheld lines. `last` is what the block said before,
    as far as that is known: by that its lines are known where a marker is missing. Without `keeps_comments` both may
    be: Podman drops comments and writes the other lines anew, with tabs. What is beyond the limit is withheld, too, the
    last first; the comments of withheld lines go before any record. Where not even that is enough, it is exceeded.
    """
    parts = _parts(text, (block, last))
    if parts.place is None and not keeps_comments:
        parts = _by_content([*_lines_of(parts.foreign)], last)
    standing = _fitted(_standing(block, parts.foreign, reserved), text, parts.foreign, limit)
    if parts.place is None and not standing:
        return Rewritten(text, standing)  # nothing here is ours, not even a missing last newline
    place = len(parts.foreign) if parts.place is None else parts.place
    lines = [*parts.foreign[:place], *_block_lines(standing), *parts.foreign[place:]]
    return Rewritten(b"".join(line + b"\n" for line in lines), standing)


@dataclass(frozen=True, slots=True)
class Edited:
    """A new text, and the steps that make it of the one before."""

    text: bytes
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Replacement:
    """One block in the place of another, in any file: what many files have in common that change in one moment."""

    old: bytes
    new: bytes
    names: frozenset[str]
    """The new block's, in lower case."""
    words: tuple[bytes, ...]
    """The same as they stand in a line: behind a space or a tab."""
    steps: tuple[Write, ...] | None
    """What is to be written, counted from the block's start; `None` where that depends on what stands behind it."""

    def edited(self, text: bytes, reserved: Collection[str]) -> Edited | None:
        """What `rewritten` makes of a text; `None` where that has to be taken apart, which takes ten times as long.

        So it is where its only block is not the old one, or where a name, or the beginning of one, stands elsewhere.
        """
        head, found, tail = text.partition(self.old)
        if not found or (head and head[-1] != _NEWLINE) or (tail and tail[-1] != _NEWLINE):
            return None
        foreign = (head + tail).lower()
        if _MARKER in foreign or len(foreign) * len(self.words) > _SEARCHED or not self.names.isdisjoint(reserved):
            return None
        if _ODD_BLANKS.search(foreign) is not None:
            return None
        for word in self.words:
            if word in foreign:
                return None
        after = head + self.new + tail
        if self.steps is None:
            return Edited(after, steps(text, after))
        return Edited(after, tuple([Write(len(head) + step.offset, step.data) for step in self.steps]))


@lru_cache(maxsize=128)
def replacement(last: Block, block: Block) -> Replacement | None:
    """A block in the place of one that stands in a file; `None` where one is empty, or the new one may not stand so."""
    if not last or not block or not _is_sound(block):
        return None
    old, new = _text(last), _text(block)
    names = frozenset(name.lower() for record in block.records for name in record.names)
    words = tuple(blank + name.encode() for name in names for blank in (b" ", b"\t"))
    writes = tuple(step for step in steps(old, new) if isinstance(step, Write)) if len(old) == len(new) else None
    return Replacement(old, new, names, words, writes)


def _is_sound(block: Block) -> bool:
    """Whether all of it may stand in a file that has none of its names."""
    return all(_reason(name, r.address, {}, ()) is None for r in block.records for name in r.names)


@lru_cache(maxsize=128)
def _text(block: Block) -> bytes:
    return b"".join(line + b"\n" for line in _block_lines(block))


@lru_cache(maxsize=8)
def _names_of(blocks: tuple[Block, ...]) -> frozenset[str]:
    """The names that these blocks give an address, or withhold; in lower case."""
    names = {name.lower() for block in blocks for record in block.records for name in record.names}
    words = (word for block in blocks for withheld in block.withheld for word in withheld.line.split()[1:])
    return frozenset(names.union(word.lower() for word in words))


def found(text: bytes) -> Block | None:
    """What the block says now, `None` without a block. Where a marker is missing, that may be more than is ours."""
    parts = _parts(text)
    if parts.place is None:
        return None
    records = (_record(line) for line in parts.inside)
    withheld = (_withheld(line) for line in parts.inside)
    return Block(tuple(filter(None, records)), tuple(filter(None, withheld)))


def may_hold_block(text: bytes) -> bool:
    """Whether a marker may be in the text; a look that takes no time."""
    return _MARKER in text


def own_addresses(text: bytes, hostname: str) -> tuple[Address, ...]:
    """The addresses that the engine wrote for the container itself: `ADDRESS<TAB>[FQDN ]HOSTNAME`, outside the block.

    The earliest hint of a new address, and no more than a hint: the container may write such a line too.
    """
    wanted = hostname.lower().encode("utf-8", "replace")
    addresses = (_own_address(line, wanted) for line in _lines_of(_parts(text[:_HINT_LIMIT]).foreign))
    return tuple(dict.fromkeys(address for address in addresses if address is not None))


@dataclass(frozen=True, slots=True)
class _Parts:
    """A text taken apart; lines are without their newlines."""

    foreign: list[bytes]
    """What is not ours: lines, or portions of several with newlines between them."""
    inside: list[bytes]
    """What the block holds, or all blocks together where there are several."""
    place: int | None
    """How many of those stand before the block (before the first marker); `None` without a marker."""


_Known = tuple[Block, ...] | None
"""Blocks with the names that only lines of ours have next to a marker that stands alone; `None`: any name."""


def _parts(text: bytes, known: _Known = None) -> _Parts:
    """Takes a text apart.

    From a begin to the next end all is ours. Where one of the two is missing, ours are only the lines next to the
    marker that are exactly as we write them, and that have only names which are ours to give: left in the file, they
    would shadow the new records for ever. Anybody may align a line as we do; but who lost a marker of ours hardly
    wrote one of our names next to it.
    """
    foreign: list[bytes] = []
    inside: list[bytes] = []
    place: int | None = None
    opened: list[bytes] | None = None  # the lines since a begin that has no end yet
    floor = 0  # foreign lines below this one have a marker after them
    for portion in _portions(text):
        if opened is None and _MARKER not in portion:
            foreign.append(portion)
            continue
        for line in portion.split(b"\n"):  # (`splitlines` would also split at CR)
            marker = _marker(line)
            if marker is None:
                (foreign if opened is None else opened).append(line)
                continue
            if marker == _END:
                inside += _taken_from_end(foreign, floor, known) if opened is None else opened
            elif opened is not None:
                _settle(opened, foreign, inside, known)
            place = len(foreign) if place is None else place
            opened = [] if marker == _BEGIN else None
            floor = len(foreign)
    if opened is not None:
        _settle(opened, foreign, inside, known)
    return _Parts(foreign, inside, place)


def _by_content(lines: list[bytes], last: Block) -> _Parts:
    """Takes a text apart that lost its markers: ours is for each record of before the last line that says the same."""
    places: dict[Record | None, list[int]] = {}
    for place, line in enumerate(lines):
        places.setdefault(_record(line), []).append(place)
    ours = {places[record].pop() for record in last.records if places.get(record)}
    foreign = [line for place, line in enumerate(lines) if place not in ours]
    return _Parts(foreign, [], min(ours, default=None))


def _portions(text: bytes) -> Iterator[bytes]:
    """The text in portions of some lines each, without their last newline; that of the text may be missing.

    Portions, as a text of some megabytes has so many lines that to make and to forget a list of them takes long.
    """
    place = 0
    while place < len(text):
        end = text.rfind(b"\n", place, place + _PORTION) + 1 or text.find(b"\n", place) + 1 or len(text)
        yield text[place:end].removesuffix(b"\n")
        place = end


def _lines_of(portions: Iterable[bytes]) -> Iterator[bytes]:
    for portion in portions:
        yield from portion.split(b"\n")


def _marker(line: bytes) -> bytes | None:
    """Which marker a line is; an editor may have left a CR or blanks behind it."""
    if not line.startswith(_MARKER):
        return None
    bare = line.rstrip(b" \t\r")
    return bare if bare in (_BEGIN, _END) else None


def _settle(opened: list[bytes], foreign: list[bytes], inside: list[bytes], known: _Known) -> None:
    """Sorts the lines behind a begin that has no end: ours as far as they look so, foreign from there on.

    Nobody else writes our comments, and they stand behind the records: so what is before one is ours, too.
    """
    alike = next((index for index, line in enumerate(opened) if not _looks_ours(line, None)), len(opened))
    ours = next((index for index in range(alike, 0, -1) if opened[index - 1].startswith(_WITHHELD)), 0)
    if known is None:
        ours = alike
    while ours < alike and _looks_ours(opened[ours], known):
        ours += 1
    inside += opened[:ours]
    foreign += opened[ours:]


def _taken_from_end(foreign: list[bytes], floor: int, known: _Known) -> list[bytes]:
    """Takes the lines before an end that has no begin out of `foreign`, as far as they look like ours."""
    taken: list[bytes] = []
    while len(foreign) > floor:
        if b"\n" in foreign[-1]:
            foreign[-1:] = foreign[-1].split(b"\n")
        if not _looks_ours(foreign[-1], known):
            break
        taken.append(foreign.pop())
    return taken[::-1]


def _looks_ours(line: bytes, known: _Known) -> bool:
    """Whether a line is just as we write it, but for a CR or blanks behind it, and has no name but these."""
    bare = line.rstrip(b" \r")
    if len(bare) > _LINE_LIMIT:
        return False
    if bare.startswith(_WITHHELD):
        return True
    record = _record(bare)
    if record is None or [*_record_lines(record)] != [bare] or any(map(is_reserved, record.names)):
        return False
    return known is None or _names_of(known).issuperset(name.lower() for name in record.names)


def _fields(line: bytes) -> list[bytes]:
    """The fields of a line as the C library sees them: address, names, nothing of a comment."""
    return line.partition(b"#")[0].split()


def _address(field: bytes) -> Address | None:
    """The address that a field is, `None` where it is none. One with a zone is none for the C library either."""
    if len(field) > _ADDRESS_LIMIT or b"%" in field:
        return None
    try:
        return ipaddress.ip_address(field.decode("ascii"))
    except ValueError:
        return None


def _record(line: bytes) -> Record | None:
    """The record that a line is. Names that we would never write are passed over: they may hold anything."""
    fields = _fields(line)
    address = _address(fields[0]) if len(fields) > 1 else None
    names = tuple(name for name in (field.decode("ascii", "replace") for field in fields[1:]) if _NAME.fullmatch(name))
    return Record(address, names) if address is not None and names else None


def _withheld(line: bytes) -> Withheld | None:
    """The withheld line that a comment tells of, `None` where it is no such comment."""
    if not line.startswith(_WITHHELD) or len(line) > _LINE_LIMIT:
        return None
    text, separator, reason = line.removeprefix(_WITHHELD).partition(b"  (")
    if not separator or line.startswith(_MORE):
        return None
    return Withheld(text.decode("ascii", "replace"), reason.removesuffix(b")").decode("ascii", "replace"))


def _own_address(line: bytes, hostname: bytes) -> Address | None:
    """The address of a line that the engine wrote for `hostname`, if it is such a line."""
    field, _, names = line.partition(b"\t")
    if names.count(b" ") > 1 or not hostname or hostname not in names.lower().split(b" "):
        return None
    address = _address(field)
    if address is None or address.is_loopback or address.is_unspecified or address.is_multicast:
        return None
    return address


def _standing(block: Block, foreign: Iterable[bytes], reserved: Collection[str]) -> Block:
    """The block without the names that must not stand in it, each of them as a withheld line instead."""
    valid = (name for record in block.records for name in record.names if _NAME.fullmatch(name))
    bound = _bound(foreign, frozenset(name.lower().encode() for name in valid))
    records: list[Record] = []
    withheld = list(block.withheld)
    for record in block.records:
        reasons = {name: _reason(name, record.address, bound, reserved) for name in record.names}
        names = tuple(name for name in record.names if reasons[name] is None)
        if names:
            records.append(Record(record.address, names))
        withheld += (
            Withheld(f"{record.address} {name}", f"{name}: {why}") for name, why in reasons.items() if why is not None
        )
    return Block(tuple(records), tuple(withheld))


def _fitted(block: Block, text: bytes, foreign: Iterable[bytes], limit: Limit) -> Block:
    """As much of the block as there is room for beside the foreign lines."""
    cost = limit.cost
    newline = cost(b"\n")
    # The foreign lines are no more than the text.
    if not block or cost(text) + cost(_text(block)) + newline <= limit.size:
        return block
    room = limit.size - sum(cost(line) + newline for line in foreign)
    if cost(_text(block)) <= room:
        return block
    pieces = [piece for record in block.records for piece in _pieces(record)]
    room -= sum(cost(line) + newline for line in (_BEGIN, _unsaid(len(block.withheld) + len(pieces)), _END))
    costs = [sum(cost(line) + newline for line in _record_lines(piece)) for piece in pieces]
    kept = _fitting(costs, room)
    dropped = (Withheld(" ".join((str(r.address), *r.names)), limit.reason) for r in pieces[kept:])
    withheld = (*block.withheld, *dropped)
    said = _fitting((cost(_comment(line)) + newline for line in withheld), room - sum(costs[:kept]))
    return Block(tuple(pieces[:kept]) if kept < len(pieces) else block.records, withheld, len(withheld) - said)


def _fitting(costs: Iterable[int], room: int) -> int:
    """How many of these there is room for, the first ones first."""
    count = 0
    for cost in costs:
        room -= cost
        if room < 0:
            break
        count += 1
    return count


def _pieces(record: Record) -> Iterator[Record]:
    """The record, as one or several of a line each."""
    lines = [*_record_lines(record)]
    if len(lines) == 1:
        yield record
        return
    for line in lines:
        yield Record(record.address, tuple(name.decode("ascii") for name in line.split()[1:]))


_Bound = dict[str, dict[Address, None]]
"""For each name (lower case) the addresses that foreign lines bind it to, in the file's order."""


def _lines_with(wanted: frozenset[bytes], foreign: Iterable[bytes]) -> Iterator[bytes]:
    """The lines that may have one of these names, in lower case: all those of a portion that has one anywhere."""
    for portion in foreign:
        lower = portion.lower()
        if not wanted.isdisjoint(lower.replace(b"#", b" ").split()):
            yield from lower.split(b"\n")


def _bound(foreign: Iterable[bytes], wanted: frozenset[bytes]) -> _Bound:
    """What the foreign lines bind the wanted names to; names are in lower case."""
    bound: _Bound = {}
    addresses: dict[bytes, Address | None] = {}
    for line in _lines_with(wanted, foreign) if wanted else ():
        fields = _fields(line)
        names = wanted.intersection(fields[1:])
        if not names:
            continue
        if fields[0] not in addresses:  # to read an address takes longer than the rest of its line
            addresses[fields[0]] = _address(fields[0])
        address = addresses[fields[0]]
        if address is None:  # the C library passes over such a line too
            continue
        for name in names:
            bound.setdefault(name.decode(), {})[address] = None
    return bound


def _reason(name: str, address: Address, bound: _Bound, reserved: Collection[str]) -> str | None:
    """Why a name must not stand in the block with this address; `None` where it may."""
    lower = name.lower()
    if not _NAME.fullmatch(name):
        return "not a valid name"
    if address.version == 6 and address.scope_id is not None:  # a zone, which the C library does not take
        return "not a valid address"
    if is_reserved(name):
        return "never published"
    if lower in reserved:
        return "the subscriber's own hostname"
    others = bound.get(lower, {})
    if others and address not in others:
        return f"shadowed by {next(iter(others))} in the file"
    return None


def _block_lines(block: Block) -> Iterator[bytes]:
    """The block's lines with its markers; none for an empty block."""
    if not block:
        return
    yield _BEGIN
    for record in block.records:
        yield from _record_lines(record)
    for withheld in block.withheld[: len(block.withheld) - block.unsaid]:
        yield _comment(withheld)
    if block.unsaid:
        yield _unsaid(block.unsaid)
    yield _END


def _record_lines(record: Record) -> Iterator[bytes]:
    """The record's line; several of the same address where one would be too long.

    The column is fixed, so that another address moves no other byte. Never a tab: the engine takes lines that end in
    TAB and a container's name for its own.
    """
    column = 16 if record.address.version == 4 else 40
    start = f"{record.address}".ljust(column - 1)
    line = start
    for name in record.names:
        if len(line) + 1 + len(name) > _LINE_LIMIT:
            yield line.encode("ascii")
            line = start
        line = f"{line} {name}"
    yield line.encode("ascii")


def _unsaid(count: int) -> bytes:
    """The comment of withheld lines for whose own there is no room."""
    return _MORE + b"%d more lines  (no room to say which; see hostwatch status)" % count


def _comment(withheld: Withheld) -> bytes:
    """The comment of a withheld line. Its text comes from labels: only printable ASCII, and not too much of it."""
    text = f"{withheld.line}  ({withheld.reason})"
    printable = "".join(character for character in text[:_LINE_LIMIT] if " " <= character <= "~")
    return (_WITHHELD + printable.encode("ascii"))[:_LINE_LIMIT]
