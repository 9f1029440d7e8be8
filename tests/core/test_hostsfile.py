"""Properties of a hosts file's text when the block in it is written, repaired and removed."""

import ipaddress
import time
from functools import reduce

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hostwatch.core.block import hostsfile, parts
from hostwatch.core.block.differences import name_changes
from hostwatch.core.block.edit import applied, steps
from hostwatch.core.block.hostsfile import (
    LIMIT,
    OF_HOST,
    Edited,
    Limit,
    Rewritten,
    found,
    own_addresses,
    replacement,
    rewritten,
)
from hostwatch.core.block.records import Block, Record, Withheld, portion_of
from tests.effort import examples

ENGINE = b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n172.18.0.7\t3f2a9c\n"
BEGIN, END = b"# hostwatch: begin", b"# hostwatch: end"


def record(address: str, *names: str) -> Record:
    return Record(ipaddress.ip_address(address), names)


def block(*records: Record) -> Block:
    return Block(records)


DB = block(record("172.18.0.5", "db", "mysql.internal"))
DB_LINES = b"# hostwatch: begin\n172.18.0.5      db mysql.internal\n# hostwatch: end\n"


def test_the_block_stands_at_the_end_when_first_written() -> None:
    """The contract's own example, behind the engine's lines."""
    assert rewritten(ENGINE, DB) == Rewritten(ENGINE + DB_LINES, DB)


def test_the_block_stays_where_it_is() -> None:
    """Lines behind the block stay behind it, and lines before it stay before it."""
    text = ENGINE + DB_LINES + b"10.9.9.9\tlater\n"
    assert rewritten(text, block(record("172.18.0.6", "db"))).text == (
        ENGINE + b"# hostwatch: begin\n172.18.0.6      db\n# hostwatch: end\n10.9.9.9\tlater\n"
    )


def test_an_empty_block_is_no_block() -> None:
    """The markers go, too, and all other lines stay."""
    assert rewritten(ENGINE + DB_LINES + b"x\n", Block()) == Rewritten(ENGINE + b"x\n", Block())
    assert rewritten(DB_LINES, Block()).text == b""


@pytest.mark.parametrize("text", [b"", b"no newline", ENGINE, b"\0\xff\r"])
def test_without_a_block_before_and_after_nothing_is_touched(text: bytes) -> None:
    """A file without own lines does not even get a last newline."""
    assert rewritten(text, Block()).text == text


def test_a_missing_last_newline_is_added() -> None:
    """The block begins on a line of its own."""
    assert rewritten(b"10.0.0.1 x", DB).text == b"10.0.0.1 x\n" + DB_LINES
    assert rewritten(DB_LINES + b"10.0.0.1 x", DB).text == DB_LINES + b"10.0.0.1 x\n"
    assert rewritten(DB_LINES[:-1], DB).text == DB_LINES


def test_addresses_are_padded_to_a_column() -> None:
    """16 for IPv4 and 40 for IPv6, with at least one space, so that another address moves no byte."""
    lines = rewritten(
        b"",
        block(
            record("1.2.3.4", "a"),
            record("255.255.255.255", "b"),
            record("fd00::1", "c"),
            record("2001:db8:1111:2222:3333:4444:5555:6666", "d"),
        ),
    ).text.split(b"\n")[1:-2]
    assert [line.rindex(b" ") + 1 for line in lines] == [16, 16, 40, 40]


def test_withheld_lines_are_comments_behind_the_records() -> None:
    """The form of the contract: line and reason."""
    both = Block(DB.records, (Withheld("@{db.ip} db", "db: no running container"),))
    assert rewritten(b"", both).text == DB_LINES.replace(
        END, b"# withheld: @{db.ip} db  (db: no running container)\n" + END
    )


