"""The differences of two blocks: each block can be rebuilt from the other, and they are few."""

import ipaddress

from hypothesis import given, settings
from hypothesis import strategies as st

from hostwatch.core.block.delta import Delta, Hunk, delta, hunks
from hostwatch.core.block.records import Block, Portion, Record, Withheld, portion_of
from tests.effort import examples

letters = st.lists(st.sampled_from("abcdefgh"), max_size=12)


def record(number: int, name: str = "db") -> Record:
    """A record that is one of its own for each number."""
    return Record(ipaddress.IPv4Address(number), (f"{name}-{number}",))


def block(lines: list[str], withheld: list[str]) -> Block:
    """A block of these lines, some of which may be the same."""
    address = ipaddress.ip_address("10.0.0.1")
    return Block(
        tuple(Record(address, (line,)) for line in lines), tuple(Withheld(line, f"{line}: gone") for line in withheld)
    )


@given(letters, letters, letters, letters)
@settings(max_examples=examples(300), deadline=None)
def test_the_older_block_is_rebuilt(
    old: list[str], old_withheld: list[str], new: list[str], withheld: list[str]
) -> None:
    """Whatever was added, removed, moved or doubled."""
    before, after = block(old, old_withheld), block(new, withheld)
    assert delta(before, after).undone(after) == before
    assert bool(delta(before, after)) == (before != after)


@given(st.lists(st.integers(0, 5), max_size=6), st.lists(st.integers(0, 5), max_size=6))
def test_a_long_block_is_rebuilt_of_portions(old: list[int], new: list[int]) -> None:
    """Portions that both have may have moved, and are in the block once each."""
    portions = [portion_of(record(10 * number + each) for each in range(4)) for number in range(6)]

    def made(numbers: list[int]) -> Block:
        chosen: tuple[Portion, ...] = tuple(portions[number] for number in dict.fromkeys(numbers))
        return Block(tuple(each for portion in chosen for each in portion.records), portions=chosen)

    before, after = made(old), made(new)
    assert delta(before, after).undone(after) == before


def test_only_what_differs_is_kept() -> None:
    """Of 5,000 lines in two places, as each change may be kept a thousand times."""
    before = Block(tuple(record(number) for number in range(5_000)))
    changed = [*before.records]
    changed[7], changed[4_990:4_991] = record(7, "new"), []
    found = delta(before, Block(tuple(changed)))
    assert found == Delta((Hunk(7, tuple(before.records[7:4_991]), tuple(changed[7:4_990])),))  # too far apart
    portions = tuple(portion_of(before.records[start : start + 100]) for start in range(0, 5_000, 100))
    before = Block(before.records, portions=portions)
    first, last = portion_of(changed[:100]), portion_of(changed[4_900:])
    after = Block(tuple(changed), portions=(first, *portions[1:-1], last))
    assert delta(before, after) == Delta(
        (Hunk(7, (record(7),), (record(7, "new"),)), Hunk(4_990, (record(4_990),), ()))
    )
    assert delta(before, after).size == 3


def test_a_line_that_moves_is_one_difference() -> None:
    """The others keep their place."""
    assert list(hunks("abcdefgh", "habcdefg")) == [Hunk(0, (), ("h",)), Hunk(7, ("h",), ())]
    assert list(hunks("abc", "abc")) == []
