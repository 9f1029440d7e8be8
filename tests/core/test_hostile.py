"""Hostile texts in a label or in a container's own hosts file: they must neither cost much time nor stop hostwatch."""

import pytest

from hostwatch.core.block import hostsfile
from hostwatch.core.block.edit import steps
from hostwatch.core.block.records import Block, Record
from hostwatch.core.names import printable
from hostwatch.core.patterns import MOST_PATTERNS
from hostwatch.core.resolve.outcome import Unknown
from hostwatch.core.resolve.recall import memory_of
from hostwatch.core.rules import Match, Rules
from hostwatch.core.store.selection import Roles, roles
from tests.core.build import ENGINE, STOPPED, box, hosts, ip, key, net, on, outcomes, store, told
from tests.noise import cpu_seconds

pytestmark = pytest.mark.timeout(20)


@pytest.mark.parametrize("number", ["9" * 5_000, "-1", "1e3", "\u0663", ""])
def test_a_container_number_that_is_none_orders_and_stops_nothing(number: str) -> None:
    """Any user may set the label of Compose."""
    labels = {"com.docker.compose.container-number": number}
    made = store(
        net("front", "10.0.0.0/8"),
        box("web", on("front", "10.0.0.9"), labels=hosts("@{db.ip} db")),
        box("one", on("front", "10.0.0.1", aliases=("db",)), labels=labels),
        box("two", on("front", "10.0.0.2", aliases=("db",)), created=1.0),
    )
    assert told(made, "web") == ["10.0.0.1 db", "10.0.0.2 db"]


@pytest.mark.parametrize(
    "names",
    ["@{db.name}" * 50 + "z", "@{db.name}a" * 30 + "z", " ".join(f"@{{db.name}}{number}" for number in range(300))],
    ids=["references alone", "with literals between", "many"],
)
def test_names_of_references_are_found_again_in_linear_time(names: str) -> None:
    """The container chooses both the line and the block that it is compared with."""
    block = Block((Record(ip("192.0.2.1"), ("a" * 250, *(f"{'a' * 60}{number}" for number in range(2_000)))),))
    assert cpu_seconds(lambda: memory_of([Unknown(f"@{{db.ip}} {names}", "")], block)) < 1


def test_a_thousand_lines_are_found_again_among_many_records() -> None:
    """In one pass over both."""
    block = Block(tuple(Record(ip("192.0.2.1"), (f"name-{number}",)) for number in range(20_000)))
    lines = [Unknown(f"@{{db.ip}} name-{number}", "") for number in range(1_000)]
    assert cpu_seconds(lambda: memory_of(lines, block)) < 1


@pytest.mark.parametrize(
    ("label", "value", "reason"),
    [
        ("hosts", "192.0.2.1 " + "a " * 6_000, "more than 6000 words"),
        ("hosts", "@{db.ip} db\n" * 100_000, "longer than"),
        ("hosts", "x" * (1 << 20), "longer than"),
        ("services", " ".join(map(str, range(1_001))), "more than 1000 services"),
        ("names", " ".join(f"n{number}" for number in range(65)), "more than 64 names"),
    ],
    ids=["words", "100,000 lines", "1 MB", "services", "names"],
)
def test_a_label_that_would_cost_time_at_each_event_is_refused(label: str, value: str, reason: str) -> None:
    """Any user who may start a container may write it."""
    found: list[Roles] = []
    assert cpu_seconds(lambda: found.append(roles(box("web", labels={f"hostwatch.{label}": value}), Rules()))) < 0.3
    assert [reason in fault.reason for fault in found[0].faults] == [True]