def test_a_withheld_line_cannot_leave_its_comment() -> None:
    """For any text of a label: one line, printable ASCII, 4,096 bytes at most."""
    evil = Withheld("x\n6.6.6.6 db\r\0\x1b[2J\t\u2028é" + "y" * 9000, "r\n# hostwatch: end")
    lines = rewritten(b"", Block((), (evil,))).text.split(b"\n")
    assert len(lines) == 4
    assert lines[1].startswith(b"# withheld: x6.6.6.6 db[2Jyyy")
    assert len(lines[1]) == 4096


def test_long_records_are_split() -> None:
    """Several lines of one address, none over 4,096 bytes, all names in order."""
    names = tuple(f"name-{number}.example.internal" for number in range(500))
    result = rewritten(b"", block(record("10.0.0.1", *names)))
    assert max(map(len, result.text.split(b"\n"))) <= 4096
    read_back = found(result.text)
    assert read_back is not None
    assert tuple(name for line in read_back.records for name in line.names) == names
    assert {str(line.address) for line in read_back.records} == {"10.0.0.1"}
    assert len(read_back.records) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b"a\n" + DB_LINES + b"b\n" + DB_LINES + b"c\n", b"a\n@b\nc\n", id="two blocks"),
        pytest.param(b"a\n# hostwatch: begin\nb\nc", b"a\n@b\nc\n", id="begin without end"),
        pytest.param(b"a\n# hostwatch: end\nb\n", b"a\n@b\n", id="end without begin"),
        pytest.param(b"a\n# hostwatch: begin", b"a\n@", id="only a begin, unfinished"),
        pytest.param(b"# hostwatch: end\na\n# hostwatch: begin\nb\n", b"@a\nb\n", id="the wrong way round"),
        pytest.param(
            b"# hostwatch: begin\n10.0.0.9        DB\n# withheld: x  (y)\n10.0.0.8 mine\n10.0.0.9        kept\n",
            b"@10.0.0.8 mine\n10.0.0.9        kept\n",
            id="begin without end: ours only as far as it looks like ours",
        ),
        pytest.param(
            b"# hostwatch: begin\n10.0.0.9\told\n", b"@10.0.0.9\told\n", id="begin without end: a tab is never ours"
        ),
        pytest.param(
            b"# hostwatch: begin\n127.0.0.1       localhost\n",
            b"@127.0.0.1       localhost\n",
            id="begin without end: what is never published is never ours",
        ),
        pytest.param(
            b"10.0.0.9        kept\na\n10.0.0.9        db mysql.internal\n# hostwatch: end\nb\n",
            b"10.0.0.9        kept\na\n@b\n",
            id="end without begin: what is before it, as far as it looks like ours",
        ),
        pytest.param(
            b"10.0.0.9        kept\n" + DB_LINES + END + b"\nb\n",
            b"10.0.0.9        kept\n@b\n",
            id="end without begin: nothing from before another marker",
        ),
        pytest.param(
            b"# hostwatch: begin\n10.0.0.9        DB\na\n# hostwatch: begin\n10.0.0.9\tx\n# hostwatch: end\nb\n",
            b"@a\nb\n",
            id="a half block before a whole one",
        ),
        pytest.param(
            b"a\r\n# hostwatch: begin\r\n10.0.0.9        DB\r\n# hostwatch: end \t\r\nb\r\n",
            b"a\r\n@b\r\n",
            id="an editor that writes CRLF",
        ),
        pytest.param(b"# hostwatch: begin\r\n10.0.0.9        DB\r\nb\r\n", b"@b\r\n", id="begin without end, in CRLF"),
        pytest.param(
            b"# hostwatch: begin x\n # hostwatch: end\n", b"# hostwatch: begin x\n # hostwatch: end\n@", id="no markers"
        ),
        pytest.param(
            b"# hostwatch: begin\n10.0.0.9        db\n10.0.0.8        printer\n172.18.0.5      db printer\n",
            b"@10.0.0.8        printer\n172.18.0.5      db printer\n",
            id="begin without end: a line that is aligned like ours, with a name that is not",
        ),
        pytest.param(
            b"10.0.0.8        printer\n10.0.0.9        db\n# hostwatch: end\n",
            b"10.0.0.8        printer\n@",
            id="end without begin: the same",
        ),
    ],
)
def test_repair(text: bytes, expected: bytes) -> None:
    """One block in the place of the first marker (`@`), and every foreign line as it was."""
    assert rewritten(text, DB).text == expected.replace(b"@", DB_LINES)
    assert rewritten(text, Block(), last=DB).text == expected.replace(b"@", b"")


