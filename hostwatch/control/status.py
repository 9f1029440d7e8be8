"""The state of all services and subscribers as data: the answer of `status --json`.

A long answer is made in steps. Nothing is asked of the engine, and no file is read.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from hostwatch.control.history import instant
from hostwatch.control.service_list import elsewhere, services
from hostwatch.control.source import EngineInfo
from hostwatch.control.source_list import asked_once
from hostwatch.control.standing import Standing
from hostwatch.control.turns import Turns
from hostwatch.control.view import Json
from hostwatch.core.block.records import Directive, Record, Withheld
from hostwatch.core.model import FileKind
from hostwatch.core.resolve.origins import RecordOrigin, RecordOrigins, Requests, stretches
from hostwatch.core.store.lister import Lister


async def state(
    engine: EngineInfo | None,
    store: Lister,
    standings: Iterable[Standing],
    daemon: Json | None = None,
    others: Sequence[Json] | None = None,
) -> Json:
    """The whole answer; `engine` is `None` while it is away, `daemon` where none runs, `others` where none is asked."""
    turns = Turns()
    return {
        "engine": {
            "connected": engine is not None,
            "version": engine.version if engine is not None else None,
            "api": engine.api if engine is not None else None,
        },
        "services": await services(store, turns),
        "subscribers": [await subscriber(store, standing, turns) for standing in standings],
        "sources": asked_once({}, store.remotes.sources) if others is None else others,
        "daemon": daemon,
    }


async def subscriber(store: Lister, standing: Standing, turns: Turns) -> Json:
    """One subscriber of the answer."""
    container, block = standing.container, standing.block
    return {
        "id": container.key.id,
        "name": container.name,
        "kind": "container" if container.host_file is None else "file",
        "path": str(standing.path),
        "writer": standing.writer.value,
        "in_sync": standing.in_sync,
        "records": await records(store, standing, turns),
        "withheld": withheld(block.withheld),
        "error": standing.error,
        "resolv": await _resolv(store, standing.resolv, turns) if standing.resolv is not None else None,
    }


async def _resolv(store: Lister, standing: Standing, turns: Turns) -> Json:
    """The resolv.conf of a subscriber."""
    return {
        "path": str(standing.path),
        "writer": standing.writer.value,
        "in_sync": standing.in_sync,
        "lines": await records(store, standing, turns, FileKind.RESOLV),
        "withheld": withheld(standing.block.withheld),
        "error": standing.error,
    }


async def records(
    store: Lister, standing: Standing, turns: Turns, kind: FileKind = FileKind.HOSTS
) -> list[dict[str, Any]]:
    """The records of a file, each with its origin."""
    found, asked, told = (
        RecordOrigins(),
        Requests(store.sharing(standing.container.key, kind).requests),
        list[dict[str, Any]](),
    )
    for lines in stretches(standing.memory):
        found.take_in(lines)
        await turns.give()
    for record in standing.block.records:
        told.append(described(record, found.of(record), asked, standing.sinces.get(record)))
        await turns.give()
    return told


def described(
    record: Record, found: RecordOrigin | None, asked: Requests, since: float | None = None
) -> dict[str, Any]:
    """A record with its origin, and the time since which it is so (seconds since the epoch)."""
    source = found.source if found is not None else None
    return {
        **_content(record),
        "origin": asked.place(found.line) if found is not None else None,
        "service": source.service if source is not None else None,
        "tier": source.tier.value if source is not None else None,
        "container": (found.origin.service_container or None) if found is not None else None,
        "network": (found.origin.network_name or None) if found is not None else None,
        "elsewhere": elsewhere(found.origin.remote) if found is not None else None,
        "since": instant(since) if since is not None else None,
    }


def _content(record: Record) -> dict[str, Any]:
    if isinstance(record, Directive):
        return {"line": record.line}
    return {"address": str(record.address), "names": list(record.names)}


def withheld(lines: Iterable[Withheld]) -> list[Json]:
    """Withheld lines."""
    return [{"line": line.line, "reason": line.reason} for line in lines]
