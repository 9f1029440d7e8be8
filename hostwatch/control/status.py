"""The state of all services and subscribers as data: the answer of `status --json`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hostwatch.control.source import EngineInfo
from hostwatch.control.survey import FileReport
from hostwatch.core.block.records import Block
from hostwatch.core.model import Container, Health, State
from hostwatch.core.store.lister import Lister

Json = Mapping[str, Any]


def state(engine: EngineInfo | None, store: Lister, reports: Iterable[FileReport]) -> Json:
    """The whole answer; without an engine it is not connected."""
    return {
        "engine": {
            "connected": engine is not None,
            "version": engine.version if engine is not None else None,
            "api": engine.api if engine is not None else None,
        },
        "services": list(_services(store)),
        "subscribers": [subscriber(report) for report in reports],
    }


def subscriber(report: FileReport) -> Json:
    """One subscriber of the answer."""
    return {
        "id": report.container.key.id,
        "name": report.container.name,
        "kind": "container" if report.container.host_file is None else "file",
        "path": str(report.path),
        "writer": report.writer.value,
        "in_sync": report.in_sync,
        **block(report.block),
        "error": report.error,
    }


def block(standing: Block) -> Json:
    """A block's records and withheld lines."""
    return {
        "records": [{"address": str(record.address), "names": list(record.names)} for record in standing.records],
        "withheld": [{"line": withheld.line, "reason": withheld.reason} for withheld in standing.withheld],
    }


def _services(store: Lister) -> Iterator[Json]:
    """The services of the configuration, then those of compose, then the containers that are in neither."""
    for rule in store.rules.services:
        yield _service(rule.key, rule.names, "config", store.behind_rule(rule))
    compose: dict[tuple[str, str], list[Container]] = {}
    single: list[Container] = []
    for container in sorted(store.containers, key=lambda container: (container.name, container.key)):
        roles = store.roles(container.key)
        if not roles.enabled or roles.services:
            continue
        if container.project is not None and container.compose_service is not None:
            compose.setdefault((container.project, container.compose_service), []).append(container)
        else:
            single.append(container)
    for (project, name), members in sorted(compose.items()):
        names = dict.fromkeys([name, *(label for c in members for label in store.roles(c.key).names)])
        yield _service(name, names, f"compose:{project}", sorted(members, key=lambda c: c.replica_order))
    for container in single:
        names = dict.fromkeys([container.name, *store.roles(container.key).names])
        yield _service(container.name, names, "container", [container])


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