@pytest.mark.parametrize(
    ("wanted", "last"),
    [
        (block(record("10.0.0.2", "new")), DB),
        (Block((), (Withheld("@{x.ip} db mysql.internal", "x: no running container"),)), Block()),
        (DB, Block()),
    ],
    ids=["of before", "withheld", "wanted"],
)
def test_a_stale_line_does_not_stay_where_a_marker_is_lost(wanted: Block, last: Block) -> None:
    """It has names that are in the old or new block, or withheld, and would shadow them for ever."""
    expected = ENGINE + rewritten(b"", wanted).text
    for text in (DB_LINES.replace(END + b"\n", b""), DB_LINES.replace(BEGIN + b"\n", b"")):
        assert rewritten(ENGINE + text, wanted, last=last).text == expected


def test_without_known_names_no_line_is_taken() -> None:
    """For instance after the last subscription has gone. Lines before a comment of ours are taken all the same."""
    line = b"10.0.0.8        printer\n"
    assert rewritten(BEGIN + b"\n" + line, Block()).text == line
    assert rewritten(BEGIN + b"\n" + line + b"# withheld: x  (y)\n" + line, Block()).text == line


@pytest.mark.parametrize(
    ("line", "withheld"),
    [
        pytest.param(b"10.9.9.9 db", "db: shadowed by 10.9.9.9 in the file", id="another address"),
        pytest.param(b"10.9.9.9\tx DB#y", "db: shadowed by 10.9.9.9 in the file", id="case and comment"),
        pytest.param(b" \t10.9.9.9 \v x\f\tdb\r", "db: shadowed by 10.9.9.9 in the file", id="odd blanks"),
        pytest.param(b"fd00::1 db", "db: shadowed by fd00::1 in the file", id="another family"),
        pytest.param(b"FD00:0:0::1 db", "db: shadowed by fd00::1 in the file", id="odd address"),
        pytest.param(b"172.18.0.5 db", None, id="the same address"),
        pytest.param(b"10.9.9.9 db\n172.18.0.5 db", None, id="the same address among others"),
        pytest.param(b"10.9.9.9 x # db", None, id="in a comment"),
        pytest.param(b"# 10.9.9.9 db", None, id="a comment"),
        pytest.param(b"10.9.9.9 db2 xdb db.x", None, id="other names"),
        pytest.param(b"10.9.9 db", None, id="no address, so nothing to the C library"),
        pytest.param(b"db db", None, id="no address at all"),
    ],
)
def test_foreign_lines_win(line: bytes, withheld: str | None) -> None:
    """A name that a line outside the block binds to another address is withheld, the record's other names are not."""
    result = rewritten(line + b"\n" + DB_LINES, DB)
    if withheld is None:
        assert result.block == DB
    else:
        assert result.block == Block((record("172.18.0.5", "mysql.internal"),), (Withheld("172.18.0.5 db", withheld),))
        assert b"172.18.0.5      mysql.internal\n# withheld: 172.18.0.5 db  (" in result.text


def test_a_record_without_names_left_vanishes() -> None:
    """All its names are shadowed: there are only comments. A second rewriting gives the same text."""
    text = b"10.9.9.9 db mysql.internal\n"
    result = rewritten(text, DB)
    assert result.block.records == ()
    assert [line.reason.split(":")[0] for line in result.block.withheld] == ["db", "mysql.internal"]
    assert rewritten(result.text, DB) == result


