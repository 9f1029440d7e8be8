"""The lines of `services: "*"`: whatever comes, in whatever steps, they are those of a new computation."""

import gc
import weakref
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostwatch.core.block.records import Withheld
from hostwatch.core.resolve import desired, line_list
from hostwatch.core.resolve.everything import everything_of
from hostwatch.core.resolve.line_list import Line, LineList
from hostwatch.core.resolve.linger import Others, Resolved, after_linger
from hostwatch.core.resolve.outcome import Gone, Memory, Outcome, Refused, Unknown
from hostwatch.core.resolve.parts import part_of
from hostwatch.core.store import lister, results
from tests.core.build import UNKNOWN, box, desired_block, ip, key, net, on, outcomes, store, told
from tests.core.histories import Step, histories, often, watched
from tests.core.test_linger import published
from tests.core.test_store import everything_told

names = st.integers(0, 200).map(lambda number: f"n{number:03}")


@given(st.lists(st.tuples(names, st.sampled_from([None, "a", "b"])), max_size=400))
def test_a_list_of_lines_is_in_order(changes: list[tuple[str, str | None]]) -> None:
    """However lines come, go and change, each is in one part, and each part is as its lines are."""
    found, expected = LineList(), dict[str, Outcome]()
    for name, reason in changes:
        if reason is None:
            found.remove((name,))
            expected.pop(name, None)
        else:
            expected[name] = Refused(name, reason)
            found.put(Line((name,), name, frozenset(), expected[name]))
        if reason == "a":
            found.is_part_made()
    while found.is_part_made():
        pass
    in_order = [expected[name] for name in sorted(expected)]
    assert [line.outcome for stretch in found for line in stretch.lines] == in_order
    assert [outcome for stretch in found if stretch.part is not None for outcome in stretch.part.outcomes] == in_order


@often
@given(histories, st.integers(1, 30), st.booleans())
def test_changes_may_be_taken_in_by_a_few_steps_between_others(history: list[Step], steps: int, are_many: bool) -> None:
    """In the end all lines are those of a new computation."""
    made = watched()
    with pytest.MonkeyPatch.context() as patch:
        if are_many:  # so that what a change drops is dropped by steps, too
            patch.setattr(results, "_AT_ONCE", 0)
        for method, arguments in history:
            method(made, *arguments)
            for file in made.subscriber_files:
                for request in made.sharing(file).requests:
                    if request.query.subscription.everything:
                        everything_of(made, request.query).is_complete(steps)
        kept = everything_told(made)
        made.results.clear()
        assert kept == everything_told(made)


@often
@given(histories)
def test_beside_other_lines_only_those_with_their_names_are_looked_at(history: list[Step]) -> None:
    """The file is the same as if all lines were joined one by one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_list, "_MOST", 2)
        made = watched()
        for method, arguments in history:
            method(made, *arguments)
        found = {file: outcomes(made, file) for file in made.subscriber_files}
        patch.setattr(desired, "_last_star", lambda _: None)
        for file, lines in found.items():
            expected = outcomes(made, file)
            assert len(lines) == len(expected)
            assert {outcome.line: outcome for outcome in lines} == {outcome.line: outcome for outcome in expected}


def test_a_file_with_more_lines_than_results_are_kept_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results that are dropped for being too many do not keep it from its end."""
    monkeypatch.setattr(lister, "_MOST_RESULTS", 10)
    monkeypatch.setattr(lister, "_MOST_OF_EACH", 1)
    boxes = [box(f"s{number}", on("front", f"10.0.1.{number}", aliases=(f"a{number}",))) for number in range(50)]
    made = store(*boxes, box("web", on("front", "10.0.0.2"), labels={"hostwatch.services": "*"}))
    rounds = 0
    while not desired.is_computed(made, made.sharing(key("web")).requests, 5):
        rounds += 1
        assert rounds < 1000
    assert len(outcomes(made, key("web"))) == 51


def test_a_line_that_a_star_gives_too_counts_once() -> None:
    """Whether it is known or not."""
    labels = {"hostwatch.hosts": "@{db.ip} db", "hostwatch.services": "*"}
    web = box("web", on("front", "10.0.0.2"), labels=labels)
    made = store(web, box("db", on("front", "10.0.0.5")))
    assert told(made, "web") == ["10.0.0.5 db", "10.0.0.2 web"]
    made = store(web, box("db", on("front"), state=UNKNOWN))
    assert [outcome.line for outcome in outcomes(made, key("web"))] == ["@{db.ip} db", "@{web.ip} web"]


