"""What `status --watch` shows: the newest answer, and the last known one while the engine is away."""

from datetime import UTC, datetime
from typing import Any

from hostwatch.terminal.picture import Picture

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
LATER = datetime(2026, 1, 2, 12, 0, 5, tzinfo=UTC)


def found(*, connected: bool = True, **in_sync: bool) -> dict[str, Any]:
    """An answer with these subscribers."""
    return {
        "engine": {"connected": connected, "version": "28.5.2", "api": "1.51"},
        "services": [{"name": "db", "names": ["db"], "source": "config", "containers": []}],
        "subscribers": [
            {"name": name, "in_sync": right, "error": None, "records": [], "withheld": []}
            for name, right in in_sync.items()
        ],
        "daemon": None,
    }


def told(picture: Picture, *, services: bool = True) -> list[str]:
    """The lines in a pipe."""
    return [text.plain for text in picture.lines(None, services=services)]


def test_what_is_wrong_comes_first() -> None:
    """A small terminal shows only the beginning."""
    lines = told(Picture().renewed(found(app=True, web=False), NOON))
    assert lines == [
        "engine 28.5.2 (API 1.51)",
        "daemon: none answers, so all of this was read just now",
        "web: not right yet",
        "app: right",
        "SERVICE  NAMES  FROM    CONTAINER  STATE  ADDRESSES",
        "db       db     config  -",
    ]
    assert told(Picture().renewed(found(web=True), NOON), services=False) == [*lines[:2], "web: right"]


def test_the_last_picture_stays_while_the_engine_is_away() -> None:
    """It says since when, whether the engine or only its daemon knows it."""
    known = Picture().renewed(found(web=True), NOON)
    away = known.kept("no engine", NOON).kept("nothing listens", LATER)
    assert told(away)[:3] == [
        "engine away since 12:00:00: nothing listens",
        "what follows is what was known then",
        "web: right",
    ]
    assert not away.found["engine"]["connected"]
    daemon = away.renewed(found(connected=False, web=True), LATER)
    assert told(daemon)[0] == "engine away since 12:00:00"
    assert told(daemon.renewed(found(web=True), LATER)) == told(known)


def test_without_any_answer_there_is_only_the_reason() -> None:
    """No table, and no claim that nobody subscribes."""
    assert told(Picture().kept("no engine at unix:///x", NOON)) == [
        "engine away since 12:00:00: no engine at unix:///x"
    ]


def test_a_subscriber_that_goes_is_named() -> None:
    """The view stays, as the container may come back."""
    gone = Picture().renewed(found(web=True), NOON).without_subscribers("web: no subscriber has this name")
    assert told(gone, services=False) == [*told(gone)[:2], "web: no subscriber has this name"]


def test_a_source_of_other_hosts_that_is_away_comes_first() -> None:
    """One that answers comes last."""
    source = {"source": "cluster", "up": True, "since": "2026-01-02T12:00:00Z", "fault": None, "endpoints": 2}
    right = {**found(web=True), "sources": [source]}
    assert [line[:18] for line in told(Picture().renewed(right, NOON))[-2:]] == [
        "names of other hos",
        "  cluster: answers",
    ]
    away = {**right, "sources": [{**source, "up": False, "fault": "no server answers"}]}
    lines = told(Picture().renewed(away, NOON))
    assert [line[:15] for line in lines[2:5]] == ["names of other ", "  cluster: away", "web: right"]
    assert lines[3].endswith("no server answers")
    assert len([line for line in lines if "cluster" in line]) == 1