def test_a_block_does_not_shadow_itself() -> None:
    """Neither the lines of the block nor those of a second block count as foreign."""
    moved = block(record("172.18.0.99", "db"))
    assert rewritten(DB_LINES + b"x\n" + DB_LINES, moved).block == moved


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("LocalHost", "LocalHost: never published"),
        ("ip6-allnodes", "ip6-allnodes: never published"),
        ("Web-1", "Web-1: the subscriber's own hostname"),
        ("a b", "a b: not a valid name"),
        ("a\n6.6.6.6 x", "a\n6.6.6.6 x: not a valid name"),
        ("\ud800", "\ud800: not a valid name"),
        ("K", None),
    ],
)
def test_names_that_are_never_written(name: str, reason: str | None) -> None:
    """Reserved names and the subscriber's own are withheld, and so is a name that would break its line."""
    result = rewritten(b"", block(record("10.0.0.1", name)), frozenset({"web-1"}))
    assert [line.reason for line in result.block.withheld] == ([reason] if reason else [])
    assert result.text.count(b"\n") == 3


def test_withheld_lines_are_read_back() -> None:
    """With the reason, from which a later run learns the state of a line."""
    block = Block(DB.records, (Withheld("@{x.ip} x", "x: no running container; its last address (sic) is y's now"),))
    assert found(rewritten(b"", block).text) == block
    assert found(b"# hostwatch: begin\n# withheld: x\n# other  (x)\n# hostwatch: end\n") == Block()


def test_an_address_with_a_zone_is_withheld() -> None:
    """The C library ignores a line with a zone, and a zone may have any text."""
    result = rewritten(b"", block(record("fe80::1%x#y", "db")))
    assert result.block == Block((), (Withheld("fe80::1%x#y db", "db: not a valid address"),))


def test_found() -> None:
    """The contents of the block, by any writer; `None` without a block."""
    assert found(ENGINE) is None
    assert found(b"# hostwatch: begin\n# hostwatch: end\n") == Block()
    assert found(ENGINE + DB_LINES) == DB
    assert found(b"# hostwatch: begin\n\t10.0.0.1\ta\xff\tb#c\nrubbish here\n10.0.0.2\n\n# hostwatch: end") == block(
        record("10.0.0.1", "b")
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(ENGINE, ["172.18.0.7"], id="the engine's line"),
        pytest.param(b"172.18.0.7\t3f2a9c.example.org 3f2a9c\nfd00::7\t3F2A9C\n", ["172.18.0.7", "fd00::7"], id="fqdn"),
        pytest.param(ENGINE + DB_LINES + b"172.19.0.7\t3f2a9c\n", ["172.18.0.7", "172.19.0.7"], id="behind the block"),
        pytest.param(ENGINE + ENGINE, ["172.18.0.7"], id="twice"),
        pytest.param(b"# hostwatch: begin\n172.18.0.9\t3f2a9c\n# hostwatch: end\n", [], id="in the block"),
        pytest.param(b"172.18.0.7 3f2a9c\n", [], id="a space"),
        pytest.param(b"172.18.0.7\t\t3f2a9c\n", [], id="two tabs"),
        pytest.param(b"172.18.0.7\ta b 3f2a9c\n", [], id="three names"),
        pytest.param(b"172.18.0.7\t3f2a9cd\n", [], id="another name"),
        pytest.param(b"127.0.1.1\t3f2a9c\n0.0.0.0\t3f2a9c\nff02::1\t3f2a9c\n::1\t3f2a9c\n", [], id="not an own one"),
        pytest.param(b"172.18.0\t3f2a9c\n\xff\0\n\t3f2a9c\n", [], id="rubbish"),
    ],
)
def test_own_addresses(text: bytes, expected: list[str]) -> None:
    """The engine's lines for the container itself: one tab, its hostname alone or behind the full one."""
    assert [str(address) for address in own_addresses(text, "3f2a9c")] == expected
    assert own_addresses(text, "") == ()


