"""The judge of rounds: a wrong round counts unless the machine stood still in it, and then two of them do not."""

import pytest

from tests.noise import Stalls, wrong_rounds


@pytest.mark.parametrize(("stalled", "wrong"), [(0.0, [1, 3, 4]), (1.0, [4])])
def test_a_wrong_round_counts_unless_the_machine_stood_still(
    monkeypatch: pytest.MonkeyPatch, stalled: float, wrong: list[int]
) -> None:
    """Rounds 1, 3 and 4 of five are wrong."""
    monkeypatch.setattr(Stalls, "taken", lambda _: stalled)
    assert wrong_rounds(5, lambda number: number in (0, 2)) == wrong
