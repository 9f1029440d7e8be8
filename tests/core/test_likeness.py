"""Similar names, and those that count as typing errors."""

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from hostwatch.core.likeness import differs_by_a_letter, is_slip, nearest_of, neighbours
from tests.effort import examples

NAMES = st.text("ab-", max_size=6)


def test_a_letter_may_be_missing_added_wrong_or_in_the_wrong_place() -> None:
    """One such error, not two."""
    for slip in ("databse", "dattabase", "databaze", "dtaabase"):
        assert differs_by_a_letter(slip, "database")
        assert is_slip(slip, "database")
    for other in ("database", "dtabse", "data", "databsea-", ""):
        assert not differs_by_a_letter(other, "database")
    assert is_slip("bd", "db")


def test_names_of_their_own_are_no_slips() -> None:
    """Names that differ by a number are two names, and so are short ones that differ by a letter."""
    for one, other in (("web1", "web2"), ("web", "web1"), ("app", "api"), ("db", "dbs")):
        assert differs_by_a_letter(one, other)
        assert not is_slip(one, other)


def test_the_nearest_may_differ_by_case() -> None:
    """Case counts in labels."""
    assert nearest_of("Services", ("hosts", "services")) == "services"
    assert nearest_of("host", ("hosts", "services")) == "hosts"
    assert nearest_of("nonsense", ("hosts", "services")) is None


@given(NAMES, NAMES)
@settings(max_examples=examples(500), deadline=None)
def test_neighbours_are_those_that_differ_by_a_letter(one: str, other: str) -> None:
    """All such names, and besides them only the name itself."""
    assert set(one + other) <= set(string.ascii_lowercase + "-")
    found = set(neighbours(one)) - {one}
    assert (other in found) == differs_by_a_letter(one, other)
