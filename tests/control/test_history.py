"""The changes in memory: as JSON, and for those who follow them or come back."""

import ipaddress
import json
from dataclasses import replace

import pytest

from hostwatch.control.history import KEPT_CHANGES, Change, History, described
from hostwatch.core.block.differences import NameChange
from hostwatch.core.block.records import Withheld
from hostwatch.core.model import ContainerId, ContainerKey, EngineId

OLD, NEW = ipaddress.ip_address("172.18.0.4"), ipaddress.ip_address("172.18.0.5")
CHANGE = Change(
    number=42,
    time=1767323045.678,
    key=ContainerKey(EngineId("engine"), ContainerId("4f" * 32)),
    subscriber="shop-web-1",
    cause="start of db",
    names=(NameChange("db", (OLD,), (NEW,)),),
    withheld=(Withheld("@{mq.ip} mq", "mq: no running container"),),
    no_longer_withheld=("@{x.ip} x",),
    seconds=0.00184,
)


def test_a_change_is_described_as_documented() -> None:
    """Readers depend on each field and its form."""
    assert described(CHANGE) == {
        "id": 42,
        "time": "2026-01-02T03:04:05.678Z",
        "subscriber": "shop-web-1",
        "subscriber_id": "4f" * 32,
        "file": "hosts",
        "cause": "start of db",
        "changes": [{"name": "db", "old": ["172.18.0.4"], "new": ["172.18.0.5"]}],
        "withheld": [{"line": "@{mq.ip} mq", "reason": "mq: no running container"}],
        "no_longer_withheld": ["@{x.ip} x"],
        "ms": 1.8,
    }


def test_whatever_a_container_chose_is_one_line_of_json() -> None:
    """A reader takes a line for a change."""
    hostile = "web\n\u2028\x1b[31m</script>\ud800" + "x" * 100_000
    change = replace(CHANGE, subscriber=hostile, cause=hostile)
    line = json.dumps(described(change))
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["subscriber"] == hostile


@pytest.mark.parametrize(("last", "missed"), [(0, [1, 2, 3]), (2, [3]), (3, []), (4, [1, 2, 3])])
def test_a_reader_who_comes_back_gets_what_it_missed(last: int, missed: list[int]) -> None:
    """All of it, if its last number is another daemon's."""
    history = History()
    for _ in range(3):
        history.add(replace(CHANGE, number=history.next_number))
    assert [change.number for change in history.after(last)] == missed


def test_old_changes_are_forgotten() -> None:
    """The memory is bounded, whatever containers do."""
    history = History()
    for _ in range(KEPT_CHANGES + 5):
        history.add(replace(CHANGE, number=history.next_number))
    assert [change.number for change in history.changes] == [*range(6, KEPT_CHANGES + 6)]
