"""Properties of every state that a file goes through while its text is changed in place."""

import ipaddress
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hostwatch.core.block.edit import Step, Truncate, Write, applied, size_after, steps
from hostwatch.core.block.hostsfile import rewritten
from hostwatch.core.block.records import Block, Record, Withheld
from tests.effort import examples


def states(old: bytes, new: bytes) -> Iterator[bytes]:
    """The file's text before the first step and after each."""
    text = old
    yield text
    for step in steps(old, new):
        size = size_after(len(text), step)
        text = applied(text, step)
        assert len(text) == size
        yield text


def lines(text: bytes) -> list[bytes]:
    """The lines that are not blank; blank ones may come and go."""
    return [line for line in text.split(b"\n") if line]


def is_subsequence(some: list[bytes], every: list[bytes]) -> bool:
    """Whether all of `some` stand in `every`, in order."""
    rest = iter(every)
    return all(line in rest for line in some)


# Few different bytes and names give equal lines and overlapping blocks, where an edit may fail.
foreign_texts = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b"a", b"bb", b"", b"\r", b"\0", b"10.0.0.1 x", b"\xff\xfe", b"#"]), max_size=8).map(
        b"\n".join
    ),
)
addresses = st.sampled_from(
    [ipaddress.ip_address(text) for text in ("10.0.0.1", "10.0.0.2", "172.18.0.10", "fd00::1", "fd00::2:1")]
)
records = st.builds(
    Record, addresses, st.lists(st.sampled_from(["a", "db", "web", "x.y"]), min_size=1, max_size=3).map(tuple)
)
withheld = st.builds(
    Withheld, st.sampled_from(["@{db.ip} db", "@{x.ip} x"]), st.sampled_from(["db: gone", "x: no container"])
)
blocks = st.builds(Block, st.lists(records, max_size=4).map(tuple), st.lists(withheld, max_size=2).map(tuple))


@settings(max_examples=examples(600), deadline=None)
@given(foreign_texts, foreign_texts, blocks, blocks)
@example(b"aa\nbb\n", b"", Block(), Block((Record(ipaddress.ip_address("10.0.0.1"), ("a",)),)))
def test_every_state_is_whole_lines_old_or_new(before: bytes, behind: bytes, first: Block, second: Block) -> None:
    """Foreign lines stay, other lines are old or new, and the file is empty only if the old or new text is."""
    old = rewritten(before, first).text + behind  # the block at the end, or in the middle
    new = rewritten(old, second).text
    foreign = lines(rewritten(old, Block()).text)
    allowed = {*lines(old), *lines(new)}
    for text in states(old, new):
        assert set(lines(text)) <= allowed
        assert is_subsequence(foreign, lines(text))
        assert Counter(lines(text)) <= Counter(lines(old)) | Counter(lines(new))  # and none of them twice
        assert text or not old or not new
    assert text == new


@given(st.text("ab\n", max_size=24).map(str.encode), st.text("ab\n", max_size=24).map(str.encode))
def test_any_two_texts(old: bytes, new: bytes) -> None:
    """The edit ends at the new text, through whole lines."""
    seen = list(states(old, new))
    assert seen[-1] == new
    assert all(set(lines(text)) <= {*lines(old), *lines(new)} for text in seen)
    assert all(text or not old or not new for text in seen)


@given(st.text("ab\n", max_size=24).map(str.encode))
def test_the_same_text_needs_no_step(text: bytes) -> None:
    """Equal texts: nothing is written, so that the file keeps its modification time."""
    assert steps(text, text) == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(b"x 1\ny 2\n", b"x 1\ny 3\n", (Write(6, b"3"),), id="only the bytes that differ"),
        pytest.param(b"x 1\ny\nz 2\n", b"x 3\ny\nz 4\n", (Write(2, b"3"), Write(8, b"4")), id="a write per line"),
        pytest.param(b"a\n", b"a\nb\nc\n", (Write(2, b"b\nc\n"),), id="new lines are appended"),
        pytest.param(b"a", b"a\nb\n", (Write(1, b"\nb\n"),), id="an unfinished line is ended"),
        pytest.param(b"a", b"c\nb\n", (Write(1, b"\n" * 3), Write(0, b"c\nb")), id="growing ends an unfinished line"),
        pytest.param(b"a\nb\nc\n", b"a\n", (Write(2, b"\n\n\n"), Truncate(2)), id="a surplus becomes newlines first"),
        pytest.param(
            b"1\naa\nbb\n",
            b"1\nXX\naa\nbb\n",
            (Write(8, b"\n" * 3), Write(2, b"XX\naa\nbb")),
            id="lines that move are one write, even where line starts meet",
        ),
        pytest.param(
            b"1\nXX\naa\nbb\n",
            b"1\naa\nbb\n",
            (Write(2, b"aa\nbb\n\n\n"), Truncate(8)),
            id="lines that move back are one write",
        ),
        pytest.param(b"aa\nbb\ncc\n", b"bb\naa\ncc\n", (Write(0, b"bb\naa"),), id="lines that change places"),
        pytest.param(b"a\n", b"", (Write(0, b"\n"), Truncate(0)), id="empty in the end"),
        pytest.param(b"", b"a\n", (Write(0, b"\n\n"), Write(0, b"a")), id="empty at first"),
    ],
)
def test_steps(old: bytes, new: bytes, expected: tuple[Step, ...]) -> None:
    """The steps themselves, in the cases that matter."""
    assert steps(old, new) == expected


def test_another_address_is_one_small_write() -> None:
    """The usual case: same names, same size, one write of the differing bytes of the address."""
    block = Block((Record(ipaddress.ip_address("172.18.0.9"), ("db", "mysql.internal")),))
    moved = Block((Record(ipaddress.ip_address("172.18.0.10"), ("db", "mysql.internal")),))
    old = rewritten(b"127.0.0.1\tlocalhost\n", block).text + b"10.0.0.1 behind\n"
    new = rewritten(old, moved).text
    assert len(old) == len(new)
    assert steps(old, new) == (Write(old.index(b"172.18.0.9") + 9, b"10"),)


def test_applied_fills_a_gap_as_the_kernel_does() -> None:
    """A write behind the end, and a truncation to more than there is, leave NULs."""
    assert applied(b"ab", Write(4, b"c")) == b"ab\0\0c"
    assert applied(b"ab", Truncate(4)) == b"ab\0\0"


@pytest.mark.parametrize("junk", [b"\n", b"a\n", b"a", b"10.0.0.1 a\n"])
def test_time_is_linear(junk: bytes) -> None:
    """A container that fills its file to the limit, with whatever lines, costs a second or so, not minutes."""
    old = junk * ((1 << 20) // len(junk))
    started = time.monotonic()
    steps(old, b"new line\n" + old)
    steps(old, old[: len(old) // 2] + b"\nnew\n" + old[len(old) // 2 :])
    assert time.monotonic() - started < 15
