"""The effect of time on a line: each row of the table, and lingering."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import Address, AddressOrWords, ContainerKey
from hostwatch.core.resolve.linger import Desired, Others, Resolved, after_linger
from hostwatch.core.resolve.outcome import Gone, Last, Memory, Origin, Outcome, Published, Refused, Unknown
from hostwatch.core.resolve.parts import part_of
from hostwatch.core.resolve.recall import memory_of
from hostwatch.core.timing import Backoff
from tests.core.build import ip, key

LINE = "@{db.ip} db"
A, B = ip("10.0.0.5"), ip("10.0.0.6")
DB, OTHER = key("db"), key("other")
FROM_DB = Origin(DB)


def published(
    *addresses: Address, line: str = LINE, names: tuple[str, ...] = ("db",), of_all: bool = False
) -> Published:
    """The line with these addresses of `db`."""
    return Published(line, tuple(Record(address, names) for address in addresses), (FROM_DB,) * len(addresses), of_all)


def holding(holders: dict[Address, ContainerKey] | None = None) -> Others:
    """Look-ups with these holders of addresses, on any network."""

    def found(address: AddressOrWords, _: Origin) -> frozenset[ContainerKey]:
        known = {**(holders or {})}
        return frozenset(holder for held, holder in known.items() if held == address)

    return Others(found, lambda keys: " and ".join(sorted(bytes.fromhex(key.id).decode().strip("\0") for key in keys)))


def step(
    outcome: Outcome | list[Outcome],
    memory: Memory | None = None,
    now: float = 0.0,
    holders: dict[Address, ContainerKey] | None = None,
    everything: bool = False,
) -> Desired:
    """The next round, two seconds of linger."""
    found = outcome if isinstance(outcome, list) else [outcome]
    return after_linger(Resolved((part_of(found),), everything), memory or {}, now, 2.0, holding(holders))


def addresses(now: Desired) -> list[AddressOrWords]:
    """The addresses of the block's records."""
    return [record.address for record in now.block.records]


BEFORE = step(published(A)).memory
GONE, UNKNOWN, REFUSED = Gone(LINE, "gone"), Unknown(LINE, "unknown"), Refused(LINE, "refused")


@pytest.mark.parametrize(
    ("outcome", "holders", "now", "expected"),
    [
        (published(B), None, 0.0, [B]),
        (published(B), {A: DB}, 0.0, [B]),
        (GONE, None, 0.0, [A]),
        (GONE, {A: DB}, 0.0, [A]),
        (GONE, {A: OTHER}, 0.0, []),
        (UNKNOWN, None, 1e9, [A]),
        (UNKNOWN, {A: DB}, 1e9, [A]),
        (UNKNOWN, {A: OTHER}, 0.0, []),
        (REFUSED, None, 0.0, []),
        (REFUSED, {A: DB}, 0.0, []),
    ],
)
def test_the_table(
    outcome: Outcome, holders: dict[Address, ContainerKey] | None, now: float, expected: list[Address]
) -> None:
    """The next state of a line that was published with one address."""
    after = step(outcome, BEFORE, now, holders)
    assert addresses(after) == expected
    is_lost = not isinstance(outcome, Refused) and holders == {A: OTHER}
    assert after.kept == (frozenset() if isinstance(outcome, Published | Refused) else {A})
    reason = "" if isinstance(outcome, Published) else outcome.reason
    reason += f"; its last address {A} is other's now" if is_lost else ""
    assert after.block.withheld == (() if expected else (Withheld(LINE, reason),))


@pytest.mark.parametrize("outcome", [GONE, UNKNOWN, REFUSED])
def test_a_line_without_earlier_records_is_withheld(outcome: Gone | Unknown | Refused) -> None:
    """No record can stay, and no later look is needed."""
    after = step(outcome)
    assert after == Desired(Block((), (Withheld(LINE, outcome.reason),)), {}, frozenset(), None)


def test_a_gone_line_lingers_and_goes() -> None:
    """The time counts from the first outcome that it is gone. `again_at` is the time of the next look."""
    first = step(GONE, BEFORE, 10.0)
    assert (addresses(first), first.again_at) == ([A], 12.0)
    second = step(GONE, first.memory, 11.9)
    assert (addresses(second), second.again_at) == ([A], 12.0)
    third = step(GONE, second.memory, 12.0)
    assert (addresses(third), third.again_at, third.memory) == ([], None, {})


