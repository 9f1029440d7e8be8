"""The history for people: one line per change, whatever containers chose."""

import pytest

from hostwatch.terminal.changes import change_line, moment_lines, note_lines

CHANGE = {
    "id": 42,
    "time": "2026-01-02T03:04:05.678Z",
    "subscriber": "shop-web-1",
    "subscriber_id": "4f" * 32,
    "file": "hosts",
    "cause": "start of db",
    "changes": [
        {"name": "db", "old": ["172.18.0.4"], "new": ["172.18.0.5", "172.18.0.6"]},
        {"name": "mq", "old": [], "new": ["172.18.0.7"]},
    ],
    "withheld": [{"line": "@{x.ip} x", "reason": "x: no running container"}],
    "no_longer_withheld": ["@{mq.ip} mq"],
    "ms": 1.8,
}
BLOCK = {
    "subscriber": "shop-web-1",
    "subscriber_id": "4f" * 32,
    "file": "hosts",
    "records": [{"address": "172.18.0.4", "names": ["db", "mysql"]}, {"address": "10.0.0.1", "names": ["cache"]}],
    "withheld": [{"line": "@{x.ip} x", "reason": "x: no running container"}],
}
MOMENT = {"at": "2026-01-02T03:04:05.678Z", "known_since": "2026-01-01T00:00:00.000Z", "blocks": [BLOCK]}


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zone of its own."""
    monkeypatch.setattr("hostwatch.terminal.changes.local", lambda instant: f"<{instant}>")


def test_a_change_is_one_line() -> None:
    """When, whose, what, why, how long."""
    assert change_line(CHANGE).plain == (
        "<2026-01-02T03:04:05.678Z>  shop-web-1: db 172.18.0.4 → 172.18.0.5,172.18.0.6; mq - → 172.18.0.7;"
        " withheld: @{x.ip} x (x: no running container); no longer withheld: @{mq.ip} mq (start of db, 1.8 ms)"
    )


def test_a_resolv_conf_is_named() -> None:
    """In a change, and in a block with its lines."""
    change = {**CHANGE, "file": "resolv", "changes": [{"name": "nameserver", "old": ["10.0.0.4"], "new": ["10.0.0.5"]}]}
    assert "  shop-web-1: resolv.conf: nameserver 10.0.0.4 → 10.0.0.5; withheld: " in change_line(change).plain
    block = {**BLOCK, "file": "resolv", "records": [], "lines": [{"line": "nameserver 10.0.0.5"}]}
    assert [text.plain for text in moment_lines({**MOMENT, "blocks": [block]})] == [
        "shop-web-1: resolv.conf at <2026-01-02T03:04:05.678Z>",
        "  nameserver 10.0.0.5",
        "  withheld  @{x.ip} x (x: no running container)",
    ]


def test_hostile_text_stays_in_its_line() -> None:
    """A name cannot move the cursor, begin a line or change colours."""
    hostile = "a\x1b[31m\nb\rc\u2028\u202e"
    change = {**CHANGE, "subscriber": hostile, "cause": hostile, "no_longer_withheld": [hostile]}
    assert change_line(change).plain.isprintable()


def test_a_long_change_says_how_many_more() -> None:
    """A line of a megabyte helps nobody; JSON has all."""
    names = [{"name": f"n{number}", "old": [], "new": ["10.0.0.1"]} for number in range(5_000)]
    text = change_line({**CHANGE, "changes": names}).plain
    assert "n99 - → 10.0.0.1; and 4900 more; withheld" in text


def test_a_moment_shows_blocks() -> None:
    """As status does."""
    assert [line.plain for line in moment_lines(MOMENT)] == [
        "shop-web-1 at <2026-01-02T03:04:05.678Z>",
        "  172.18.0.4  db mysql",
        "  10.0.0.1    cache",
        "  withheld  @{x.ip} x (x: no running container)",
    ]


def test_a_moment_without_blocks_says_why() -> None:
    """Nothing stood there, or nothing is known."""
    (line,) = moment_lines({**MOMENT, "blocks": []})
    assert line.plain == "no such line stood in any file at <2026-01-02T03:04:05.678Z>"
    (line,) = moment_lines({**MOMENT, "blocks": [], "known_since": "2026-01-03T00:00:00.000Z"})
    assert line.plain.endswith("the history begins at <2026-01-03T00:00:00.000Z>")


def test_notes() -> None:
    """Only if there are any."""
    assert [line.plain for line in note_lines({"notes": ["the file is corrupt"]})] == ["note: the file is corrupt"]
    assert list(note_lines({})) == []