def test_a_line_that_a_star_withholds_too_counts_once() -> None:
    """With one reason: that of the line, which the file has in its place."""
    labels = {"hostwatch.hosts": "@{db.ip} db", "hostwatch.services": "*", "hostwatch.publish_as": "{hostname}"}
    web = box("web", on("front", "10.0.0.2"), labels=labels)
    made = store(web, *(box(name, on("front", f"10.0.0.{n}"), hostname="db") for n, name in enumerate("ab", 5)))
    asked = "db: no running container"
    assert [each for each in outcomes(made, key("web")) if each.line == "@{db.ip} db"] == [Gone("@{db.ip} db", asked)]
    assert desired_block(made, key("web"), {}, 0.0, 2.0).block.withheld == (Withheld("@{db.ip} db", asked),)


A, B, OTHER = ip("10.0.0.5"), ip("10.0.0.6"), key("other")


def line_of(place: int, kind: int) -> list[Outcome]:
    """The line of a service in one of its states; no line if it is gone."""
    line, names = f"@{{s{place}.ip}} s{place}", (f"s{place}",)
    match kind:
        case 0:
            return [Unknown(line, "unknown")]
        case 1:
            return [Refused(line, "refused")]
        case 2:
            return [published(A, line=line, names=names, of_all=True)]
        case 3:
            return [published(A, B, line=line, names=names, of_all=True)]
        case 4:
            return [published(A, A, line=line, names=names, of_all=True)]
        case _:
            return []


HOLDERS = (
    Others(lambda _, __: frozenset(), lambda _: "x"),
    Others(lambda address, _: frozenset([OTHER] if address == A else []), lambda _: "x"),
)


@given(st.lists(st.tuples(st.lists(st.integers(0, 5), min_size=6, max_size=6), st.booleans(), st.floats(0, 1.5))))
def test_parts_make_no_difference(rounds: list[tuple[list[int], bool, float]]) -> None:
    """One line in each part or all in one: the file is the same."""
    now, memories = 0.0, dict[int, Memory]()
    kept = {(place, kind): part_of(line_of(place, kind)) for place in range(6) for kind in range(6)}
    for kinds, is_taken, seconds in rounds:
        now += seconds
        one_each = tuple(kept[place, kind] for place, kind in enumerate(kinds))
        in_one = (part_of(outcome for part in one_each for outcome in part.outcomes),)
        found = [
            after_linger(Resolved(parts, asks_for_all=True), memory, now, 2.0, HOLDERS[is_taken])
            for parts, memory in zip((one_each, in_one), memories.values() or ({}, {}), strict=True)
        ]
        assert found[0].block == found[1].block
        assert found[0].block.text == found[1].block.text
        assert (found[0].kept, found[0].again_at) == (found[1].kept, found[1].again_at)
        memories = dict(enumerate(each.memory for each in found))


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Objects that refer to each other stay. The daemon searches for none among thousands of long-lived ones."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
def test_lines_that_nobody_asks_for_are_forgotten() -> None:
    """Those of a subscriber that is gone are neither kept nor looked at again with each change."""
    everything = {"hostwatch.services": "*"}
    made = store(net("front", "10.0.0.0/8"), net("back", "10.1.0.0/16"))
    made.put(box("web", on("front", "10.0.0.2"), labels=everything))
    made.put(box("gone", on("front", "10.0.0.3"), on("back", "10.1.0.3"), labels=everything))
    forgotten = weakref.ref(everything_of(made, made.sharing(key("gone")).requests[0].query))
    assert "10.0.0.2 web" in told(made, "gone")
    made.drop(key("gone"))
    made.yield_names(key("gone"))
    for number in range(40):
        made.put(box(f"n{number}", on("front", f"10.0.1.{number}")))
        assert f"10.0.1.{number} n{number}" in told(made, "web")
    assert forgotten() is None
    forgotten = weakref.ref(everything_of(made, made.sharing(key("web")).requests[0].query))
    made.results.clear()
    assert forgotten() is None
