"""The judges of a noisy machine: a wrong round counts unless the machine stood still in it, and then two do not."""

import os

import pytest

from tests.noise import Stalls, crowd, wrong_rounds


@pytest.mark.parametrize(("stalled", "wrong"), [(0.0, [1, 3, 4]), (1.0, [4])])
def test_a_wrong_round_counts_unless_the_machine_stood_still(
    monkeypatch: pytest.MonkeyPatch, stalled: float, wrong: list[int]
) -> None:
    """Rounds 1, 3 and 4 of five are wrong."""
    monkeypatch.setattr(Stalls, "taken", lambda _: stalled)
    assert wrong_rounds(5, lambda number: number in (0, 2)) == wrong


@pytest.mark.parametrize(("load", "times"), [(0.1, 1.0), (4.0, 1.0), (12.0, 3.0)])
def test_waits_are_longer_in_a_crowd_alone(monkeypatch: pytest.MonkeyPatch, load: float, times: float) -> None:
    """On two processors."""
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert crowd() == times