# Foreign lines of any bytes that do not look like ours. Few names, so that they collide.
foreign_lines = st.one_of(
    st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")),
    st.sampled_from([b"", b"10.0.0.1 db", b"10.0.0.1\tdb", b"#", b"127.0.0.1 localhost", b"\xff\r", b"\0" * 9]),
).filter(lambda line: not line.startswith((b"# hostwatch: ", b"# withheld: ")))  # hypothesis knows our constants
foreign_texts = st.lists(foreign_lines, max_size=6).map(lambda lines: b"".join(line + b"\n" for line in lines))
names = st.from_regex(r"[a-z0-9_]([a-z0-9_.-]{0,20}[a-z0-9_])?", fullmatch=True) | st.sampled_from(["db", "web"])
records = st.builds(Record, st.ip_addresses(), st.lists(names, min_size=1, max_size=3).map(tuple))
reasons = st.builds(Withheld, st.text(max_size=20), st.text(max_size=20))
blocks = st.builds(Block, st.lists(records, max_size=4).map(tuple), st.lists(reasons, max_size=2).map(tuple))
MARKERS = (BEGIN + b"\n", END + b"\n")
ALIGNED = b"192.0.2.7       printer nas.example\n"
"""A foreign line with our alignment."""


@settings(max_examples=examples(500), deadline=None)
@given(foreign_texts, foreign_texts, blocks, blocks)
def test_foreign_bytes_stay(before: bytes, behind: bytes, first: Block, second: Block) -> None:
    """After writing, rewriting and removal of any blocks every foreign byte before and behind is there."""
    text = rewritten(before, first).text
    text += behind
    changed = rewritten(text, second)
    assert changed.text.startswith(before)
    assert changed.text.endswith(behind if first else b"# hostwatch: end\n" if second else behind)
    assert rewritten(changed.text, second) == changed
    assert rewritten(changed.text, Block()).text == before + behind
    assert not changed.text or changed.text.endswith(b"\n")


@pytest.mark.slow
@settings(max_examples=examples(600), deadline=None)
@given(foreign_texts, foreign_texts, blocks, blocks, blocks)
@example(b"10.9.9.9\fdb\n", b"", DB, DB, block(record("10.0.0.1", "db")))
@example(b"10.9.9.9\tx\tdb\n", b"", DB, DB, block(record("10.0.0.1", "db")))
@example(b"10.9.9.9 DB\n", b"", DB, DB, block(record("10.0.0.1", "db")))
@example(b"", b"x", DB, DB, block(record("10.0.0.1", "db")))
@example(b"x", b"", DB, DB, block(record("10.0.0.1", "db")))
@example(DB_LINES, b"", DB, DB, block(record("10.0.0.1", "db")))
@example(BEGIN + b"\n", b"", DB, DB, block(record("10.0.0.1", "db")))
@example(b"x\n", b"", DB, DB, block(record("10.0.0.1", "\ud800", "localhost")))
@example(b"x\n", b"", DB, DB, block(record("10.0.0.1", "web")))
def test_a_block_is_replaced_as_it_is_rewritten(
    before: bytes, behind: bytes, there: Block, last: Block, wanted: Block
) -> None:
    """A known block only saves work: the result is the same, even if the text has another block."""
    reserved = frozenset({"web"})
    for text in (before + rewritten(b"", there).text + behind, rewritten(before, last).text + behind):
        change = replacement(rewritten(b"", last).block, wanted)
        edited = change.edited(text, reserved) if change is not None else None
        if edited is not None:
            assert Rewritten(edited.text, wanted) == rewritten(text, wanted, reserved)
            assert reduce(applied, edited.steps, text) == edited.text
            assert len(last.records) != len(wanted.records) or edited.steps == steps(text, edited.text)