@given(st.floats(0, 1e9), st.floats(0, 1e4))
def test_when_it_is_time_it_goes(now: float, linger: float) -> None:
    """For any rounding: at `again_at` the line is gone, and no further look is needed."""
    first = after_linger(Resolved((part_of([GONE]),)), BEFORE, now, linger, holding())
    if first.again_at is not None:
        second = after_linger(Resolved((part_of([GONE]),)), first.memory, first.again_at, linger, holding())
        assert (addresses(second), second.again_at) == ([], None)


def test_a_line_that_comes_back_in_time_is_as_before() -> None:
    """The next time it lingers for the whole time again."""
    back = step(published(B), step(GONE, BEFORE, 10.0).memory, 11.0)
    assert (addresses(back), back.again_at) == ([B], None)
    assert step(GONE, back.memory, 20.0).again_at == 22.0


def test_an_unknown_line_needs_no_further_look() -> None:
    """Also after it seemed gone: a look at a time in the past would repeat without end."""
    gone = step(GONE, BEFORE, 10.0)
    unknown = step(UNKNOWN, gone.memory, 11.0)
    assert (addresses(unknown), unknown.again_at) == ([A], None)
    assert addresses(step(UNKNOWN, unknown.memory, 99.0)) == [A]
    assert addresses(step(GONE, unknown.memory, 99.0)) == []


@pytest.mark.parametrize("outcome", [GONE, UNKNOWN])
def test_of_several_replicas_only_the_reassigned_one_goes(outcome: Outcome) -> None:
    """The others keep theirs."""
    both = step(published(A, B)).memory
    assert addresses(step(outcome, both, holders={A: OTHER, B: DB})) == [B]


def test_names_that_another_line_publishes_do_not_linger() -> None:
    """A name never has an old address of one line and a new one of another."""
    last = step(published(A, names=("db", "x"))).memory
    other = Published("@{b.ip} DB", (Record(B, ("DB",)),), (Origin(OTHER),))
    assert addresses(step([GONE, other], last)) == [B]
    assert addresses(step([UNKNOWN, other], last)) == [A, B]


def test_a_line_of_a_star_lingers_although_it_has_no_outcome_now() -> None:
    """It goes without a comment, as no request names it."""
    mine = published(B, line="@{web.ip} web", names=("web",), of_all=True)
    both = step([published(A, of_all=True), mine], everything=True)
    gone = step(mine, both.memory, 10.0, everything=True)
    assert (addresses(gone), gone.again_at, gone.kept) == ([B, A], 12.0, frozenset({A}))
    taken = step(mine, both.memory, 10.0, {A: OTHER}, everything=True)
    assert (addresses(taken), len(taken.block.withheld), list(taken.memory)) == ([B], 0, ["@{web.ip} web"])
    over = step(mine, gone.memory, 12.0, everything=True)
    assert (over.block, over.again_at) == (Block((Record(B, ("web",)),)), None)


def test_the_only_line_of_a_star_lingers_like_any_other() -> None:
    """There may be no other line, as in a host file with one container."""
    gone = step([], step(published(A, of_all=True), everything=True).memory, 10.0, everything=True)
    assert (addresses(gone), gone.again_at) == ([A], 12.0)
    assert addresses(step([], gone.memory, 12.0, everything=True)) == []


def test_a_line_that_left_the_template_goes_at_once() -> None:
    """A line of a star goes at once when there is no star any more."""
    line = published(B, line="192.0.2.1 x", names=("x",))
    assert addresses(step(line, step([published(A), line]).memory)) == [B]
    assert addresses(step(line, step([published(A, of_all=True), line], everything=True).memory)) == [B]
    star = published(B, line="@{web.ip} web", names=("web",), of_all=True)
    assert addresses(step(star, step([published(A), star], everything=True).memory, everything=True)) == [B]


# The new holders of addresses.


@pytest.mark.parametrize("outcome", [GONE, UNKNOWN])
def test_the_holder_of_a_lost_address_is_named_while_it_has_it(outcome: Gone | Unknown) -> None:
    """After that the reason is as before, and stays so for any later holder."""
    taken = step(outcome, BEFORE, 0.0, {A: OTHER})
    (withheld,) = taken.block.withheld
    assert (withheld.reason, taken.again_at) == (f"{outcome.reason}; its last address 10.0.0.5 is other's now", None)
    again = step(outcome, taken.memory, 99.0, {A: OTHER})
    assert (again.block, again.kept) == (taken.block, frozenset({A}))
    for memory in (again.memory, step(outcome, again.memory, 100.0).memory):
        assert step(outcome, memory, 100.0).block.withheld == (Withheld(LINE, outcome.reason),)
    assert step(outcome, step(outcome, again.memory, 100.0).memory, 101.0, {A: OTHER}).block.withheld == (
        Withheld(LINE, outcome.reason),
    )
    assert step(published(B), again.memory, 100.0, {A: OTHER}).block == Block((Record(B, ("db",)),))


