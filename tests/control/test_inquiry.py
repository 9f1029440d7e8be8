"""What is asked of the history: times as users write them, and which changes and blocks are meant."""

import ipaddress
from dataclasses import replace
from datetime import datetime

import pytest

from hostwatch.control import past
from hostwatch.control.blocks import Blocks, FileBlock, FileKey
from hostwatch.control.history import Change, History
from hostwatch.control.inquiry import USUAL_LIMIT, Inquiry, InquiryError, inquiry, moment
from hostwatch.core.block.delta import Delta
from hostwatch.core.block.differences import NameChange
from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import ContainerId, ContainerKey, EngineId

NOW = datetime(2026, 1, 2, 14, 30, 15).astimezone().timestamp()
OLD, NEW = ipaddress.ip_address("172.18.0.4"), ipaddress.ip_address("172.18.0.5")


def key(start: str) -> ContainerKey:
    """The key of a container whose id begins so."""
    return ContainerKey(EngineId("engine"), ContainerId(start.ljust(64, "0")))


def change(number: int, subscriber: str, owner: ContainerKey, name: str, withheld: str = "") -> Change:
    """A change of one name, and of a withheld line."""
    lines = (Withheld(withheld, "gone"),) if withheld else ()
    return Change(
        number, float(number), owner, subscriber, "cause", (NameChange(name, (OLD,), (NEW,)),), lines, (), 0.0
    )


CHANGES = (
    change(1, "web", key("db"), "db"),
    change(2, "db", key("4f"), "Cache"),
    change(3, "app", key("4f1"), "mq", "@{cache.ip} cache cache.internal"),
)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90", "2026-01-02T14:28:45"),
        ("1h30m", "2026-01-02T13:00:15"),
        ("2d", "2025-12-31T14:30:15"),
        ("14:03", "2026-01-02T14:03:00"),
        ("9:03:07", "2026-01-02T09:03:07"),
        ("14:31", "2026-01-01T14:31:00"),
        ("2026-01-02", "2026-01-02T00:00:00"),
        ("2026-01-02 14:03", "2026-01-02T14:03:00"),
        ("2026-01-02T14:03:04.678", "2026-01-02T14:03:04.678"),
    ],
)
def test_a_time_is_taken_as_users_write_it(text: str, meant: str) -> None:
    """Without a zone it is local; a time of day is the last one that was."""
    assert moment(text, NOW) == datetime.fromisoformat(meant).astimezone().timestamp()


def test_a_time_may_carry_its_zone() -> None:
    """As those in the history do."""
    assert moment("2026-01-02T03:04:05.678Z", NOW) == 1767323045.678
    assert moment("2026-01-02T04:04:05.678+01:00", NOW) == 1767323045.678


@pytest.mark.parametrize(
    "text", ["", "soon", "24:00", "14:60", "2026-13-01", "9" * 400, "1e3", "\x1b[31m", "0001-01-01"]
)
def test_other_words_are_no_time(text: str) -> None:
    """The message says what would be one, and repeats no control character."""
    with pytest.raises(InquiryError, match=r"no time; write how long ago, as in 90s, 1h or 2d") as error:
        moment(text, NOW)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 300


def test_parameters() -> None:
    """As in a query string."""
    pairs = [
        ("subscriber", "web"),
        ("subscriber", "app"),
        ("name", "DB"),
        ("since", "1h"),
        ("limit", "5"),
        ("after", "7"),
    ]
    asked = inquiry(pairs, NOW)
    assert asked == Inquiry(("web", "app"), frozenset(["db"]), NOW - 3600, after=7, limit=5)
    assert inquiry([], NOW).limit == USUAL_LIMIT


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("limit", "0", "no limit"),
        ("after", "x", "no number of a change"),
        ("limit", "-1", "no limit"),
        ("limit", "1" * 5000, "no limit"),
        ("limit", "²", "no limit"),
        ("nmae", "db", "no such parameter; there are subscriber, name, since, after, at, limit"),
    ],
)
def test_other_parameters_are_refused(name: str, value: str, words: str) -> None:
    """A filter with a typing error would look as if nothing had happened."""
    with pytest.raises(InquiryError, match=words):
        inquiry([(name, value)], NOW)


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        (Inquiry(), [1, 2, 3]),
        (Inquiry(("web",)), [1]),
        (Inquiry(("db",)), [2]),  # no beginning of an id, as it is a name
        (Inquiry(("4f",)), [2, 3]),
        (Inquiry(("4f1",)), [3]),
        (Inquiry(("no-such",)), []),
        (Inquiry(("",)), []),
        (Inquiry(names=frozenset(["cache"])), [2, 3]),
        (Inquiry(names=frozenset(["cache", "db"])), [1, 2, 3]),
        (Inquiry(("web",), frozenset(["cache"])), []),
        (Inquiry(since=2.0), [2, 3]),
        (Inquiry(limit=2), [2, 3]),
        (Inquiry(after=2), [3]),
    ],
)
def test_changes_are_filtered(asked: Inquiry, numbers: list[int]) -> None:
    """By all that is given; of more than the limit the newest."""
    asked = asked.resolved({"web", "db", "app"}, ())
    assert [found["id"] for found in past.changes(asked, CHANGES)] == numbers


async def test_a_key_of_the_configuration_means_all_its_files() -> None:
    """Those that match it now."""
    history = History()
    for each in CHANGES:
        history.add(each)
    memory = past.Past(history, Blocks(), lambda: None)
    answer = await memory.answer(Inquiry(("entry",)), (), [CHANGES[0].key, CHANGES[2].key])
    assert [found["id"] for found in answer["changes"]] == [1, 3]


async def test_a_moment_shows_the_lines_that_are_asked_for() -> None:
    """Of the subscribers that are asked for."""
    blocks = Blocks()
    block = Block((Record(OLD, ("db",)), Record(NEW, ("Cache",))), (Withheld("@{mq.ip} mq", "mq: gone"),))
    for name in ("web", "app"):
        blocks.change(FileBlock(FileKey(key(name)), name, block), Delta(), 1.0)
    blocks.known_since = 0.0
    asked = replace(Inquiry(("web",), frozenset(["cache", "mq"])), at=1.0)
    memory = past.Past(History(), blocks, lambda: None)
    assert await memory.answer(asked, ["web", "app"], ()) == {
        "at": "1970-01-01T00:00:01.000Z",
        "known_since": "1970-01-01T00:00:00.000Z",
        "blocks": [
            {
                "subscriber": "web",
                "subscriber_id": key("web").id,
                "file": "hosts",
                "records": [{"address": "172.18.0.5", "names": ["Cache"]}],
                "withheld": [{"line": "@{mq.ip} mq", "reason": "mq: gone"}],
            }
        ],
    }
