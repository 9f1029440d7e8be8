"""The state of all services and subscribers as data: the answer of `status --json`.

A long answer is made in steps. Nothing is asked of the engine, and no file is read.
"""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from hostwatch.control.history import instant
from hostwatch.control.source import EngineInfo
from hostwatch.control.standing import Standing
from hostwatch.control.turns import Turns
from hostwatch.control.view import Json
from hostwatch.core.block.records import Directive, Record, Withheld
from hostwatch.core.model import Container, FileKind, Health, State
from hostwatch.core.resolve.origins import RecordOrigin, RecordOrigins, Requests, stretches
from hostwatch.core.store.lister import Lister


async def state(
    engine: EngineInfo | None, store: Lister, standings: Iterable[Standing], daemon: Json | None = None
) -> Json:
    """The whole answer; `engine` is `None` while it is away, `daemon` where none runs."""
    turns = Turns()
    return {
        "engine": {
            "connected": engine is not None,
            "version": engine.version if engine is not None else None,
            "api": engine.api if engine is not None else None,
        },
        "services": await _services(store, turns),
        "subscribers": [await subscriber(store, standing, turns) for standing in standings],
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
        "since": instant(since) if since is not None else None,
    }


def _content(record: Record) -> dict[str, Any]:
    if isinstance(record, Directive):
        return {"line": record.line}
    return {"address": str(record.address), "names": list(record.names)}


def withheld(lines: Iterable[Withheld]) -> list[Json]:
    """Withheld lines."""
    return [{"line": line.line, "reason": line.reason} for line in lines]


async def _services(store: Lister, turns: Turns) -> list[Json]:
    """The services of the configuration, then those of compose, then the containers that are in neither."""
    found = [_service(rule.key, rule.names, "config", store.behind_rule(rule)) for rule in store.rules.services]
    compose: dict[tuple[str, str], list[Container]] = {}
    single: list[Container] = []
    for container in sorted(store.containers, key=attrgetter("name")):
        await turns.give()
        roles = store.roles(container.key)
        if not roles.enabled or roles.services:
            continue
        if container.project is not None and container.compose_service is not None:
            compose.setdefault((container.project, container.compose_service), []).append(container)
        else:
            single.append(container)
    for (project, name), members in sorted(compose.items()):
        await turns.give()
        names = dict.fromkeys([name, *(label for c in members for label in store.roles(c.key).names)])
        found.append(_service(name, names, f"compose:{project}", sorted(members, key=lambda c: c.replica_order)))
    for container in single:
        await turns.give()
        names = dict.fromkeys([container.name, *store.roles(container.key).names])
        found.append(_service(container.name, names, "container", [container]))
    return found


def _service(name: str, names: Iterable[str], source: str, containers: Iterable[Container]) -> Json:
    return {
        "name": name,
        "names": list(names),
        "source": source,
        "containers": [_container(container) for container in containers],
    }


def _container(container: Container) -> Json:
    health = None if container.health in (None, Health.NONE) else container.health.value
    return {
        "id": container.key.id,
        "name": container.name,
        "state": container.state.value,
        "health": health if container.state is not State.STOPPED else None,
        "addresses": {
            endpoint.network_name: [str(address) for address in endpoint.addresses]
            for endpoint in container.endpoints
            if endpoint.addresses
        },
    }