@pytest.mark.parametrize("behind", [b"", b"10.9.9.9\tlater\n"])
@pytest.mark.parametrize(
    "wanted", [block(record("172.18.0.66", "db", "mysql.internal")), block(record("10.0.0.1", "x"))]
)
def test_a_block_is_replaced_if_the_result_is_the_same(wanted: Block, behind: bytes) -> None:
    """In an engine's text, and with other lines around the block."""
    text = ENGINE + DB_LINES + behind
    change = replacement(DB, wanted)
    assert change is not None
    after = rewritten(text, wanted).text
    assert change.edited(text, frozenset()) == Edited(after, steps(text, after))
    assert change.edited(after, frozenset()) is None


PORTIONS = {
    (name, number): portion_of([record(f"10.0.0.{number}", name), record(f"fd00::{number}", name, f"{name}2")])
    for name in ("web", "db", "x", "mysql")
    for number in (1, 2)
}
numbers = st.lists(st.integers(0, 2), min_size=4, max_size=4)


def in_portions(chosen: list[int]) -> Block:
    """A long block, as it is joined from portions; 0: none of that name."""
    pairs = zip(("web", "db", "x", "mysql"), chosen, strict=True)
    kept = tuple(PORTIONS[name, number] for name, number in pairs if number)
    return Block(tuple(record for portion in kept for record in portion.records), portions=kept)


@settings(max_examples=examples(500), deadline=None)
@given(foreign_texts, foreign_texts, numbers, numbers, st.sampled_from([(), ("db",), ("web2",)]))
def test_portions_make_no_difference(
    before: bytes, behind: bytes, old: list[int], new: list[int], reserved: tuple[str, ...]
) -> None:
    """Only what differs between two blocks is looked at, and the result is that of all."""
    last, wanted = in_portions(old), in_portions(new)
    text = rewritten(before, last).text + behind
    change = replacement(last, wanted)
    replaced = change.text(text, reserved) if change is not None else None
    if replaced is not None:
        assert Rewritten(replaced, wanted) == rewritten(text, Block(wanted.records), reserved)
    assert name_changes(last, wanted) == name_changes(Block(last.records), Block(wanted.records))
    assert wanted.text == Block(wanted.records).text


@settings(max_examples=examples(500), deadline=None)
@given(foreign_texts, blocks)
def test_a_written_block_is_found(text: bytes, wanted: Block) -> None:
    """The block that `rewritten` returns is in the text: nothing is lost or doubled."""
    result = rewritten(text, wanted)
    read = found(result.text)
    assert (read.records if read is not None else None) == (result.block.records if result.block else None)
    kept = {(record.address, name) for record in result.block.records for name in record.names}
    asked = [(record.address, name) for record in wanted.records for name in record.names]
    assert kept <= set(asked)
    new = len(result.block.withheld) - len(wanted.withheld)
    assert new == sum(len(set(record.names)) for record in wanted.records) - sum(
        len(set(record.names)) for record in result.block.records
    )


