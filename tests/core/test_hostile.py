"""Texts made to cost time, or to stop hostwatch: what anybody may put in a label or in its own hosts file."""

import time
from collections.abc import Callable

import pytest

from hostwatch.core.hold import memory_of
from hostwatch.core.outcome import Unknown
from hostwatch.core.records import Block, Record
from tests.core.build import box, hosts, inventory, ip, net, on, told

pytestmark = pytest.mark.timeout(20)


def cpu_seconds(work: Callable[[], object]) -> float:
    """The processor time that it takes, whatever else runs on the machine."""
    before = time.process_time()
    work()
    return time.process_time() - before


@pytest.mark.parametrize("number", ["9" * 5_000, "-1", "1e3", "\u0663", ""])
def test_a_container_number_that_is_none_orders_and_stops_nothing(number: str) -> None:
    """Anybody may set the label of Compose."""
    labels = {"com.docker.compose.container-number": number}
    made = inventory(
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
    """The container writes both the line and the block that it is compared with."""
    block = Block((Record(ip("192.0.2.1"), ("a" * 250, *(f"{'a' * 60}{number}" for number in range(2_000)))),))
    assert cpu_seconds(lambda: memory_of([Unknown(f"@{{db.ip}} {names}", "")], block)) < 1


def test_a_thousand_lines_are_found_again_among_many_records() -> None:
    """In one pass over both."""
    block = Block(tuple(Record(ip("192.0.2.1"), (f"name-{number}",)) for number in range(20_000)))
    lines = [Unknown(f"@{{db.ip}} name-{number}", "") for number in range(1_000)]
    assert cpu_seconds(lambda: memory_of(lines, block)) < 1