_SOON_SECONDS = 2.0
"""The slowest, that of the patterns, takes 0.6 to 0.7 s alone, and 1.2 s where others empty the processor's caches. A
work that grows with the square of the names takes a minute."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "labels",
    [
        hosts(*(f"@{{db.ip}} name-{number} n{number} m{number}" for number in range(900))),
        hosts("\n".join(f"@{{gone{number}.ip}} b" for number in range(1_000))),
        hosts(*("192.0.2.1 " + "a " * 370 for _ in range(16))),
        hosts(*(f"@{{db.ip}} y{number} " + "@{db.ip}x " * 370 for number in range(16))),
        {"hostwatch.services": " ".join(f"s{number}" for number in range(1_000))},
        {"hostwatch.services": "*"},
        {"hostwatch.services": "*", "hostwatch.publish_as": " ".join(f"{{name}}.{n}x" for n in range(MOST_PATTERNS))},
    ],
    ids=["900 lines", "to nobody", "words", "references", "services", "everything", "patterns"],
)
def test_the_largest_request_of_a_label_is_soon_answered(labels: dict[str, str]) -> None:
    """With 30 containers that publish as many names as allowed. This time is spent at each event."""
    strangers = (
        box(f"s{number}", on("front", f"10.1.0.{number}"), labels={"hostwatch.names": " ".join(_names(number))})
        for number in range(30)
    )
    made = store(
        net("front", "10.0.0.0/8"),
        box("db", on("front", "10.0.0.1")),
        box("web", on("front", "10.0.0.2"), labels=labels),
        *strangers,
    )
    assert made.roles(key("web")).subscriptions
    assert cpu_seconds(lambda: outcomes(made, key("web"))) < _SOON_SECONDS


def _names(number: int) -> list[str]:
    return [f"n{number}x{other}" for other in range(64)]


SIZE = hostsfile.LIMIT
TEXTS = {
    "newlines": b"\n" * SIZE,
    "short lines": b"a\n" * (SIZE // 2),
    "one line": b"a" * SIZE,
    "shadows": b"::1 db\n" * (SIZE // 7),
    "names": b"1.1.1.1" + b" db" * ((SIZE - 7) // 3),
    "ends": b"# hostwatch: end\n" * (SIZE // 17),
    "begins": b"# hostwatch: begin\n" * (SIZE // 19),
    "ours without begin": b"1.1.1.1         a\n" * (SIZE // 18 - 1) + b"# hostwatch: end\n",
    "ours without end": b"# hostwatch: begin\n" + b"1.1.1.1         a\n" * (SIZE // 18 - 2),
    "own": b"10.0.0.1\tdb\n" * (SIZE // 12),
}


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_look_at_the_largest_file_takes_some_tenths_of_a_second(text: bytes) -> None:
    """A thread does that. The event loop looks for the engine's own lines, which takes some 10 ms."""
    block = Block((Record(ip("10.0.0.1"), ("db",)),))
    new: list[bytes] = []
    assert cpu_seconds(lambda: new.append(hostsfile.rewritten(text, block).text)) < 1
    assert cpu_seconds(lambda: steps(text, new[0])) < 1
    assert cpu_seconds(lambda: hostsfile.found(text)) < 1
    assert cpu_seconds(lambda: hostsfile.own_addresses(text, "db")) < 0.3


GLOBS = ("*a*a*a*a*a*a*a*a*b", "*" * 50 + "b", "*a?" * 10 + "b", "[a-z]*" * 10 + "!", "*a" * 100 + "*b")


@pytest.mark.parametrize("glob", GLOBS)
def test_globs_take_linear_time(glob: str) -> None:
    """The operator writes the globs, but any user the labels that are matched."""
    value = "a" * (1 << 20)
    assert cpu_seconds(lambda: Match(label_values=(("tier", (glob,)),)).holds(box("web", labels={"tier": value}))) < 1


@pytest.mark.parametrize("text", ["\x1b[2J", "\u202e", "\x9b31m", "\x7f", "a\rb", "\u2028", "\0", "\udc80"])
def test_printed_text_has_no_effect_on_a_terminal(text: str) -> None:
    """Escape sequences, bidirectional overrides, carriage returns."""
    assert printable(f"{text}ä\t\n").isascii() is False
    assert printable(text).isprintable()


@pytest.mark.parametrize("address", ["10.1.0.66", "10.0.0.254"])
def test_a_starting_container_cannot_claim_an_address_that_it_cannot_have(address: str) -> None:
    """An address on another network, or the host's. The container's first instructions may write such a line."""
    made = store(
        net("front", "10.0.0.0/16", gateways=("10.0.0.254",)),
        net("back", "10.1.0.0/16"),
        box("web", on("back", "10.1.0.2"), labels=hosts("@{db.ip} db")),
        box("evil", on("front"), state=STOPPED, labels={"hostwatch.names": "db"}),
    )
    made.put_early_addresses(key("evil"), [ip(address)])
    assert not made.holders(ENGINE, ip(address))
    assert told(made, "web") == ["Gone db: no running container"]
    made.put_early_addresses(key("evil"), [ip("10.0.0.66")])
    assert made.holders(ENGINE, ip("10.0.0.66")) == {key("evil")}, "what it may have is taken"
