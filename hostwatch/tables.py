"""What `hostwatch status` prints for people. Rich takes 3 MB of memory, so that only who prints imports this."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hostwatch.core.names import printable


def print_status(found: Mapping[str, Any]) -> None:
    """Print what `--json` prints, for people."""
    console = Console()
    engine = found["engine"]
    console.print(_plain(f"engine {engine['version']} (API {engine['api']})"))
    console.print(_services_table(found["services"]))
    for subscriber in found["subscribers"]:
        verdict = "right" if subscriber["in_sync"] else subscriber["error"] or "not right yet"
        console.print(_plain(f"{subscriber['name']}: {verdict}"))
        console.print(_subscriber_table(subscriber))
    if not found["subscribers"]:
        console.print("no running container subscribes", highlight=False)


def _services_table(services: list[Mapping[str, Any]]) -> Table:
    table = Table("service", "names", "from", "container", "state", "addresses", box=None, header_style="bold")
    for service in services:
        row = (service["name"], " ".join(service["names"]), service["source"])
        for container in service["containers"]:
            health = f" ({container['health']})" if container["health"] else ""
            places = container["addresses"].items()
            addresses = ", ".join(f"{' '.join(found)} on {network}" for network, found in places)
            table.add_row(*map(_plain, (*row, container["name"], container["state"] + health, addresses or "-")))
            row = ("", "", "")
        if not service["containers"]:
            table.add_row(*map(_plain, (*row, "-", "", "")))
    return table


def _subscriber_table(subscriber: Mapping[str, Any]) -> Table:
    table = Table(box=None, show_header=False)
    for record in subscriber["records"]:
        table.add_row(_plain(record["address"]), _plain(" ".join(record["names"])))
    for withheld in subscriber["withheld"]:
        table.add_row("withheld", _plain(f"{withheld['line']} ({withheld['reason']})"))
    return table


def _plain(text: str) -> Text:
    """Text that others choose in part, such as names of networks: no markup, nothing but what can be printed."""
    return Text(printable(text))