def test_a_later_run_gives_the_same_reason_for_a_lost_address() -> None:
    """Otherwise each comparison by a command would find the file wrong. The holder is looked up anew."""
    block = step(GONE, BEFORE, 0.0, {A: OTHER}).block
    assert step(GONE, memory_of([GONE], block), 50.0, {A: OTHER}).block == block
    assert step(GONE, memory_of([GONE], block), 50.0).block == Block((), (Withheld(LINE, "gone"),))
    forged = "; its last address ".join(["x", *["10.0.0.5 is y", "1.2.3 is y", "::::: is y", "is y"] * 1000])
    found = memory_of([GONE], Block((), (Withheld(LINE, forged), Withheld("@{x.ip} x", forged))))
    assert step(GONE, found, 50.0, {A: OTHER}).block == block


def test_a_name_is_bound_to_an_address_once() -> None:
    """Lines may overlap, in any case of letters."""
    found = [published(A, names=("db", "x")), published(A, line="b", names=("DB", "y")), published(A, line="c")]
    assert step(list(found)).block.records == (Record(A, ("db", "x")), Record(A, ("y",)))


# Records of an earlier run.


@pytest.mark.parametrize(
    ("line", "record", "mine"),
    [
        ("@{db.ip} db", Record(A, ("db",)), True),
        ("@{db.ip} db", Record(A, ("db", "main")), True),
        ("@{db.ip} db", Record(A, ("dbx",)), False),
        ("@{db.ip} d.b", Record(A, ("dxb",)), False),
        ("@{db.ip} @{db.name}.x", Record(A, ("shop-db-1.x",)), True),
        ("@{db.ip} @{db.name}.x", Record(A, ("shop-db-1",)), False),
    ],
)
def test_a_record_in_a_file_belongs_to_the_line_with_its_names(line: str, record: Record, mine: bool) -> None:
    """The container that had the address is not known."""
    expected = {line: Last((record,), (Origin(),))} if mine else {}
    assert memory_of([Unknown(line, "")], Block((record,))) == expected


def test_records_of_an_earlier_run_stay_until_the_line_is_known() -> None:
    """The address's holder may be a container that has not been read yet. A record of a gone line goes."""
    memory = memory_of([UNKNOWN], Block((Record(A, ("db",)),)))
    assert addresses(step(UNKNOWN, memory, holders={A: DB})) == [A]
    assert addresses(step(GONE, memory, holders={A: DB})) == []
    assert addresses(step(GONE, memory)) == [A]


outcome_kinds: st.SearchStrategy[Callable[[], Outcome]] = st.sampled_from(
    [lambda: GONE, lambda: UNKNOWN, lambda: REFUSED, lambda: published(A), lambda: published(A, B)]
)


@given(st.lists(st.tuples(outcome_kinds, st.floats(0, 3), st.booleans())))
def test_only_what_was_published_is_ever_said_and_never_another_s_address(
    rounds: list[tuple[Callable[[], Outcome], float, bool]],
) -> None:
    """In any sequence of outcomes each line is either there, with records that were published, or withheld."""
    now, said = 0.0, set[AddressOrWords]()
    current: Memory = {}
    for make, seconds, taken in rounds:
        now += seconds
        outcome = make()
        holders = {A: OTHER} if taken and not isinstance(outcome, Published) else {}
        if isinstance(outcome, Published):
            said = {record.address for record in outcome.records}
        after = step(outcome, current, now, holders)
        assert set(addresses(after)) <= said
        assert not holders.keys() & set(addresses(after))
        assert bool(after.block.records) is not bool(after.block.withheld)
        assert after.again_at is None or after.again_at > now
        current = after.memory


def test_backoff_doubles_up_to_its_most() -> None:
    """Each wait is shortened by up to half, so that retries are spread. A success begins anew."""
    backoff = Backoff(0.5, 3.0)
    assert [backoff.failed(0.0) for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert backoff.failed(1.0) == 1.5
    backoff.succeeded()
    assert backoff.failed(0.0) == 0.5
    backoff.failures = 10_000
    assert backoff.failed(0.0) == 3.0
