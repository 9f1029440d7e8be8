"""The command `doctor`: everything that prevents hostwatch from working here, each with its remedy.

It changes nothing, neither in the engine's directory nor in the system. A harmless attempt is preferred to a rule: the
engine's or the kernel's answer is more reliable. Withheld lines are no findings, as they follow from the configuration
and the containers, and `status` shows them. The exception is a line that no network of its containers can ever carry.
"""

from collections.abc import Awaitable, Callable, Iterator

import anyio
import anyio.to_thread

from hostwatch import app
from hostwatch.config.settings import Settings
from hostwatch.control.source import EngineError, EngineInfo, GoneError, first_leaf
from hostwatch.core.model import Container
from hostwatch.docker.connect import Connection
from hostwatch.docker.engine import DockerEngine
from hostwatch.doctor.advertising import advertising
from hostwatch.doctor.answering import control_socket, http
from hostwatch.doctor.cautions import configured
from hostwatch.doctor.connection import unanswered, unreachable
from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, Level, fine, problem
from hostwatch.doctor.host_resolver import host_resolver
from hostwatch.doctor.kernel import leases, priority, watches
from hostwatch.doctor.reachability import data_root, labels, lock, subscribers, unreached
from hostwatch.doctor.recording import history
from hostwatch.doctor.sources import sources
from hostwatch.doctor.told import Told, told_by_daemon
from hostwatch.hosts.lock import holder_of

_OLDEST_API = (1, 41)
"""Docker Engine 20.10's, the oldest that was tested."""
_PATIENCE_SECONDS = 30.0
"""For all answers of the engine together."""
_REQUEST_SECONDS = 5.0
"""For each request that only the doctor makes."""


def examined(settings: Settings, connection: Connection) -> Iterator[Finding]:
    """The findings of all checks, problems or not."""
    evidence, told = anyio.run(_evidence, settings, connection), None
    if isinstance(evidence, str):
        yield unreachable(connection, evidence)
        yield from configured(settings, None)
    else:
        yield of_engine(evidence.engine, connection)
        yield from map(unanswered, evidence.faults)
        told = told_by_daemon(evidence)
        yield from _of_files(evidence, told)
        yield from unreached(evidence)
        yield from host_resolver(evidence)
        yield from configured(settings, evidence)
        yield from labels(evidence)
    yield from advertising(settings, None if isinstance(evidence, str) else evidence)
    yield from _of_others(settings, None if isinstance(evidence, str) else evidence, told)
    yield from history(settings, None if isinstance(evidence, str) else evidence.holder)
    yield from priority()
    yield from control_socket()
    yield from http(settings, None if isinstance(evidence, str) else evidence.holder)


def _of_files(evidence: Evidence, told: Told | None) -> Iterator[Finding]:
    found = list(data_root(evidence))
    yield from found
    visible = all(finding.level is Level.OK for finding in found)
    yield from lock(evidence)
    yield from subscribers(evidence, told, visible=visible)
    if visible:
        yield from watches(evidence)
        yield from leases(evidence)


def _of_others(settings: Settings, evidence: Evidence | None, told: Told | None) -> Iterator[Finding]:
    """What concerns other hosts. No client of theirs is loaded for one host alone."""
    if settings.cluster is not None:
        from hostwatch.doctor.cluster import cluster  # noqa: PLC0415

        yield from cluster(settings, evidence)
    if settings.catalogs():
        from hostwatch.doctor.catalogs import catalogs  # noqa: PLC0415

        yield from catalogs(settings, evidence)
    if evidence is not None:
        yield from sources(evidence, told)


def verdict(found: list[Finding]) -> str:
    """A summary of all findings in one line."""
    levels = {Level.PROBLEM: "problem", Level.NOTE: "limit", Level.WARNING: "warning"}
    counts = {what: sum(finding.level is level for finding in found) for level, what in levels.items()}
    found_counts = {what: f"{count} {what}{'s' * (count > 1)}" for what, count in counts.items() if count}
    if "problem" in found_counts:
        return f"{found_counts['problem']} to be mended"
    return "hostwatch works here" + (f", with {' and '.join(found_counts.values())}" if found_counts else "")


def of_engine(engine: EngineInfo, connection: Connection) -> Finding:
    """The engine's version, and whether it is new enough."""
    shown = f"engine {engine.version} (API {engine.api}) at {connection.address}"
    if tuple(int(part) for part in engine.api.split(".")) < _OLDEST_API:
        oldest = ".".join(map(str, _OLDEST_API))
        return problem(f"{shown} is too old", f"upgrade it to Docker Engine 20.10 (API {oldest}) or newer")
    return fine(shown)


async def _evidence(settings: Settings, connection: Connection) -> Evidence | str:
    """The evidence, or the reason why the engine did not answer."""
    try:
        with anyio.fail_after(_PATIENCE_SECONDS):
            return await _gathered(settings, connection)
    except TimeoutError:
        return f"{connection.address} did not answer in time ({_PATIENCE_SECONDS:.0f} s)"
    except (EngineError, GoneError) as error:
        return str(error)
    except BaseExceptionGroup as group:
        known, other = group.split((EngineError, GoneError))
        if known is None or other is not None:
            raise
        return str(first_leaf(known))


async def _gathered(settings: Settings, connection: Connection) -> Evidence:
    async with app.survey(settings, connection) as survey:
        reports = tuple(await survey.reports())
        container = next(iter(survey.store.containers), None)
        faults = await _faults(connection, container)
        holder = await anyio.to_thread.run_sync(holder_of, survey.engine.directory(settings.docker.root))
        return Evidence(survey.engine, survey.store, reports, settings.docker.root, faults, holder, survey.heard)


async def _faults(connection: Connection, container: Container | None) -> tuple[str, ...]:
    """The errors of requests that only `run` makes, or whose failure the survey survives."""
    async with DockerEngine(connection) as source:
        await source.info()

        async def inspect() -> None:
            if container is not None:
                await source.container(container.key, _PATIENCE_SECONDS)

        async def subscribe() -> None:
            async with source.events():
                pass

        requests = {"/_ping": source.ping, "/containers/ID/json": inspect, "/events": subscribe}
        tried = [await _fault(path, work) for path, work in requests.items()]
    return tuple(fault for fault in tried if fault is not None)


async def _fault(path: str, work: Callable[[], Awaitable[None]]) -> str | None:
    try:
        with anyio.fail_after(_REQUEST_SECONDS):
            await work()
    except TimeoutError:
        return f"GET {path}: the engine did not answer in time ({_REQUEST_SECONDS:.0f} s)"
    except EngineError as error:
        return str(error) if "GET " in str(error) else f"GET {path}: {error}"
    except GoneError:
        pass  # The container is gone. (No other path answers 404, unless this is no engine, which was noticed before.)
    return None
