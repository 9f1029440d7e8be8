"""Standby: which process is said to be waited for, and the end of its connection."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from hostwatch.hosts import keeper
from hostwatch.hosts.keeper import Keeper
from hostwatch.hosts.lock import DirectoryLock, Holder

FIRST, UNSEEN = Holder(is_hostwatch=True, pid=1, command="first"), Holder(is_hostwatch=True)


@pytest.mark.parametrize(
    ("holders", "told"),
    [
        ([FIRST, FIRST, UNSEEN], ["process 1 (first)"]),
        ([FIRST, UNSEEN, FIRST], ["process 1 (first)"]),
        ([FIRST, UNSEEN, UNSEEN, UNSEEN], ["process 1 (first)", "not visible"]),
        ([UNSEEN], ["not visible"]),
    ],
)
async def test_a_holder_that_is_seen_for_a_moment_only_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holders: list[Holder], told: list[str]
) -> None:
    """A process that ends still has the lock when it is not visible any more."""
    seen: Iterator[Holder] = iter(holders)
    taken = iter([False] * len(holders) + [True])
    monkeypatch.setattr(keeper, "_STANDBY_SECONDS", 0.0)
    monkeypatch.setattr(DirectoryLock, "holder", lambda _: next(seen))
    monkeypatch.setattr(DirectoryLock, "take", lambda *_: next(taken))
    found: list[str | None] = []
    with closing(Keeper()) as made, anyio.fail_after(10):
        await made.opened(tmp_path)
        await made.wait(lambda: found.append(made.standby))
    *lines, last = found
    assert last is None
    assert [text in (line or "") for line, text in zip(lines, told, strict=True)] == [True] * len(told)


async def test_attempts_follow_the_end_of_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a hint the next attempt would be due in an hour. The lock is free a moment after the connection's end."""
    ended, attempts = anyio.Event(), iter([False, False, False, True, True])
    monkeypatch.setattr(keeper, "_STANDBY_SECONDS", 3600.0)
    monkeypatch.setattr(DirectoryLock, "holder", lambda _: FIRST)
    monkeypatch.setattr(DirectoryLock, "take", lambda *_: next(attempts))
    with closing(Keeper(ended.wait)) as made, anyio.fail_after(10):
        await made.opened(tmp_path)
        await made.wait(ended.set)
    assert next(attempts, None) is None
