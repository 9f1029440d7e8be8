"""Back-off, debounce, rate limiter and rivalry at given times."""

import pytest

from hostwatch.core.timing import Backoff, Debounce, RateLimiter, Rivalry


def test_backoff_doubles_up_to_its_most_and_begins_anew() -> None:
    """The random number shortens the wait by up to half."""
    backoff = Backoff(1.0, 5.0)
    assert [backoff.failed(0.0) for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert backoff.failed(1.0) == 2.5
    backoff.succeeded()
    assert backoff.failed(0.0) == 1.0


@pytest.mark.parametrize(
    ("changes", "due"),
    [([], 11.0), ([10.5], 11.5), ([10.5, 11.4, 12.3], 13.3), ([10.9, 11.8, 12.7, 13.6, 14.5], 15.0)],
)
def test_debounce_waits_for_quiet_but_not_for_ever(changes: list[float], due: float) -> None:
    """A second after the last change, and five seconds after the first at the latest."""
    debounce = Debounce(10.0, 1.0, 5.0)
    for now in changes:
        debounce.changed(now)
    assert debounce.due == due


def test_a_key_waits_for_tokens_and_not_for_other_keys() -> None:
    """Four actions of a quarter of a second go on at once. Each later one waits for new tokens."""
    pace: RateLimiter[str] = RateLimiter(1.0)
    for _ in range(4):
        assert pace.wait("a", 10.0) == 0.0
        pace.spend("a", 10.0, 0.25)
    pace.spend("a", 10.0, 0.25)
    assert pace.wait("a", 10.0) == 0.25
    assert pace.wait("b", 10.0) == 0.0
    assert pace.wait("a", 10.25) == 0.0
    pace.spend("a", 100.0, 1.25)  # what was paid back is not saved up
    assert pace.wait("a", 100.0) == 0.25
    for _ in range(100):
        pace.spend("a", 100.0, 0.25)
    assert pace.wait("a", 100.0) == 0.25
    pace.forget("a")
    assert pace.wait("a", 100.0) == 0.0


def test_a_rival_is_noticed_once_and_left_more_and_more_time() -> None:
    """After five equal changes in a row the wait grows, up to a minute, until a long silence."""
    rivalry: Rivalry[str] = Rivalry()
    noticed = []
    for now in range(4):
        rivalry = rivalry.returned("theirs", now)
        noticed.append(rivalry.begins)
        assert rivalry.until < 0
    for now, until in [(4, 5), (5, 7), (7, 11), (100, 108), (200, 216), (300, 332), (400, 460), (500, 560)]:
        rivalry = rivalry.returned("theirs", now)
        noticed.append(rivalry.begins)
        assert rivalry.until == until
    assert [number for number, is_new in enumerate(noticed, 1) if is_new] == [5]
    for now in range(4):
        rivalry = rivalry.returned("theirs", 2000.0 + now)
        assert not rivalry.begins
    assert rivalry.until < 2000


def test_a_different_change_each_time_is_no_rivalry() -> None:
    """Ordinary drift is healed at once."""
    rivalry: Rivalry[int] = Rivalry()
    for number in range(50):
        rivalry = rivalry.returned(number % 2, float(number))
        assert rivalry.until < 0