@settings(max_examples=examples(600), deadline=None)
@given(
    st.lists(
        foreign_lines.map(lambda line: line + b"\n") | st.sampled_from([*MARKERS, DB_LINES, ALIGNED]), max_size=12
    ),
    blocks,
)
@example([MARKERS[0], ALIGNED], DB)
@example([ALIGNED, MARKERS[1]], DB)
@example([MARKERS[0], b"a\n", DB_LINES, b"b\n", MARKERS[1], b"c\n"], DB)
def test_repair_loses_no_foreign_line(pieces: list[bytes], wanted: Block) -> None:
    """With markers in any order there is one block or none, and every line outside a begin and its end is there."""
    text = b"".join(pieces)
    foreign: list[bytes] = []
    pending: list[bytes] | None = None  # what a begin without an end was followed by
    for piece in [line + b"\n" for line in text.split(b"\n")[:-1]]:
        if piece == MARKERS[0]:
            foreign += pending or []
            pending = []
        elif piece == MARKERS[1]:
            pending = None
        elif pending is not None:
            pending.append(piece)
        else:
            foreign.append(piece)
    foreign += pending or []
    ours = DB_LINES.split(b"\n")[1] + b"\n"
    result = rewritten(text, wanted).text
    standing = rewritten(result, Block()).text
    assert [line for line in foreign if line != ours] == [
        line + b"\n" for line in standing.split(b"\n")[:-1] if line + b"\n" != ours
    ]
    lines = result.split(b"\n")  # a comment may hold the text of a marker, and is none
    assert lines.count(BEGIN) == lines.count(END) <= 1
    assert rewritten(result, wanted).text == result


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(b"\n", id="blank lines"),
        pytest.param(BEGIN + b"\n", id="begins"),
        pytest.param(END + b"\n", id="ends"),
        pytest.param(BEGIN + b"\n" + END + b"\n", id="blocks"),
        pytest.param(b"10.0.0.9        old\n" + END + b"\n", id="records and ends"),
        pytest.param(b"10.0.0.9        old\n", id="records"),
        pytest.param(b"# withheld: \n", id="comments"),
        pytest.param(b"x ", id="one line of fields"),
        pytest.param(b" ", id="one line of blanks"),
        pytest.param(BEGIN + b" ", id="one line of markers"),
        pytest.param(b"1.1.1.1 db\n", id="the same binding"),
        pytest.param(b"1:", id="one line of colons"),
        pytest.param(b"\0", id="NULs"),
    ],
)
def test_time_is_linear(junk: bytes) -> None:
    """Any text up to the limit takes a second or so, not minutes."""
    text = junk * (LIMIT // len(junk))
    started = time.monotonic()
    rewritten(text, DB)
    rewritten(BEGIN + b"\n" + text, DB)
    found(text)
    own_addresses(text, "x")
    assert time.monotonic() - started < 20


def test_many_bindings_of_one_name_take_linear_time() -> None:
    """A name that a file binds to a hundred thousand addresses."""
    text = b"".join(b"10.%d.%d.%d db\n" % (n >> 16, n >> 8 & 255, n & 255) for n in range(60_000))
    started = time.monotonic()
    assert rewritten(text, DB).block.withheld[0].reason == "db: shadowed by 10.0.0.0 in the file"
    assert time.monotonic() - started < 10


# A block that lost its markers.

PODMAN = b"127.0.0.1\tlocalhost\n10.88.0.1\thost.containers.internal\n172.18.0.5\tdb mysql.internal\n10.88.0.7\tafter\n"


def test_own_lines_are_known_by_their_content() -> None:
    """After Podman has rewritten them, without comments and with tabs. The block gets their place."""
    wanted = block(record("172.18.0.6", "db"))
    expected = PODMAN.replace(b"172.18.0.5\tdb mysql.internal\n", rewritten(b"", wanted).text)
    assert rewritten(PODMAN, wanted, last=DB, keeps_comments=False).text == expected
    assert rewritten(PODMAN, Block(), last=DB, keeps_comments=False).text == PODMAN.replace(
        b"172.18.0.5\tdb mysql.internal\n", b""
    )


@pytest.mark.parametrize(
    "text",
    [
        PODMAN.replace(b"172.18.0.5", b"172.18.0.9"),
        PODMAN.replace(b"db mysql.internal", b"db"),
        PODMAN.replace(b"db mysql", b"mysql db"),
        PODMAN.replace(b"172.18.0.5\tdb mysql.internal\n", b""),
    ],
)
def test_lines_with_other_contents_are_foreign(text: bytes) -> None:
    """With other addresses, fewer names, or none of the names."""
    assert rewritten(text, DB, last=DB, keeps_comments=False).text.startswith(text)


def test_of_two_equal_lines_one_is_ours() -> None:
    """The last one, as lines of the user come before."""
    given = b"172.18.0.5 db mysql.internal\n"
    assert rewritten(given + PODMAN, DB, last=DB, keeps_comments=False).text.startswith(given)


def test_with_a_marker_lines_are_not_known_by_their_content() -> None:
    """No marker was lost, so there is no search."""
    text = PODMAN + DB_LINES
    assert rewritten(text, DB, last=DB, keeps_comments=False).text == text


# Size limits.


def limited(size: int) -> Limit:
    """A limit that a test can reach."""
    return Limit(size, "too much")


@settings(max_examples=examples(500), deadline=None)
@given(foreign_texts, foreign_texts, blocks, st.integers(0, 1500))
def test_lines_that_do_not_fit_are_withheld(before: bytes, behind: bytes, wanted: Block, size: int) -> None:
    """The last line first, each shown in the block, without a foreign byte lost. A second rewriting changes nothing."""
    text = rewritten(before, DB).text + behind
    whole = rewritten(text, wanted).block
    found = rewritten(text, wanted, limit=limited(size))
    least = rewritten(text, Block()).text + (rewritten(b"", Block((), (), 99)).text if whole else b"")
    assert len(found.text) <= max(size, len(least) + 150)
    kept = found.block.records
    assert whole.records[: len(kept)] == kept
    dropped = [Withheld(f"{r.address} {' '.join(r.names)}", "too much") for r in whole.records[len(kept) :]]
    assert [*found.block.withheld] == [*whole.withheld, *dropped]
    assert rewritten(found.text, wanted, limit=limited(size)) == found
    assert rewritten(found.text, Block()).text == rewritten(text, Block()).text
    if len(rewritten(text, wanted).text) <= size:
        assert found == rewritten(text, wanted)


def test_thousands_of_names_fill_a_file_to_its_limit() -> None:
    """All names that fit are there. The others have one comment together."""
    wanted = block(*(record(f"10.0.{n >> 8}.{n & 255}", f"service-{n}.project.internal.example") for n in range(9000)))
    started = time.monotonic()
    found = rewritten(ENGINE, wanted)
    assert time.monotonic() - started < 10
    assert LIMIT - 200 < len(found.text) <= LIMIT
    count = len(found.block.records)
    more = f"# withheld: and {9000 - count} more lines  (no room to say which; see hostwatch status)\n"
    assert found.text.endswith(more.encode() + END + b"\n")
    assert {line.reason for line in found.block.withheld} == {"too much for a hosts file of 256 KiB"}
    assert hostsfile.found(found.text) == Block(found.block.records)
    assert len(rewritten(ENGINE, wanted, limit=OF_HOST).block.records) == 9000


def test_comments_go_before_records() -> None:
    """Losing the comment of a withheld line does less harm."""
    both = Block(DB.records, tuple(Withheld(f"@{{x{n}.ip}} x{n}", "x: no running container") for n in range(100)))
    found = rewritten(b"", both, limit=limited(400))
    assert found.block.records == DB.records
    assert found.block.withheld == both.withheld
    assert 0 < found.block.unsaid < 100
    assert len(found.text) <= 400


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(foreign_lines.map(lambda line: line + b"\n") | st.sampled_from([*MARKERS, DB_LINES, ALIGNED])), blocks)
def test_how_a_text_is_portioned_makes_no_difference(pieces: list[bytes], wanted: Block) -> None:
    """A portion may end at any line, and have any number of lines."""
    text = b"".join(pieces)
    expected = rewritten(text, wanted, last=DB)
    with pytest.MonkeyPatch.context() as patch:
        for size in (1, 20, 50):
            patch.setattr(parts, "_PORTION", size)
            assert rewritten(text, wanted, last=DB) == expected


def test_a_list_of_blocked_names_takes_no_time() -> None:
    """Some megabytes in a file on the host, with our block in the middle."""
    lines = b"".join(b"0.0.0.0 ads-%d.example.net\n" % n for n in range(150_000))
    started = time.monotonic()
    text = rewritten(lines, DB, limit=OF_HOST).text + lines
    after = rewritten(text, block(record("10.0.0.1", "ads-7.example.net", "db")), limit=OF_HOST)
    assert time.monotonic() - started < 5
    assert after.block.withheld[0].reason == "ads-7.example.net: shadowed by 0.0.0.0 in the file"
    assert after.text.startswith(lines)
    assert after.text.endswith(lines)
