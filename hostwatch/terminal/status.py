"""The content of `status --json`, as lines for people."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.text import Text

from hostwatch.terminal.lines import BAD, CHANGING, FAINT, GOOD, HEAD, Part, line
from hostwatch.terminal.tables import Row, table

Found = Mapping[str, Any]
"""The answer of `status --json`, or a part of it."""

_SERVICES = ("SERVICE", "NAMES", "FROM", "CONTAINER", "STATE", "ADDRESSES")
_STATES = {"running": GOOD, "unknown": CHANGING, "stopped": BAD}


def status_lines(found: Found, width: int | None, *, services: bool = True) -> Iterator[Text]:
    """The lines for a terminal of this width, `None` in a pipe; without `services` of the subscribers alone."""
    yield from engine_lines(found)
    if services:
        yield from service_lines(found, width)
    yield from subscriber_lines(found)
    yield from source_lines(found)


def engine_lines(found: Found) -> Iterator[Text]:
    """The engine, and the daemon that keeps its files."""
    engine, daemon = found["engine"], found.get("daemon")
    if engine["connected"]:
        yield line(f"engine {engine['version']} (API {engine['api']})")
    else:
        yield line("engine: ", ("away", BAD))
    if daemon is None:
        yield line("daemon: ", ("none answers", CHANGING), ", so all of this was read just now")
    else:
        state = (daemon["state"], GOOD if daemon["state"] == "active" else CHANGING)
        yield line("daemon: ", state, f" since {local_time(daemon['since'])}, pid {daemon['pid']}")


def service_lines(found: Found, width: int | None) -> Iterator[Text]:
    """The services with their containers, as a table."""
    yield from table(_SERVICES, list(_service_rows(found["services"])), width)


def subscriber_lines(found: Found) -> Iterator[Text]:
    """The subscribers with their records and withheld lines."""
    for subscriber in found["subscribers"]:
        yield from _subscriber_lines(subscriber)
    if not found["subscribers"]:
        yield line("no running container subscribes")


def source_lines(found: Found) -> Iterator[Text]:
    """The sources of names on other hosts; nothing for one host alone."""
    if sources := found.get("sources"):  # an older daemon does not tell them
        yield line("names of other hosts:")
    for source in sources or ():
        if source["up"] is None:
            yield line(f"  {source['source']}: ", ("not asked", CHANGING), ", as only a daemon does")
            continue
        state = ("answers", GOOD) if source["up"] else ("away", BAD)
        fault = f": {source['fault']}" if source["fault"] else ""
        since = f" since {local_time(source['since'])}"
        yield line(f"  {source['source']}: ", state, f"{since}, addresses: {source['endpoints']}{fault}")
        if published := source.get("published"):  # an older daemon does not tell it
            yield _published_line(published)


def _published_line(published: Found) -> Text:
    """What this host adds to a cluster."""
    more = published["services"] - len(published["names"])
    names = ", ".join(published["names"]) + (f" and {more} more" if more > 0 else "")
    return line(f"    this host is {published['node']}, published services: {published['services']}", *_faint([names]))


def local_time(instant: str) -> str:
    """A time of the JSON in this machine's zone, to the second."""
    return f"{datetime.fromisoformat(instant).astimezone():%Y-%m-%d %H:%M:%S}"


def _service_rows(services: Iterable[Found]) -> Iterator[Row]:
    for service in services:
        row = [line((service["name"], HEAD)), line(" ".join(service["names"])), line(service["source"])]
        for container in service["containers"]:
            health = f" ({container['health']})" if container["health"] else ""
            state = line((container["state"] + health, _STATES.get(container["state"], "")))
            places = container["addresses"].items()
            addresses = ", ".join(" ".join(found) + (f" on {network}" if network else "") for network, found in places)
            yield [*row, line(_called(container)), state, line(addresses or "-")]
            row = [line(), line(), line()]
        if not service["containers"]:
            yield [*row, line("-"), line(), line()]


def _called(container: Found) -> str:
    """A container's name, with its host if that is another one."""
    place = container.get("elsewhere") or _HERE  # an older daemon does not tell it
    host = f" of {place['host']}" if place["host"] else ""
    return f"{container['name']}{host}{_kept(place)}"


_HERE: Found = {"host": None, "as_last_known": False}


def _kept(place: Found) -> str:
    return ", as last known" if place["as_last_known"] else ""


def is_right(subscriber: Found) -> bool:
    """Whether all files of a subscriber are right."""
    return all(each["in_sync"] for each in files(subscriber))


def is_whole(subscriber: Found) -> bool:
    """Whether no line of a subscriber is withheld."""
    return not any(each["withheld"] for each in files(subscriber))


def files(subscriber: Found) -> list[Found]:
    """The files of a subscriber: its hosts file, and its resolv.conf if that is kept."""
    resolv = subscriber.get("resolv")  # an older daemon does not tell it
    return [subscriber] if resolv is None else [subscriber, resolv]


def verdict(file: Found) -> Part:
    """Whether a file is right."""
    return ("right", GOOD) if file["in_sync"] else (file["error"] or "not right yet", BAD)


def _subscriber_lines(subscriber: Found) -> Iterator[Text]:
    name, resolv = (subscriber["name"], HEAD), subscriber.get("resolv")
    if resolv is None or subscriber["records"] or subscriber["withheld"] or not subscriber["in_sync"]:
        yield line(name, ": ", verdict(subscriber))
        yield from _record_lines(subscriber)
        name = ("", "")
    if resolv is not None:
        yield line(name, ": " if name[0] else "  ", f"{RESOLV}: ", verdict(resolv))
        for each in resolv["lines"]:
            yield line(f"    {each['line']}", *_faint(_origin(each)))
        yield from _withheld_lines(resolv, "    ")


RESOLV = "resolv.conf"
"""The other file of a container."""


def _record_lines(subscriber: Found) -> Iterator[Text]:
    records = subscriber["records"]
    widest = max((len(record["address"]) for record in records), default=0)
    for record in records:
        yield line(f"  {record['address']:<{widest}}  {' '.join(record['names'])}", *_faint(_origin(record)))
    yield from _withheld_lines(subscriber, "  ")


def _withheld_lines(file: Found, indent: str) -> Iterator[Text]:
    for withheld in file["withheld"]:
        yield line(indent, ("withheld", CHANGING), f"  {withheld['line']} ({withheld['reason']})")


def _faint(origin: Iterable[str]) -> Iterator[Part]:
    if told := "; ".join(origin):
        yield (f"  ({told})", FAINT)


def _origin(record: Found) -> Iterator[str]:
    """Who asked for a record, what it leads to, and since when, as far as that is known."""
    if record.get("origin"):
        yield record["origin"]
    if record.get("container"):
        place, network = record.get("elsewhere") or _HERE, record.get("network")
        host = f" of {place['host']}" if place["host"] else ""
        yield f"{record['container']}{host}{f' on {network}' if network else ''}{_kept(place)}"
    if record.get("since"):
        yield f"since {local_time(record['since'])}"
