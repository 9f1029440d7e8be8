"""The content of `status --json`, as lines for people."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.text import Text

from hostwatch.terminal.lines import BAD, CHANGING, GOOD, HEAD, line
from hostwatch.terminal.tables import Row, table

_SERVICES = ("SERVICE", "NAMES", "FROM", "CONTAINER", "STATE", "ADDRESSES")
_STATES = {"running": GOOD, "unknown": CHANGING, "stopped": BAD}


def status_lines(found: Mapping[str, Any], width: int | None, *, services: bool = True) -> Iterator[Text]:
    """The lines for a terminal of this width, `None` in a pipe; without `services` of the subscribers alone."""
    engine = found["engine"]
    yield line(f"engine {engine['version']} (API {engine['api']})")
    if services:
        yield from table(_SERVICES, list(_service_rows(found["services"])), width)
    for subscriber in found["subscribers"]:
        yield from _subscriber_lines(subscriber)
    if not found["subscribers"]:
        yield line("no running container subscribes")


def _service_rows(services: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for service in services:
        row = [line((service["name"], HEAD)), line(" ".join(service["names"])), line(service["source"])]
        for container in service["containers"]:
            health = f" ({container['health']})" if container["health"] else ""
            state = line((container["state"] + health, _STATES.get(container["state"], "")))
            places = container["addresses"].items()
            addresses = ", ".join(f"{' '.join(found)} on {network}" for network, found in places)
            yield [*row, line(container["name"]), state, line(addresses or "-")]
            row = [line(), line(), line()]
        if not service["containers"]:
            yield [*row, line("-"), line(), line()]


def _subscriber_lines(subscriber: Mapping[str, Any]) -> Iterator[Text]:
    verdict = ("right", GOOD) if subscriber["in_sync"] else (subscriber["error"] or "not right yet", BAD)
    yield line((subscriber["name"], HEAD), ": ", verdict)
    records = subscriber["records"]
    widest = max((len(record["address"]) for record in records), default=0)
    for record in records:
        yield line(f"  {record['address']:<{widest}}  {' '.join(record['names'])}")
    for withheld in subscriber["withheld"]:
        yield line("  ", ("withheld", CHANGING), f"  {withheld['line']} ({withheld['reason']})")
